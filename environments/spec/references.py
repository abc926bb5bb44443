"""What must fit together across an environment: names that are used exist, names are used once, switches make sense.

The check reads the plain form (dicts, lists, texts) and passes over whatever is not of the form it expects, so the
loader can run it on a file that has other errors, and show everything that is wrong at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mlstrata.environments.redaction import is_public, shown
from mlstrata.environments.spec.base import Problem, suggestion
from mlstrata.environments.stages import ENTRIES, Capability, Stage, capabilities_of, missing_needs

At = tuple[str | int, ...]
OF_ONE_ANSWER = (
    Capability.ROLLOUT,
    Capability.RECORDING,
    Capability.MONITORING,
    Capability.FAIRNESS,
    Capability.EXPLANATION,
    Capability.FALLBACK,
    Capability.RETRAINING,
    Capability.BANDIT,
    Capability.ONLINE_LEARNING,
)
"""What reads the one answer of a system, and would take several for none."""
_MOST_NAMES = 50
"""Names that a message lists."""
_PROPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}")


def check_references(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield every broken reference and contradiction between parts of the environment `data`."""
    for key in ("systems", "teams", "gpu_pools", "upstream"):
        yield from _duplicates(data, key)
    for check in (_storage, _pools, _systems, _switches, _several):
        yield from check(data)


def _mappings(data: object, key: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    items = data.get(key) if isinstance(data, Mapping) else None
    for index, item in enumerate(items if isinstance(items, list | tuple) else ()):
        if isinstance(item, Mapping):
            yield index, item


def _names(data: object, key: str) -> list[str]:
    return [item["name"] for _, item in _mappings(data, key) if isinstance(item.get("name"), str)]


def _part(data: object, *keys: str) -> object:
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def _duplicates(data: object, key: str, at: At = ()) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, item in _mappings(data, key):
        name = item.get("name")
        if not isinstance(name, str):
            continue
        if name in seen:
            yield Problem(
                (*at, key, index, "name"), f"got {shown(name)}, which another one has already", "give it another name"
            )
        seen.add(name)


def _reference(value: object, known: list[str], at: At, what: str, how: str) -> Iterator[Problem]:
    if isinstance(value, str) and value not in known:
        # The names in a file that is not judged valid yet may be anything; only proper ones are repeated.
        proper = [name for name in known[:_MOST_NAMES] if _PROPER.fullmatch(name) and is_public(name)]
        allowed = f"; allowed {', '.join(proper)}" if proper else ""
        fix = suggestion(value, proper) or how
        yield Problem(at, f"got {shown(value)}, but there is no such {what}{allowed}", fix)


def _storage(data: Mapping[str, Any]) -> Iterator[Problem]:
    target, kind = _part(data, "target", "kind"), _part(data, "storage", "kind")
    if kind == "folder" and target in ("kubernetes", "aws"):
        what = f"got 'folder', but target {target} runs on several machines"
        yield Problem(("storage", "kind"), what, "set storage.kind: s3, or leave storage out")


def _pools(data: Mapping[str, Any]) -> Iterator[Problem]:
    teams = _names(data, "teams")
    for index, pool in _mappings(data, "gpu_pools"):
        users = pool.get("teams")
        for position, team in enumerate(users if isinstance(users, list | tuple) else ()):
            yield from _reference(team, teams, ("gpu_pools", index, "teams", position), "team", "declare it in teams")


def _systems(data: Mapping[str, Any]) -> Iterator[Problem]:
    teams, pools, systems = _names(data, "teams"), _names(data, "gpu_pools"), _names(data, "systems")
    for index, system in _mappings(data, "systems"):
        at: At = ("systems", index)
        datasets = _names(system, "data")
        yield from _duplicates(system, "data", at)
        yield from _reference(system.get("team"), teams, (*at, "team"), "team", "declare it in teams")
        for keys in (("model", "data"), ("serving", "input")):
            how = "declare it in the system's data"
            yield from _reference(_part(system, *keys), datasets, (*at, *keys), "dataset", how)
        pool = ("serving", "resources", "pool")
        yield from _reference(_part(system, *pool), pools, (*at, *pool), "GPU pool", "declare it in gpu_pools")
        yield from _not_theirs(data, system, (*at, *pool))
        successor = _part(system, "retire", "successor")
        others = [name for name in systems if name != system.get("name")]
        yield from _reference(successor, others, (*at, "retire", "successor"), "other system", "declare it in systems")


def _not_theirs(data: Mapping[str, Any], system: Mapping[str, Any], at: At) -> Iterator[Problem]:
    """Yield that a system is to run in a pool which is for other teams: its pods would wait for ever."""
    named = _part(system, "serving", "resources", "pool")
    for _, pool in _mappings(data, "gpu_pools"):
        users = pool.get("teams")
        theirs = isinstance(users, list | tuple) and users and system.get("team") not in users
        if theirs and isinstance(named, str) and pool.get("name") == named:
            what = f"got {shown(named)}, which is not for the system's team"
            yield Problem(at, what, "add the team to the pool's teams, or name another pool")


def _switches(data: Mapping[str, Any]) -> Iterator[Problem]:
    on, off = (_capabilities(_part(data, "capabilities", key)) for key in ("on", "off"))
    for capability, index in off.items():
        if capability in on:
            what = f"got '{capability}', which is switched on too"
            yield Problem(("capabilities", "off", index), what, "remove it from one of the two")
    for capability, key in ((Capability.TEAMS, "teams"), (Capability.GPU_POOLS, "gpu_pools")):
        if capability in off and data.get(key):
            what = f"got '{capability}', but {key} are declared"
            yield Problem(("capabilities", "off", off[capability]), what, f"remove it, or remove {key}")
    present = _present(data)
    for capability, needed in missing_needs(present):
        if needed in off:
            what = f"got '{needed}', which '{capability}' cannot do without"
            yield Problem(("capabilities", "off", off[needed]), what, f"leave it on, or switch '{capability}' off too")
        else:
            what = f"got '{capability}', which cannot do without '{needed}'"
            yield Problem(("capabilities", "on", on[capability]), what, f"add {needed} to capabilities.on")


def _present(data: Mapping[str, Any]) -> frozenset[str]:
    """Return what the environment can do; nothing where its stage is none."""
    stage = data.get("stage")
    if not isinstance(stage, str) or stage not in set(Stage):
        return frozenset()
    on, off = (_capabilities(_part(data, "capabilities", key)) for key in ("on", "off"))
    return (capabilities_of(Stage(stage)) | set(on)) - set(off)


def _several(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the systems of several answers where something would take them for one."""
    present = _present(data)
    if not (one := [capability.value for capability in OF_ONE_ANSWER if capability in present]):
        return
    for index, system in _mappings(data, "systems"):
        if _part(system, "model", "outputs"):
            what = f"is given, but {', '.join(one)} {'knows' if len(one) == 1 else 'know'} one answer of a system alone"
            fix = "set stage: foundation without them in capabilities.on, or name them in capabilities.off"
            yield Problem(("systems", index, "model", "outputs"), what, fix)


def _capabilities(names: object) -> dict[str, int]:
    found: dict[str, int] = {}
    for index, name in enumerate(names if isinstance(names, list | tuple) else ()):
        if isinstance(name, str) and name in ENTRIES:
            found.setdefault(str(name), index)
    return found
