"""One question after the other about a candidate: is it worse, and is it surely not worse?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mlstrata.services.rollout.evidence import Among, Evidence, Mean, Seen
from mlstrata.services.rollout.plan import Plan
from mlstrata.services.rollout.sequence import (
    ALPHA,
    FEWEST,
    Interval,
    Truth,
    difference,
    share_of,
    share_variance,
)

ERRORS, SLOW, FALLBACKS, VALUE = 0.02, 0.02, 0.05, 0.05
"""How much worse a candidate may be at most for all that the data say: shares; of a value that is no share, standard
deviations. A smaller difference needs a larger sample than a step has."""
_QUESTIONS = 5
_NOTHING = 1e-6
"""What stands for a limit of 0, where something is measured by it."""
_PROMISED = 0.01
"""The share of requests that may be slower than a 99th percentile."""


@dataclass(frozen=True)
class Finding:
    """What was found of one question.

    How much worse the candidate is, and what that may be, is in times of what is acceptable, whatever is asked: at
    most 1 is acceptable, and below 0 it is the better one. Of groups it is their difference.

    Attributes:
        of: What is asked.
        words: What was seen, in figures.
        worse: Whether the candidate is worse, for certain.
        fine: Whether it is, for certain, not worse by more than is acceptable.
        value: How much worse it seems.
        low: How much it is at least, for all that the data say.
        high: How much at most.
    """

    of: str
    words: str
    worse: bool
    fine: bool
    value: float
    low: float
    high: float

    @classmethod
    def judged(cls, of: str, words: str, found: Interval, acceptable: float, *, worse: Truth, fine: Truth) -> Finding:
        """Take it from where the difference lies, and from how much of it is acceptable."""
        unit = max(acceptable, _NOTHING)
        return cls(of, words, bool(worse), bool(fine), *(float(one) / unit for one in found))


def findings(plan: Plan, evidence: Evidence) -> Iterator[Finding]:
    """Yield a finding for each question that the evidence can answer."""
    ours, theirs = evidence.candidate, evidence.champion
    # Each step and each question is one chance more to be wrong.
    alpha = ALPHA / _QUESTIONS / len(plan.shares)
    if ours.requests >= FEWEST:
        yield _errors(plan, ours, theirs, alpha)
        yield _slow(plan, ours, theirs, alpha)
    if min(ours.rows, theirs.rows) >= FEWEST and ours.fallbacks + theirs.fallbacks:
        found = _shares(plan, (ours.fallbacks, ours.rows), (theirs.fallbacks, theirs.rows), alpha)
        words = f"answered by others {_percent(ours.fallbacks, ours.rows)} to {_percent(theirs.fallbacks, theirs.rows)}"
        words = f"{words} ({_points(found)})"
        worse, fine = found.low > FALLBACKS, found.high <= FALLBACKS
        yield Finding.judged("fallbacks", words, found, FALLBACKS, worse=worse, fine=fine)
    if min(ours.value.count, theirs.value.count) >= FEWEST:
        yield _value(plan, ours.value, theirs.value, alpha)
    if plan.gap is not None:
        yield from _gaps(plan.gap, ours, alpha)


def _errors(plan: Plan, ours: Seen, theirs: Seen, alpha: float) -> Finding:
    words = f"errors {_percent(ours.errors, ours.requests)}"
    if theirs.requests < FEWEST:
        own = share_of(ours.errors, ours.requests, alpha=alpha, tightest=plan.min_sample)
        words += f", {100 * plan.errors:.2g} % promised"
        worse, fine = own.low > plan.errors, own.estimate <= plan.errors
        return Finding.judged("errors", words, own, plan.errors, worse=worse, fine=fine)
    found = _shares(plan, (ours.errors, ours.requests), (theirs.errors, theirs.requests), alpha)
    words += f" to {_percent(theirs.errors, theirs.requests)} ({_points(found)})"
    return Finding.judged("errors", words, found, ERRORS, worse=found.low > 0, fine=found.high <= ERRORS)


def _slow(plan: Plan, ours: Seen, theirs: Seen, alpha: float) -> Finding:
    """Compare with what was promised and with the champion: a machine that is busy makes both slow."""
    own = share_of(ours.slow, ours.requests, alpha=alpha, tightest=plan.min_sample)
    words = f"over {plan.slowest:g} ms {_percent(ours.slow, ours.requests)}"
    late, in_time = bool(own.low > _PROMISED), bool(own.estimate <= _PROMISED)
    if theirs.requests < FEWEST:
        return Finding.judged("slow", f"{words}, 1 % promised", own, _PROMISED, worse=late, fine=in_time)
    found = _shares(plan, (ours.slow, ours.requests), (theirs.slow, theirs.requests), alpha)
    words += f" to {_percent(theirs.slow, theirs.requests)} ({_points(found)}; 1 % promised)"
    worse, fine = late and found.low > 0, in_time or found.high <= SLOW
    return Finding.judged("slow", words, found, SLOW, worse=worse, fine=fine)


def _value(plan: Plan, ours: Mean, theirs: Mean, alpha: float) -> Finding:
    floor = 1 / (min(ours.count, theirs.count) + 2) ** 2
    found = difference(
        (ours.count, ours.mean, max(ours.variance, floor)),
        (theirs.count, theirs.mean, max(theirs.variance, floor)),
        alpha=alpha,
        tightest=_together(plan),
    )
    # Of shares of right answers as it is; of rewards and errors in a unit of their own by how far they vary.
    spread = max(theirs.variance**0.5, floor)
    margin = VALUE if 0 <= ours.mean <= 1 and 0 <= theirs.mean <= 1 else VALUE * spread
    words = f"worth {ours.mean:.4g} of {ours.count} to {theirs.mean:.4g} of {theirs.count}"
    words += f" (difference {found.low:+.3g} to {found.high:+.3g})"
    worse, fine = found.high < 0, found.low >= -margin
    return Finding.judged("worth", words, found.negative, margin, worse=worse, fine=fine)


def _gaps(most: float, ours: Seen, alpha: float) -> Iterator[Finding]:
    """Hold each difference between groups against what is declared; of equalized odds both rates must hold."""
    enough = {
        rate: found
        for rate, groups in sorted(ours.groups.items())
        if len(found := sorted((one.mean, name, one) for name, one in groups.items() if one.count >= FEWEST)) > 1
    }
    pairs = sum(len(found) * (len(found) - 1) // 2 for found in enough.values())
    for rate, found in enough.items():
        (low, lowest, least), (high, highest, largest) = found[0], found[-1]
        sizes = [
            (one.count, mean, share_variance(one.total, one.count)) for mean, one in ((high, largest), (low, least))
        ]
        apart = difference(sizes[0], sizes[1], alpha=alpha / pairs)
        of = rate.attribute + ("" if rate.among is Among.ALL else f", of {rate.among}")
        words = f"{of}: {highest} {100 * high:.1f} %, {lowest} {100 * low:.1f} % (at most {100 * most:g} points)"
        yield Finding.judged(of, words, apart, most, worse=apart.low > most, fine=high - low <= most)


def _shares(plan: Plan, ours: tuple[int, int], theirs: tuple[int, int], alpha: float) -> Interval:
    first, second = ((n, hits / n, share_variance(hits, n)) for hits, n in (ours, theirs))
    return difference(first, second, alpha=alpha, tightest=_together(plan))


def _together(plan: Plan) -> float:
    """Return how many requests both versions have had when the candidate has its sample."""
    return plan.min_sample * 100 / (plan.share or 50)


def _percent(hits: int, count: int) -> str:
    return f"{100 * hits / count:.2g} %"


def _points(found: Interval) -> str:
    return f"{100 * found.low:+.2g} to {100 * found.high:+.2g} points"
