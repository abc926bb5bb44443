"""Why no node has room for a pod: what it asks of what is there, in the amounts that people write."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from mlstrata.operations.pending.seen import Json, Seen

_SUFFIXES: Mapping[str, Decimal] = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", 1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", 1)},
}
_QUANTITY = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([a-zA-Z]*)")
_INSUFFICIENT = re.compile(r"Insufficient ([\w./-]*\w)")
_BINARY = frozenset({"memory", "ephemeral-storage"})
# The scheduler goes on about what it tried to make room; that no other pod can be moved helps nobody.
_TAIL = re.compile(r",? (?:preemption:|no new claims to deallocate).*", re.DOTALL)
_CLOSED = frozenset({"NoSchedule", "NoExecute"})


def no_room(pod: Json, said: str, seen: Seen) -> tuple[str, str]:
    """Return why a pod is on no node, and the same without amounts.

    Args:
        pod: It.
        said: What the scheduler says.
        seen: What else is there.
    """
    short = _TAIL.sub("", said).rstrip(". ") or "the scheduler gives no reason"
    wanted = sorted(set(_INSUFFICIENT.findall(said)))
    asked = requests(pod)
    nodes = [node for node in seen.nodes() if _lets_in(node, pod)] if wanted else []
    if not nodes or not (known := [one for one in wanted if one in asked]):
        return f"no node fits: {short}", ""
    free = [_free(node, seen.placed()) for node in nodes]
    amounts = [
        f"{name} {shown(name, asked[name])} asked, {shown(name, max(one.get(name, Decimal(0)) for one in free))} free"
        for name in known
    ]
    where = "on the one node" if len(nodes) == 1 else f"on the freest of {len(nodes)} nodes"
    return f"no node fits: {'; '.join(amounts)} {where}", f"no node fits: {', '.join(known)}"


def quantity(text: object) -> Decimal:
    """Return an amount as Kubernetes writes it, such as 500m, 2Gi or 64, in its plain unit.

    Raises:
        ValueError: it is none.
    """
    found = _QUANTITY.fullmatch(str(text))
    if found is None or found[2] not in _SUFFIXES:
        raise ValueError(f"not a quantity: {text}")
    return Decimal(found[1]) * _SUFFIXES[found[2]]


def shown(resource: str, amount: Decimal) -> str:
    """Return an amount for people: memory in GiB, everything else as a number."""
    if resource in _BINARY:
        return f"{float(amount / 1024**3):.3g} GiB"
    return f"{float(amount):.6g}"


def requests(pod: Mapping[str, Any]) -> dict[str, Decimal]:
    """Return what a pod asks of its node: the sum of its containers, or its largest first step if that is more."""
    spec = pod["spec"]
    first = spec.get("initContainers") or ()
    asked = _sum([*spec.get("containers", ()), *(one for one in first if one.get("restartPolicy") == "Always")])
    for one in first:
        for name, amount in _sum([one]).items():
            asked[name] = max(asked.get(name, Decimal(0)), amount)
    for name, amount in (spec.get("overhead") or {}).items():
        asked[name] = asked.get(name, Decimal(0)) + quantity(amount)
    return asked


def _sum(containers: Iterable[Mapping[str, Any]]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for one in containers:
        told = one.get("resources") or {}
        # What has a limit alone asks for as much.
        for name, amount in {**(told.get("limits") or {}), **(told.get("requests") or {})}.items():
            found[name] = found.get(name, Decimal(0)) + quantity(amount)
    return found


def _free(node: Json, placed: Iterable[Json]) -> dict[str, Decimal]:
    left = {name: quantity(amount) for name, amount in node.get("status", {}).get("allocatable", {}).items()}
    name = node["metadata"]["name"]
    for pod in placed:
        if pod["spec"].get("nodeName") == name and pod.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
            for resource, amount in requests(pod).items():
                left[resource] = left.get(resource, Decimal(0)) - amount
    return left


def _lets_in(node: Json, pod: Json) -> bool:
    """Whether a pod may be on a node at all, as far as taints and labels say."""
    spec = node.get("spec", {})
    labels = node["metadata"].get("labels") or {}
    selected = all(labels.get(name) == value for name, value in (pod["spec"].get("nodeSelector") or {}).items())
    closed = [taint for taint in spec.get("taints") or () if taint.get("effect") in _CLOSED]
    return not spec.get("unschedulable") and selected and all(_tolerates(pod, taint) for taint in closed)


def _tolerates(pod: Json, taint: Json) -> bool:
    return any(
        one.get("effect") in (None, "", taint["effect"])
        and (
            (one.get("operator") == "Exists" and one.get("key") in (None, "", taint["key"]))
            or (one.get("key") == taint["key"] and one.get("value", "") == taint.get("value", ""))
        )
        for one in pod["spec"].get("tolerations") or ()
    )
