"""What each service of a platform on a cluster asks for: a table for each profile, and what a file says otherwise.

Requests are near what was measured of each (docs/kubernetes.md), limits leave room for a load that was not; memory
above its request is the node's to give, CPU as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from mlstrata.components.workload.pods import Resources
from mlstrata.environments.spec.environment import EnvironmentSpec
from mlstrata.environments.spec.quantities import mebibytes, memory_of
from mlstrata.environments.spec.serving import ResourcesSpec
from mlstrata.environments.spec.sizing import Profile, SizeSpec


@dataclass(frozen=True)
class Sizes:
    """What the services of an environment get.

    Attributes:
        of: By the name of the field in the file's `resources`.
        copies: Of Postgres, Prometheus and Alertmanager.
        asked_share: Share of what a system's pods are declared with that they ask for; the whole is their limit.
    """

    of: Mapping[str, Resources]
    copies: int = 2
    asked_share: float = 1.0

    def serving(self, declared: ResourcesSpec, *, scaled: bool = False) -> Resources:
        """Return what a system's pods get.

        Args:
            declared: What its file says.
            scaled: The number of its pods follows its use of CPU, which is measured by what it asks for.
        """
        cores = round(declared.cpu * 1000)
        asked = cores if scaled else max(1, round(cores * self.asked_share))
        most = mebibytes(declared.memory)
        memory = declared.memory if self.asked_share == 1 else memory_of(max(1, round(most * self.asked_share)))
        return Resources(f"{asked}m", memory, f"{cores}m", declared.gpu, declared.memory)


def _size(cpu: str, memory: str, cpu_limit: str, memory_limit: str) -> Resources:
    return Resources(cpu, memory, cpu_limit, 0, memory_limit)


PROFILES: Mapping[Profile, Sizes] = MappingProxyType(
    {
        Profile.STANDARD: Sizes(
            {
                "registry": _size("250m", "512Mi", "2", "2Gi"),
                "catalog": _size("50m", "128Mi", "500m", "512Mi"),
                "recorder": _size("100m", "128Mi", "1", "512Mi"),
                "monitor": _size("100m", "384Mi", "1", "1Gi"),
                "object_store": _size("250m", "512Mi", "2", "2Gi"),
                "database": _size("250m", "512Mi", "2", "1Gi"),
                "gateway": _size("250m", "256Mi", "2", "512Mi"),
                "prometheus": _size("250m", "1Gi", "2", "2Gi"),
                "alertmanager": _size("50m", "64Mi", "500m", "256Mi"),
                "logs": _size("100m", "512Mi", "2", "1Gi"),
                "log_collector": _size("50m", "256Mi", "1", "512Mi"),
                "jobs": _size("100m", "256Mi", "1", "512Mi"),
                "training": _size("1", "2Gi", "2", "4Gi"),
            }
        ),
        Profile.SMALL: Sizes(
            {
                "registry": _size("100m", "320Mi", "1", "1Gi"),
                "catalog": _size("25m", "96Mi", "500m", "256Mi"),
                "recorder": _size("25m", "96Mi", "500m", "256Mi"),
                "monitor": _size("25m", "192Mi", "500m", "512Mi"),
                "object_store": _size("100m", "256Mi", "1", "1Gi"),
                "database": _size("100m", "256Mi", "1", "512Mi"),
                "gateway": _size("50m", "64Mi", "1", "256Mi"),
                "prometheus": _size("100m", "512Mi", "1", "1Gi"),
                "alertmanager": _size("25m", "64Mi", "200m", "128Mi"),
                "logs": _size("50m", "256Mi", "1", "512Mi"),
                "log_collector": _size("50m", "128Mi", "500m", "256Mi"),
                "jobs": _size("50m", "128Mi", "1", "512Mi"),
                "training": _size("500m", "1Gi", "2", "2Gi"),
            },
            copies=1,
            asked_share=0.25,
        ),
    }
)


def sizes_of(spec: EnvironmentSpec) -> Sizes:
    """Return what the services of an environment get: its profile's, and what its file says otherwise."""
    profile = PROFILES[spec.profile]
    said: dict[str, SizeSpec] = {name: getattr(spec.resources, name) for name in profile.of}
    return replace(profile, of={name: _changed(profile.of[name], one) for name, one in said.items()})


def _changed(size: Resources, said: SizeSpec) -> Resources:
    """Return a size with what is said otherwise; the half that is not said gives way."""
    cpu, most = said.cpu, said.cpu_limit
    cores, limit = _millicores(size.cpu), _millicores(size.cpu_limit)
    asked = round(cpu * 1000) if cpu is not None else min(cores, round(most * 1000) if most is not None else cores)
    at_most = round(most * 1000) if most is not None else max(limit, asked)
    if said.memory and not said.memory_limit:
        memory, memory_limit = said.memory, max(said.memory, size.memory_limit, key=mebibytes)
    elif said.memory_limit and not said.memory:
        memory, memory_limit = min(said.memory_limit, size.memory, key=mebibytes), said.memory_limit
    else:
        memory, memory_limit = said.memory or size.memory, said.memory_limit or size.memory_limit
    return Resources(_cores(asked), memory, _cores(at_most), 0, memory_limit)


def _cores(millicores: int) -> str:
    """Return cores as Kubernetes writes them."""
    return f"{millicores}m" if millicores % 1000 else str(millicores // 1000)


def _millicores(text: str) -> int:
    return int(text[:-1]) if text.endswith("m") else int(text) * 1000
