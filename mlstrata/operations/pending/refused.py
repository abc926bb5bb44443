"""Pods that are not even made: a quota, Pod Security or an admission policy refuses them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlstrata.operations.pending.seen import Json, Seen, Wait, when

_QUOTA = re.compile(r"exceeded quota: ([^,]+), requested: (.+?), used: (.+?), limited: (.+)$", re.DOTALL)
_FORBIDDEN = re.compile(r'^.*?(?:pods?|Pod) "[^"]*" is forbidden: ', re.DOTALL)
_REVISION = re.compile(r"-[a-z0-9]{6,10}$")
MAKERS = frozenset({"ReplicaSet", "StatefulSet", "DaemonSet", "Job"})
REASON = "FailedCreate"


def of_refused(seen: Seen) -> Iterator[Wait]:
    """Yield each controller whose pods are refused, by the newest refusal."""
    newest: dict[tuple[str, str, str], Json] = {}
    for event in sorted(seen.events, key=when):
        about = event.get("involvedObject", {})
        if event.get("reason") == REASON and about.get("kind") in MAKERS:
            newest[about["kind"], about.get("namespace", ""), about["name"]] = event
    for (kind, namespace, name), event in newest.items():
        if seen.short(event):
            # Each change of a Deployment has another ReplicaSet, named after it.
            told = ("deployment", _REVISION.sub("", name)) if kind == "ReplicaSet" else (kind.lower(), name)
            yield Wait(namespace, *told, *_reason(str(event.get("message", ""))))


def lacks_pods(kind: str, controller: Json) -> bool:
    """Whether a controller still has fewer pods than it wants."""
    spec, status = controller.get("spec", {}), controller.get("status", {})
    if kind == "DaemonSet":
        return int(status.get("currentNumberScheduled", 0)) < int(status.get("desiredNumberScheduled", 1))
    if kind == "Job":
        return not status.get("active") and not status.get("completionTime")
    return int(status.get("replicas", 0)) < int(spec.get("replicas", 1))


def _reason(message: str) -> tuple[str, str]:
    if found := _QUOTA.search(message):
        quota, *told = found.groups()
        asked, used, limited = (dict(_pairs(one)) for one in told)
        amounts = "; ".join(
            f"{name} {amount} asked, {used.get(name, '0')} of {limited.get(name, '?')} used"
            for name, amount in asked.items()
        )
        return f"quota '{quota}': {amounts}", f"quota '{quota}': {', '.join(asked)}"
    return f"its pods are refused: {' '.join(_FORBIDDEN.sub('', message).split())}", ""


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for one in text.strip().split(","):
        name, _, amount = one.partition("=")
        yield name, amount
