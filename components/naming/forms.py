"""How names are put together of the file's own: what builds an object and what judges its name both ask here."""

from __future__ import annotations

from mlstrata.environments import EnvironmentSpec
from mlstrata.environments.spec.target import KubernetesTarget

PLATFORM = "mlstrata"
"""The platform's namespace, where the environment's file names no other."""


def of_platform(spec: EnvironmentSpec) -> str:
    """Return the namespace of an environment's platform."""
    return spec.target.namespace if isinstance(spec.target, KubernetesTarget) else PLATFORM


def namespace_of(platform: str, team: str | None, system: str) -> str:
    """Return the namespace of a system: its team's, else one of its own."""
    return part(platform, team or system)


def part(whole: str, what: str) -> str:
    """Return the name of something that belongs to what is called `whole`."""
    return f"{whole}-{what}"


def training(system: str) -> str:
    """Return the name of the CronJob that trains a system."""
    return f"training-{system}"


def clock(job: str) -> str:
    """Return the name of the right to stop the clock of a job."""
    return f"clock-{job}"


def stop_route(system: str) -> str:
    """Return the name of the route that stops a system."""
    return part(system, "stop")


def stopped(system: str) -> str:
    """Return the name of the filter that answers for a stopped system."""
    return part(system, "stopped")


def stop_right(system: str) -> str:
    """Return the name of the right to stop a system."""
    return f"stop-{system}"


def level_of(system: str) -> str:
    """Return the name of the alerts on a system's service level."""
    return f"service-level-{system}"


def steps_data(system: str) -> str:
    """Return the name of the opening through which a pipeline's steps read a system's data."""
    return f"steps-data-{system}"
