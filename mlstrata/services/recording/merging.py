"""What holds when feedback on one row comes twice, late or in parts: the same, in whatever order it came."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from mlstrata.services.recording.store import Feedback


class Judged(NamedTuple):
    """What somebody said the truth is. The largest holds: the newest, and of two at one time one for certain."""

    at: float
    truth: str
    reviewer: str
    sampled: float


class Rewarded(NamedTuple):
    """What an answer was worth. The largest holds."""

    at: float
    reward: float


class Grouped(NamedTuple):
    """Protected attributes, as JSON with sorted keys. The largest holds."""

    at: float
    groups: str


@dataclass(frozen=True)
class Told:
    """What is known of one row, the protected attributes aside."""

    judged: Judged | None = None
    rewarded: Rewarded | None = None

    @classmethod
    def of(cls, feedback: Feedback) -> Told:
        """Take from feedback what it says."""
        judged = rewarded = None
        if feedback.truth is not None:
            judged = Judged(feedback.at, feedback.truth, feedback.reviewer, feedback.sampled)
        if feedback.reward is not None:
            rewarded = Rewarded(feedback.at, feedback.reward)
        return cls(judged, rewarded)

    def merged(self, other: Told) -> Told:
        """Return what holds of both."""
        judged = max(filter(None, (self.judged, other.judged)), default=None)
        rewarded = max(filter(None, (self.rewarded, other.rewarded)), default=None)
        return Told(judged, rewarded)

    def feedback(self, request: str, instance: int, groups: Grouped | None = None) -> Feedback | None:
        """Return it as feedback; None where nothing is known."""
        times = [one.at for one in (self.judged, self.rewarded, groups) if one is not None]
        if not times:
            return None
        judged, known = self.judged, dict(json.loads(groups.groups)) if groups else {}
        return Feedback(
            id=request,
            at=max(times),
            instance=instance,
            truth=judged.truth if judged else None,
            reward=self.rewarded.reward if self.rewarded else None,
            groups=known,
            reviewer=judged.reviewer if judged else "",
            sampled=judged.sampled if judged else 1.0,
        )


def grouped(feedback: Feedback) -> Grouped | None:
    """Take from feedback what it says of protected attributes; None: nothing."""
    if not feedback.groups:
        return None
    plain: Mapping[str, str] = feedback.groups
    return Grouped(feedback.at, json.dumps(dict(plain), sort_keys=True, separators=(",", ":")))
