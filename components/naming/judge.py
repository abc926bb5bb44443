"""Which names an environment may have: what Kubernetes takes, none of the cluster's or an operator's, none twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mlstrata.components.naming.forms import PLATFORM, of_platform
from mlstrata.components.naming.kinds import refused
from mlstrata.components.naming.made import Made, made
from mlstrata.environments import EnvironmentSpec


def problems(spec: EnvironmentSpec) -> Iterator[str]:
    """Yield each name that an environment would make and must not, with the field that it comes from.

    One line a field: what is made of a name that is another's is another's as well.
    """
    if spec.target.kind == "local":
        return
    teams = {team.name: f"teams[{at}].name" for at, team in enumerate(spec.teams)}
    told = set()
    for at, system in enumerate(spec.systems):
        if not system.team and system.name in teams:
            field = f"systems[{at}].name"
            told.add(field)
            yield (
                f"{field}: got {system.name!r}, and {teams[system.name]} is the same: the namespace "
                f"{of_platform(spec)}-{system.name} would be the system's and the team's; call one of them otherwise, "
                "or set the system's team"
            )
    first: dict[tuple[str, str, str], Made] = {}
    for one in made(spec):
        other = first.setdefault(one.identity, one)
        culprit = one if one.field else other
        if culprit.field in told:
            continue
        why = _twice(culprit, one if other is culprit else other, spec) if other is not one else _taken(one, spec)
        if why:
            told.add(culprit.field)
            yield f"{culprit.field}: {why}"


def _taken(one: Made, spec: EnvironmentSpec) -> str:
    """Return why nobody may have this name, with what to change; empty where one may."""
    why = refused(one.kind, one.name) or (_operators(one.name, spec) if one.kind == "Namespace" else "")
    if not why:
        return ""
    prefix, what = of_platform(spec), "the namespace" if one.kind == "Namespace" else f"the {one.kind}"
    if one.field != "target.namespace":
        return f"with target.namespace {prefix!r} it makes {what} {one.name!r}, {why}; change either"
    if one.name == prefix and one.kind == "Namespace":
        return f"got {prefix!r}, {why}; allowed any other, such as {PLATFORM}"
    return f"got {prefix!r}, which makes {what} {one.name!r}, {why}; allowed any other, such as {PLATFORM}"


def _operators(name: str, spec: EnvironmentSpec) -> str:
    from mlstrata.components.upstream.bill import BILL  # which a plan of this machine never reads

    owner = next((pin.name for pin in spec.upstream if pin.namespace == name), "")
    owner = owner or next((piece.name for piece in BILL if piece.namespace == name != PLATFORM), "")
    return f"which is the namespace of {owner}" if owner else ""


def _twice(one: Made, other: Made, spec: EnvironmentSpec) -> str:
    """Return what has the name of one already, with what to change."""
    values = _values(spec)
    value = values.get(one.field, one.name)
    owner = f"that {other.field} ({values[other.field]!r}) makes" if other.field else "that is the platform's own"
    where = f" of {one.namespace}" if one.namespace else ""
    return f"got {value!r}, which makes the {one.kind} {one.name!r}{where} {owner} too; call one of the two otherwise"


def _values(spec: EnvironmentSpec) -> Mapping[str, str]:
    found = {f"systems[{at}].name": system.name for at, system in enumerate(spec.systems)}
    found |= {"images.pull_secret": spec.images.pull_secret} if spec.images.pull_secret else {}
    found |= {f"gpu_pools[{at}].name": pool.name for at, pool in enumerate(spec.gpu_pools)}
    return found | {f"teams[{at}].name": team.name for at, team in enumerate(spec.teams)}
