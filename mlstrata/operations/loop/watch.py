"""What happens to a system while the loop runs: alerts, decisions and weights, each told once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlstrata.operations.errors import Failed
from mlstrata.operations.learning.client import Learning

if TYPE_CHECKING:
    from mlstrata.operations.deployment import Deployment
    from mlstrata.services.serving.releases import Releases

POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Event:
    """Something that happened.

    Attributes:
        at: When, in seconds since 1970.
        seconds: Since the loop began.
        kind: `traffic`, `alert`, `traffic_split`, `champion`, or a decision of the learning process.
        text: What, in words and figures.
        figures: The figures by name.
    """

    at: float
    seconds: float
    kind: str
    text: str
    figures: dict[str, Any] = field(default_factory=dict)


class Watch:
    """Looks at the environment's own parts; what it tells, they said."""

    def __init__(self, deployment: Deployment, system: str, on_event: Callable[[Event], None]) -> None:
        self._deployment, self._system, self._on_event = deployment, system, on_event
        self._here = deployment.target.here("loop")
        self._learning = Learning(deployment)
        self._begun = time.time()
        self._seen = max((one["number"] for one in self._learning.state(system)["decisions"]), default=0)
        self._alerts: set[str] = set(self._firing())
        self._released = self.releases()
        self.events: list[Event] = []

    def tell(self, kind: str, text: str, at: float | None = None, **figures: Any) -> None:
        """Tell an event."""
        now = time.time() if at is None else at
        event = Event(now, round(now - self._begun, 1), kind, text, figures)
        self.events.append(event)
        self._on_event(event)

    def releases(self) -> Releases:
        """Return what is released of the system now."""
        return self._here.released(self._system)

    def until(self, what: str, holds: Callable[[], bool], seconds: float, problem: Callable[[], str]) -> None:
        """Tell what happens until something holds.

        Args:
            what: What is waited for, in words.
            holds: Whether it does.
            seconds: The longest that it may take.
            problem: Says what keeps it from ever coming; empty: nothing.

        Raises:
            Failed: It did not come in time, or cannot come; the message names the phase and what was seen last.
        """
        limit = time.monotonic() + seconds
        while True:
            self.look()
            if holds():
                return
            if why := problem():
                raise Failed(f"{what}: it does not come: {why}")
            if time.monotonic() > limit:
                last = self.events[-1].text if self.events else "nothing happened"
                raise Failed(f"{what}: it did not come within {seconds:g} s; the last that happened: {last}")
            time.sleep(POLL_SECONDS)

    def look(self) -> None:
        """Tell what is new."""
        for identity, alert in self._firing().items():
            if identity not in self._alerts:
                self._alerts.add(identity)
                since = datetime.fromisoformat(alert["startsAt"]).timestamp()
                text = f"{alert['labels']['alertname']}: {alert['annotations'].get('summary', '')}"
                self.tell("alert", text, since, **{name: alert["labels"].get(name, "") for name in ("cause", "column")})
        for one in self._learning.decisions(self._system, self._seen):
            self._seen = one["number"]
            self.tell(one["kind"], one["reason"], one["at"], version=one["version"], training=one["training"])
        self._weights()

    def trainings(self) -> list[dict[str, Any]]:
        """Return the trainings of the system, newest first."""
        found: list[dict[str, Any]] = self._learning.state(self._system)["trainings"]
        return found

    def _weights(self) -> None:
        before, now = self._released, self.releases()
        self._released = now
        share = now.rollout.share if now.rollout else None
        if now.rollout and (before.rollout is None or before.rollout.share != share):
            text = f"version {now.rollout.candidate} gets {share} % of the traffic, version {now.champion} the rest"
            self.tell("traffic_split", text, candidate=now.rollout.candidate, share=share)
        if before.champion != now.champion:
            self.tell("champion", f"version {now.champion} answers everyone", version=now.champion)
        elif before.rollout and not now.rollout:
            why = f": {now.moved.why}" if now.moved else ""
            text = f"version {before.rollout.candidate} is taken back{why}"
            self.tell("taken_back", text, version=before.rollout.candidate)

    def _firing(self) -> dict[str, dict[str, Any]]:
        return {f"{one['fingerprint']}|{one['startsAt']}": one for one in self._asked()}

    def _asked(self) -> Iterator[dict[str, Any]]:
        import httpx

        url = f"{self._here.address('alertmanager')}/api/v2/alerts"
        query = {"filter": [f'system="{self._system}"', 'cause!=""'], "active": "true"}
        try:
            answer = httpx.get(url, params=query, timeout=30, trust_env=False)
            yield from answer.raise_for_status().json()
        except httpx.HTTPError as error:
            raise Failed(f"{url} does not answer ({error}); `mlstrata status {self._deployment.name}`") from None
