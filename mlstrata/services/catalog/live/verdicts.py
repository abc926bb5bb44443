"""What the monitor found about a system, in one word with its cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlstrata.services.monitor.verdict import Finding, Verdict, Watch


@dataclass(frozen=True)
class Word:
    """A verdict in one word.

    Attributes:
        word: The word.
        cause: Why, in a few words; empty: there is nothing to say.
        good: Whether nothing is to be done; None: it is not known.
    """

    word: str
    cause: str = ""
    good: bool | None = None


# The worst first: what concerns people, then what the model is worth, then what may come of it.
_WORDS: Mapping[Watch, str] = {
    Watch.FAIRNESS: "unfair",
    Watch.PERFORMANCE: "worse",
    Watch.QUALITY: "damaged",
    Watch.OUTPUT_DRIFT: "drift",
    Watch.INPUT_DRIFT: "drift",
    Watch.SERVICE: "slow",
    Watch.ESTIMATE: "worse",
}
_STATES: Mapping[str, str] = {
    "too_few": "early",
    "catching_up": "reading",
    "no_reference": "blind",
    "nothing_released": "idle",
    "failed": "failed",
}


def word_of(verdict: Verdict | None) -> Word:
    """Return a verdict in one word with its cause."""
    if verdict is None:
        return Word("unwatched", "no monitor looked at it")
    for watch, word in _WORDS.items():
        if found := [one for one in verdict.of(watch) if one.alert]:
            return Word(word, cause_of(found), good=False)
    if verdict.state == "judged":
        return Word("well", f"{verdict.rows} rows judged", good=True)
    return Word(_STATES[verdict.state], verdict.detail, False if verdict.state == "failed" else None)


def cause_of(found: Sequence[Finding]) -> str:
    """Return what alerts in a few words: the one furthest beyond its limit, and how many others there are."""
    worst = max(found, key=lambda one: abs(one.value - one.limit) if one.limit is not None else 0.0)
    limit = "" if worst.limit is None else f", limit {worst.limit:.3g}"
    others = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"{worst.of} {worst.value:.3g}{limit}{others}"
