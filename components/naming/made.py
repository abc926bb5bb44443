"""Every name that an environment's file gives to something on a cluster, before anything is built.

What has the same name whatever the file says is among them where a name of the file's could be the same. A test holds
this to the objects that are really built.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mlstrata.components.naming import forms
from mlstrata.components.naming.forms import of_platform
from mlstrata.components.recording.names import APPEND
from mlstrata.components.registry.names import ACCESS
from mlstrata.components.registry.people import account
from mlstrata.components.serving.outputs import serving_name
from mlstrata.environments import EnvironmentSpec
from mlstrata.environments.spec.serving import ServingMode
from mlstrata.environments.spec.system import SystemSpec
from mlstrata.services.serving.cluster import PREDICTOR, UNIT, deployment_of, job_of

PRIORITIES = ("platform", "serving", "training")
_RIGHTS = ("Role", "RoleBinding")
_IN_EACH = {
    "LimitRange": ("limits",),
    "NetworkPolicy": (*("default-deny", "allow-names"), *("ray-nodes", "ray-operator", "ray-submit", "ray-jobs")),
    "ResourceQuota": ("quota",),
    "Role": ("logs", "team", "team-ray"),
    "RoleBinding": ("logs", "team", "team-ray"),
    "Secret": (ACCESS, APPEND),
    "ServiceAccount": ("default", "team"),
}
"""What each namespace of a system may hold, whatever the system is called."""


@dataclass(frozen=True)
class Made:
    """A name on a cluster.

    Attributes:
        kind: Of what.
        namespace: Where; empty: it belongs to the whole cluster.
        name: The name.
        field: The field of the file that it comes from; of several the first that may be changed.
        everywhere: No second one of an environment may have it, in whichever namespace: Pulumi tells them apart by it.
    """

    kind: str
    namespace: str
    name: str
    field: str
    everywhere: bool = False

    @property
    def identity(self) -> tuple[str, str, str]:
        """Return what only one object may have."""
        return self.kind, "" if self.everywhere else self.namespace, self.name


def made(spec: EnvironmentSpec) -> Iterator[Made]:
    """Yield what an environment makes on a cluster; the platform's first, then each system's."""
    from mlstrata.components.upstream.selection import monitoring_of  # which a plan of this machine never reads

    platform, field = of_platform(spec), "target.namespace"
    monitoring = monitoring_of(spec)
    yield Made("Namespace", "", platform, field)
    if monitoring.startswith(platform):
        yield Made("Namespace", "", monitoring, field)
    yield Made("GatewayClass", "", platform, field)
    for what in PRIORITIES:
        yield Made("PriorityClass", "", forms.part(platform, what), field)
    for kind in ("Prometheus", "Alertmanager"):
        yield Made(kind, monitoring, platform, field)
    for kind, what in (("StatefulSet", "logs"), ("Service", "logs"), ("Service", "logs-collector")):
        yield Made(kind, monitoring, forms.part(platform, what), field)
    for at, pool in enumerate(spec.gpu_pools):
        for kind in ("NodePool", "EC2NodeClass"):
            yield Made(kind, "", forms.part(platform, pool.name), f"gpu_pools[{at}].name")
    teams = {team.name: f"teams[{at}].name" for at, team in enumerate(spec.teams)}
    spaces: set[str] = set()
    for at, system in enumerate(spec.systems):
        field = f"systems[{at}].name"
        space = forms.namespace_of(platform, system.team, system.name)
        if space not in spaces:
            # A team has one namespace, whichever of its systems is the first; a system without one has its own.
            yield Made("Namespace", "", space, teams.get(system.team or "", field))
            yield from (Made(kind, space, name, "") for kind, names in _IN_EACH.items() for name in names)
        spaces.add(space)
        yield from _of_system(system, space, field)
    yield from _secrets(spec)


def _of_system(system: SystemSpec, space: str, field: str) -> Iterator[Made]:
    name = system.name

    def own(named: str, *kinds: str, everywhere: bool = False) -> Iterator[Made]:
        yield from (Made(kind, space, named, field, everywhere) for kind in kinds)

    def ways(named: str, *openings: str) -> Iterator[Made]:
        yield from (Made("NetworkPolicy", space, forms.part(named, one), field) for one in openings)

    job = ("CronJob", "ServiceAccount", "ConfigMap")
    if system.untrainable() is None:
        trains = forms.training(name)
        yield from own(trains, *job)
        yield from ways(trains, "registry", "store", "features", "data")
        yield from own(forms.clock(trains), *_RIGHTS)
    yield from own(account(name), *_RIGHTS, "ServiceAccount")
    if system.serving.mode is ServingMode.BATCH:
        yield from own(job_of(name), *job)
        yield from ways(job_of(name), "registry", "store", "features", "data")
        return
    serves = serving_name(name)
    yield from own(serves, "ServiceAccount", "ConfigMap", "PodDisruptionBudget", "PodMonitor")
    yield from ways(serves, "callers", "scrapes", "registry", "store", "features")
    yield from own(name, "SeldonDeployment", "SecurityPolicy", "BackendTrafficPolicy")
    yield from own(deployment_of(name), "Deployment")
    for made_by_seldon in (PREDICTOR, f"{PREDICTOR}-{UNIT}"):
        yield from own(forms.part(name, made_by_seldon), "Service")
    yield from own(forms.level_of(name), "PrometheusRule")
    yield from own(name, "HTTPRoute", everywhere=True)
    if system.oversight.kill_switch:
        yield from own(forms.stop_route(name), "HTTPRoute", everywhere=True)
        yield from own(forms.stopped(name), "HTTPRouteFilter")
        yield from own(forms.stop_right(name), *_RIGHTS)


def _secrets(spec: EnvironmentSpec) -> Iterator[Made]:
    """Yield the secrets that the file names, each once in a namespace: systems of a team may read by the same one."""
    told: set[tuple[str, str]] = set()
    if pull := spec.images.pull_secret:
        platform = of_platform(spec)
        yield Made("Secret", platform, ACCESS, "")
        spaces = (forms.namespace_of(platform, system.team, system.name) for system in spec.systems)
        for space in dict.fromkeys([platform, *spaces]):
            yield Made("Secret", space, pull, "images.pull_secret")
    for at, system in enumerate(spec.systems):
        space = forms.namespace_of(of_platform(spec), system.team, system.name)
        for index, dataset in enumerate(system.data):
            for field, place in (("store", dataset.store), ("database", dataset.database)):
                secret = place.secret if place else None
                if secret and (space, secret) not in told:
                    told.add((space, secret))
                    yield Made("Secret", space, secret, f"systems[{at}].data[{index}].{field}.secret")
