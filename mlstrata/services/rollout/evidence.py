"""What each version did since a step began, counted from the records of it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from mlstrata.environments.spec.monitor import FairnessMetric
from mlstrata.services.recording.record import MODEL
from mlstrata.services.recording.store import Known

_FAILED = 500
_MOST_SCORES = 20_000
"""Scores that are kept of each version, to compare what a shadow would have said."""


@dataclass
class Mean:
    """A mean as it is made, with its variance."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> None:
        """Take in a value."""
        self.count += 1
        self.total += value
        self.squares += value * value

    @property
    def mean(self) -> float:
        """Return the mean; 0 of none."""
        return self.total / self.count if self.count else 0.0

    @property
    def variance(self) -> float:
        """Return the variance; 0 of fewer than two."""
        return max(0.0, self.squares / self.count - self.mean**2) if self.count > 1 else 0.0


@dataclass
class Seen:
    """What one version did.

    Attributes:
        requests: Requests that it answered or failed at.
        errors: Those with a status of 500 or more.
        slow: Those that took longer than the promised 99th percentile.
        implausible: Those whose prediction was withheld.
        rows: Rows of all of them.
        fallbacks: Rows that something else answered in the model's place.
        value: Worth of the answers: the reward where one was told, else by the truth 1 where it was right; of a
            regression less the error.
        groups: Attribute to group to the mean of what fairness looks at.
        scores: Request and row to its score, the newest.
    """

    requests: int = 0
    errors: int = 0
    slow: int = 0
    implausible: int = 0
    rows: int = 0
    fallbacks: int = 0
    value: Mean = field(default_factory=Mean)
    groups: dict[str, dict[str, Mean]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(Mean)))
    scores: dict[tuple[str, int], float] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """How a system's answers and truths are read.

    Attributes:
        positive: The target's value that counts as 1, as text; empty: it holds 0 and 1, classes or a number.
        slowest: Milliseconds within which 99 of 100 requests must be answered.
        fairness: Which difference between groups counts.
    """

    positive: str = ""
    slowest: float = math.inf
    fairness: FairnessMetric = FairnessMetric.DEMOGRAPHIC_PARITY


@dataclass(frozen=True)
class Evidence:
    """What the champion and the candidate did over the same time."""

    champion: Seen
    candidate: Seen


def gather(rows: Iterable[Known], champion: str, candidate: str, reading: Reading) -> Evidence:
    """Count the rows of a window, those of other versions left out."""
    by = {champion: Seen(), candidate: Seen()}
    for one in rows:
        if (seen := by.get(one.record.version)) is not None:
            _count(seen, one, reading)
    return Evidence(by[champion], by[candidate])


def _count(seen: Seen, one: Known, reading: Reading) -> None:
    record = one.record
    if one.instance == 0:
        seen.requests += 1
        seen.errors += record.status >= _FAILED
        seen.slow += record.status < _FAILED and record.ms > reading.slowest
        seen.implausible += record.problem == "implausible"
    seen.rows += 1
    seen.fallbacks += record.instances[one.instance].source != MODEL
    if (output := one.output) is None:
        return
    score = next((output[name] for name in ("probability", "value") if name in output), None)
    if isinstance(score, int | float) and len(seen.scores) < _MOST_SCORES:
        seen.scores[record.id, one.instance] = float(score)
    truth = one.feedback.truth if one.feedback else None
    right = None if truth is None else _worth(output, truth, reading.positive)
    worth = one.feedback.reward if one.feedback and one.feedback.reward is not None else right
    if worth is not None and math.isfinite(worth):
        seen.value.add(worth)
    if one.feedback and "probability" in output and _counts(reading, truth):
        for attribute, group in one.feedback.groups.items():
            seen.groups[attribute][group].add(float(output.get("label") == 1))


def _worth(output: object, truth: str, positive: str) -> float | None:
    """Return 1 for a right label and 0 for a wrong one; of a regression less the absolute error."""
    if not isinstance(output, dict):
        return None
    if "label" in output:
        label = output["label"]
        if isinstance(label, int):
            return float(label == is_positive(truth, positive))
        return float(str(label) == truth)
    try:
        return -abs(float(output["value"]) - float(truth))
    except (KeyError, TypeError, ValueError):
        return None


def is_positive(truth: str, positive: str) -> bool:
    """Return whether a truth counts as 1; numbers are the same however they are written."""
    if positive and truth == positive:
        return True
    try:
        return float(truth) == float(positive or "1")
    except ValueError:
        return False


def _counts(reading: Reading, truth: str | None) -> bool:
    """Whether a row says something of the declared difference: opportunity is that of whoever is truly positive."""
    if reading.fairness is FairnessMetric.DEMOGRAPHIC_PARITY:
        return True
    return truth is not None and is_positive(truth, reading.positive)
