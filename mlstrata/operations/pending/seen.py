"""What is known of a cluster at one moment, and what a wait is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Wait:
    """Something that an update may be waiting for.

    Attributes:
        namespace: Where it is.
        kind: pod, claim, or the kind that cannot make its pods.
        name: Its name; of a pod that a controller made, the controller's: each try has another pod.
        reason: What it waits for, in words that name the amount, the class or the image.
        topic: The same without amounts that change while others come and go; empty: the reason.
        passing: It mostly passes by itself within seconds, as a volume that is being made; told a little later.
    """

    namespace: str
    kind: str
    name: str
    reason: str
    topic: str = ""
    passing: bool = False

    @property
    def key(self) -> tuple[str, str, str]:
        """Return what waits, whatever for."""
        return self.namespace, self.kind, self.name

    def __str__(self) -> str:
        return f"waits: {self.kind} {self.name} in {self.namespace}: {self.reason}"


def _nothing() -> Sequence[Json]:
    return ()


@dataclass(frozen=True)
class Seen:
    """A cluster as it was seen.

    Attributes:
        pods: Of the environment's namespaces.
        claims: Likewise.
        events: Warnings about these, and what provisioners say about claims.
        classes: The storage classes; None: they may not be listed.
        nodes: Asked only where a pod fits on none; empty where they may not be listed.
        placed: The pods on the nodes, of every namespace; asked likewise.
        short: Whether the controller that an event is about still lacks pods.
    """

    pods: Sequence[Json] = ()
    claims: Sequence[Json] = ()
    events: Sequence[Json] = ()
    classes: Sequence[Json] | None = ()
    nodes: Callable[[], Sequence[Json]] = _nothing
    placed: Callable[[], Sequence[Json]] = _nothing
    short: Callable[[Json], bool] = field(default=lambda _event: True)

    def said(self, kind: str, one: Mapping[str, Any], *reasons: str) -> str:
        """Return the newest message about an object, of some reasons; empty where there is none."""
        wanted = one["metadata"]
        about = [
            event
            for event in self.events
            if event.get("reason") in reasons
            and (involved := event.get("involvedObject", {})).get("kind") == kind
            and involved.get("name") == wanted["name"]
            and involved.get("namespace") == wanted.get("namespace")
            # Another one of the same name that is gone.
            and involved.get("uid", wanted.get("uid")) == wanted.get("uid")
        ]
        return str(max(about, key=when)["message"]).strip() if about else ""


def when(event: Mapping[str, Any]) -> str:
    """Return the time of an event, which sorts as text."""
    series = event.get("series") or {}
    found = series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    return str(found or event["metadata"].get("creationTimestamp", ""))


def maker(one: Mapping[str, Any]) -> str:
    """Return the name of what made an object, without what each of its revisions adds; else its own name."""
    metadata = one["metadata"]
    owner = next((owner for owner in metadata.get("ownerReferences") or () if owner.get("controller")), None)
    if owner is None:
        return str(metadata["name"])
    revision = (metadata.get("labels") or {}).get("pod-template-hash")
    return str(owner["name"]).removesuffix(f"-{revision}") if revision else str(owner["name"])
