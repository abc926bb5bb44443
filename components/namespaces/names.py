"""Which namespaces an environment may have: none of its cluster's own, none of an operator's, no two in one."""

from __future__ import annotations

from collections.abc import Iterator

from mlstrata.components.namespaces.args import namespace_of
from mlstrata.environments import EnvironmentSpec
from mlstrata.environments.spec.target import KubernetesTarget

PLATFORM = "mlstrata"
"""The platform's namespace, where the environment's file names no other."""
LONGEST = 63
"""Characters of a namespace's name."""
_OF_THE_CLUSTER = ("kube-", "openshift-")
_ITS_OWN = frozenset({"default", "openshift"})


def of_platform(spec: EnvironmentSpec) -> str:
    """Return the namespace of an environment's platform."""
    return spec.target.namespace if isinstance(spec.target, KubernetesTarget) else PLATFORM


def problems(spec: EnvironmentSpec) -> Iterator[str]:
    """Yield each namespace that an environment would make and that is another's, with the field that names it."""
    if spec.target.kind == "local":
        return
    prefix = of_platform(spec)
    if why := _taken(prefix):
        yield f"target.namespace: got {prefix!r}, {why}; allowed any other, such as {PLATFORM}"
    teams = {team.name: f"teams[{at}].name" for at, team in enumerate(spec.teams)}
    for at, system in enumerate(spec.systems):
        made = namespace_of(prefix, system.team, system.name)
        if not system.team and system.name in teams:
            yield (
                f"systems[{at}].name: got {system.name!r}, and {teams[system.name]} is the same: the namespace {made} "
                "would be the system's and the team's; call one of them otherwise, or set the system's team"
            )
        elif why := _taken(made):
            field = teams.get(system.team or "", f"systems[{at}].name")
            yield f"{field}: with target.namespace {prefix!r} it makes the namespace {made!r}, {why}; change either"


def _taken(name: str) -> str:
    """Return why nobody may have a namespace of this name; empty where one may."""
    from mlstrata.components.upstream.bill import BILL  # which a plan of this machine never reads

    if name.startswith(_OF_THE_CLUSTER) or name in _ITS_OWN:
        return "which is the cluster's own"
    if owner := next((piece.name for piece in BILL if piece.namespace == name != PLATFORM), ""):
        return f"which is the namespace of {owner}"
    if len(name) > LONGEST:
        return f"which has {len(name)} characters, and a namespace at most {LONGEST}"
    return ""
