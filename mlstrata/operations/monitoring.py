"""What the monitor found last about an environment's systems."""

from __future__ import annotations

import time
from dataclasses import dataclass

from mlstrata.environments import Capability
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError
from mlstrata.services.monitor.settings import EVERY_SECONDS
from mlstrata.services.monitor.verdict import Finding, Verdict

__all__ = ["Finding", "Verdict", "Watched", "watched"]

_STALE_ROUNDS = 60
"""Rounds without a verdict from which on the last one is said to be old: a quiet system has one each six minutes."""


@dataclass(frozen=True)
class Watched:
    """A system and the last verdict about it.

    Attributes:
        system: The system.
        verdict: None: there is none yet.
        age: Seconds since the verdict.
        report: Where the report lies; empty: there is none.
    """

    system: str
    verdict: Verdict | None
    age: float = 0.0
    report: str = ""

    @property
    def stale(self) -> bool:
        """Return whether the verdict is older than it should be."""
        if self.verdict is None:
            return False
        # Where nothing is recorded a verdict stands for as long as one part of its window.
        return self.age > _STALE_ROUNDS * EVERY_SECONDS + self.verdict.window / 100


def watched(deployment: Deployment, system: str | None = None) -> list[Watched]:
    """Return the last verdicts of an environment, or the one of one of its systems.

    Raises:
        UsageError: the environment has no monitor, or declares no such system.
    """
    spec = deployment.spec
    if Capability.MONITORING not in spec.capabilities:
        raise UsageError(
            f"{deployment.file}: capabilities: 'monitoring' is not among them; it comes with stage scale, or switch it "
            "on with what it needs (capabilities: {on: [recording, monitoring]})"
        )
    known = [one.name for one in spec.systems]
    if system is not None and system not in known:
        raise UsageError(
            f"{deployment.file}: systems: got '{system}', which is not declared; "
            f"allowed {', '.join(known) or 'none yet'}; name one of these or declare it"
        )
    return [_of(deployment, name) for name in ([system] if system else known)]


def _of(deployment: Deployment, name: str) -> Watched:
    verdict, report = deployment.target.verdict(name)
    return Watched(name, verdict, max(0.0, time.time() - verdict.at) if verdict else 0.0, report)
