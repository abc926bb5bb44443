"""Troubles that objects of a cluster tell by their own conditions: nodes, certificates, quotas, refused pods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from mlstrata.operations.pending.room import quantity
from mlstrata.operations.troubles.told import Trouble

Json = Mapping[str, Any]
_SHOWN = 240


def of_nodes(nodes: Iterable[Json]) -> Iterator[Trouble]:
    """Yield each node that does not answer or says itself that it is not ready."""
    for one in nodes:
        ready = condition(one, "Ready")
        if ready is None or ready.get("status") == "True":
            continue
        name, since = one["metadata"]["name"], str(ready.get("lastTransitionTime", ""))
        lost = ready.get("status") == "Unknown"
        what = "does not answer" if lost else f"is not ready ({_short(ready.get('message') or ready.get('reason'))})"
        yield Trouble(
            "",
            "node",
            name,
            f"{what} since {since or 'an unknown time'}",
            "its pods start elsewhere after five minutes where there is room; a volume on it stays with it. Start it "
            f"again, or, once it is gone for good, `kubectl delete node {name}` frees what waits for it",
        )


def of_certificates(certificates: Iterable[Json], now: datetime) -> Iterator[Trouble]:
    """Yield each certificate that ended, that should have been renewed, or that was never issued."""
    for one in certificates:
        metadata, status = one["metadata"], one.get("status") or {}
        space, name = metadata["namespace"], metadata["name"]
        ready = condition(one, "Ready") or {}
        ends, renewal = (_time(status.get(field)) for field in ("notAfter", "renewalTime"))
        said = f": {_short(ready.get('message'))}" if ready.get("status") == "False" and ready.get("message") else ""
        if ends and ends <= now:
            what = f"expired on {ends:%Y-%m-%d %H:%M} UTC{said}"
        elif renewal and renewal <= now and ends:
            what = f"was to be renewed on {renewal:%Y-%m-%d}, and expires on {ends:%Y-%m-%d}{said}"
        elif ready.get("status") == "False":
            what = f"is not issued{said}"
        else:
            continue
        secret = one["spec"]["secretName"]
        yield Trouble(
            space,
            "certificate",
            name,
            what,
            f"see that cert-manager runs, and what it says: `kubectl describe certificate {name} -n {space}`; `kubectl "
            f"delete secret {secret} -n {space}` has it issued anew",
        )


def of_quotas(quotas: Iterable[Json]) -> Iterator[Trouble]:
    """Yield each quota of which nothing is left; what it allows none of is no trouble."""
    for one in quotas:
        metadata, status = one["metadata"], one.get("status") or {}
        hard, used = status.get("hard") or {}, status.get("used") or {}
        full = [
            f"{name} {used[name]} of {most}"
            for name, most in sorted(hard.items())
            if name in used and quantity(most) > 0 and quantity(used[name]) >= quantity(most)
        ]
        if full:
            space = metadata["namespace"]
            yield Trouble(
                space,
                "quota",
                metadata["name"],
                f"is full: {', '.join(full)}",
                f"end what is no longer needed (`kubectl get jobs,pods,pvc -n {space}`), or raise it (for GPUs "
                "teams[].gpu_quota)",
            )


def of_controllers(controllers: Iterable[Json]) -> Iterator[Trouble]:
    """Yield each Deployment whose pods the API server refuses."""
    for one in controllers:
        failing = condition(one, "ReplicaFailure")
        if failing is not None and failing.get("status") == "True":
            metadata = one["metadata"]
            yield Trouble(
                metadata["namespace"],
                "deployment",
                metadata["name"],
                f"its pods are refused: {_short(failing.get('message'))}",
                "change what the message names: a quota, a policy, a Pod Security standard",
            )


def condition(one: Json, kind: str) -> Json | None:
    """Return an object's condition of a type; None: it has none."""
    conditions = (one.get("status") or {}).get("conditions") or ()
    return next((found for found in conditions if found.get("type") == kind), None)


def _time(text: object) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if isinstance(text, str) else None


def _short(text: object) -> str:
    words = " ".join(str(text or "it does not say why").split())
    return words if len(words) <= _SHOWN else f"{words[:_SHOWN]}…"
