"""One question after the other about a candidate: is it worse, and is it surely not worse?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from mlstrata.services.rollout.evidence import Evidence, Mean, Seen
from mlstrata.services.rollout.plan import Plan
from mlstrata.services.rollout.sequence import ALPHA, FEWEST, Interval, difference, share_of, share_variance

ERRORS, SLOW, FALLBACKS, VALUE = 0.02, 0.02, 0.05, 0.05
"""How much worse a candidate may be at most for all that the data say: shares; of a value that is no share, standard
deviations. A smaller difference needs a larger sample than a step has."""
_QUESTIONS = 5
_PROMISED = 0.01
"""The share of requests that may be slower than a 99th percentile."""


@dataclass(frozen=True)
class Finding:
    """What was found of one question.

    Attributes:
        words: What was seen, in figures.
        worse: Whether the candidate is worse, for certain.
        fine: Whether it is, for certain, not worse by more than is acceptable.
    """

    words: str
    worse: bool
    fine: bool


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
        yield Finding(f"{words} ({_points(found)})", bool(found.low > FALLBACKS), bool(found.high <= FALLBACKS))
    if min(ours.value.count, theirs.value.count) >= FEWEST:
        yield _value(plan, ours.value, theirs.value, alpha)
    if plan.gap is not None:
        yield from _gaps(plan.gap, ours, alpha)


def _errors(plan: Plan, ours: Seen, theirs: Seen, alpha: float) -> Finding:
    words = f"errors {_percent(ours.errors, ours.requests)}"
    if theirs.requests < FEWEST:
        own = share_of(ours.errors, ours.requests, alpha=alpha, tightest=plan.min_sample)
        words += f", {100 * plan.errors:.2g} % promised"
        return Finding(words, bool(own.low > plan.errors), bool(own.estimate <= plan.errors))
    found = _shares(plan, (ours.errors, ours.requests), (theirs.errors, theirs.requests), alpha)
    words += f" to {_percent(theirs.errors, theirs.requests)} ({_points(found)})"
    return Finding(words, bool(found.low > 0), bool(found.high <= ERRORS))


def _slow(plan: Plan, ours: Seen, theirs: Seen, alpha: float) -> Finding:
    """Compare with what was promised and with the champion: a machine that is busy makes both slow."""
    own = share_of(ours.slow, ours.requests, alpha=alpha, tightest=plan.min_sample)
    words = f"over {plan.slowest:g} ms {_percent(ours.slow, ours.requests)}"
    late, in_time = bool(own.low > _PROMISED), bool(own.estimate <= _PROMISED)
    if theirs.requests < FEWEST:
        return Finding(f"{words}, 1 % promised", late, in_time)
    found = _shares(plan, (ours.slow, ours.requests), (theirs.slow, theirs.requests), alpha)
    words += f" to {_percent(theirs.slow, theirs.requests)} ({_points(found)}; 1 % promised)"
    return Finding(words, late and bool(found.low > 0), in_time or bool(found.high <= SLOW))


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
    return Finding(words, bool(found.high < 0), bool(found.low >= -margin))


def _gaps(most: float, ours: Seen, alpha: float) -> Iterator[Finding]:
    for attribute, groups in ours.groups.items():
        enough = sorted((mean.mean, name, mean) for name, mean in groups.items() if mean.count >= FEWEST)
        if len(enough) < len(("one", "another")):
            continue
        pairs = list(combinations(enough, 2))
        (low, lowest, least), (high, highest, largest) = enough[0], enough[-1]
        sizes = [
            (one.count, mean, share_variance(one.total, one.count)) for mean, one in ((high, largest), (low, least))
        ]
        found = difference(sizes[0], sizes[1], alpha=alpha / len(pairs))
        words = f"{attribute}: {highest} {100 * high:.1f} %, {lowest} {100 * low:.1f} % (at most {100 * most:g} points)"
        yield Finding(words, bool(found.low > most), high - low <= most)


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
