"""What each version did since a step began, and how a row of its records is read."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from mlstrata.environments.spec.monitor import FairnessMetric


class Among(StrEnum):
    """Axis: among whom positive labels are counted, in words."""

    ALL = "all"
    POSITIVE = "the truly positive"
    NEGATIVE = "the others"


LOOKS_AT = {
    FairnessMetric.DEMOGRAPHIC_PARITY: (Among.ALL,),
    FairnessMetric.EQUAL_OPPORTUNITY: (Among.POSITIVE,),
    FairnessMetric.EQUALIZED_ODDS: (Among.POSITIVE, Among.NEGATIVE),
}
"""What each difference between groups is of; where it is of several, the largest counts (`mlstrata_steps.rates`)."""


class Rate(NamedTuple):
    """What fairness compares between the groups of an attribute."""

    attribute: str
    among: Among


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

    def take_back(self, value: float) -> None:
        """Leave out a value that was taken in."""
        self.count -= 1
        self.total -= value
        self.squares -= value * value

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
        groups: What fairness compares, to group, to the share of positive labels.
        scores: Request and row to its score, the first that were recorded.
    """

    requests: int = 0
    errors: int = 0
    slow: int = 0
    implausible: int = 0
    rows: int = 0
    fallbacks: int = 0
    value: Mean = field(default_factory=Mean)
    groups: dict[Rate, dict[str, Mean]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(Mean)))
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


@dataclass(frozen=True)
class Told:
    """What became known of one row, as far as it counts.

    Attributes:
        worth: Of the answer; None: not known.
        label: 1 where the label is positive, else 0.
        groups: What fairness compares, with the row's group.
    """

    worth: float | None
    label: float
    groups: tuple[tuple[Rate, str], ...]


def told_of(
    output: Mapping[str, object],
    truth: str | None,
    reward: float | None,
    *,
    groups: Mapping[str, str],
    reading: Reading,
) -> Told | None:
    """Read what became known of an answer; None: nothing that counts."""
    worth = reward if reward is not None else None if truth is None else _worth(output, truth, reading.positive)
    if worth is not None and not math.isfinite(worth):
        worth = None
    compared: tuple[tuple[Rate, str], ...] = ()
    if groups and "probability" in output:
        among = [one for one in LOOKS_AT.get(reading.fairness, ()) if _is_among(one, truth, reading.positive)]
        compared = tuple((Rate(name, one), group) for name, group in groups.items() for one in among)
    if worth is None and not compared:
        return None
    return Told(worth, float(output.get("label") == 1), compared)


def _is_among(among: Among, truth: str | None, positive: str) -> bool:
    if among is Among.ALL:
        return True
    return truth is not None and is_positive(truth, positive) == (among is Among.POSITIVE)


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
