"""What the monitor found about a system, from the file in which each of its rounds leaves the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

FOLDER = "data/monitor"


class _Read(BaseModel):
    """A newer monitor may say more than is shown here."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Finding(_Read):
    """One thing that was looked at."""

    watch: str = Field(description="What kind of thing.")
    of: str = Field(description="The column, metric or attribute.")
    value: float = Field(description="What was measured.")
    limit: float | None = Field(default=None, description="What is allowed; None: nothing is declared.")
    low: float | None = Field(default=None, description="Lower end of its interval; None: it has none.")
    high: float | None = Field(default=None, description="Upper end.")
    rows: int = Field(description="Rows that it is of.")
    alert: bool = Field(description="Whether it is certain, and beyond the limit.")
    sure: str = Field(default="", description="How sure that is, in words.")
    since: float | None = Field(default=None, description="Since when it alerts, in seconds since 1970; None: not now.")


class Verdict(_Read):
    """What a round found about one system."""

    version: str | None = Field(default=None, description="The version that answers; None: none is released.")
    state: str = Field(description="Whether it was judged, and if not, why.")
    detail: str = Field(default="", description="That in words.")
    at: float = Field(description="When, in seconds since 1970.")
    window: float = Field(description="Seconds that were looked back.")
    rows: int = Field(default=0, description="Rows of the window.")
    needed: int = Field(default=0, description="Rows below which drift is not judged.")
    truths: int = Field(default=0, description="Rows whose truth is known.")
    fallback: dict[str, int] = Field(default_factory=dict, description="Rows that another than the model answered.")
    findings: tuple[Finding, ...] = Field(default=(), description="What was looked at.")

    def of(self, *watches: str) -> tuple[Finding, ...]:
        """Return what was found of some kinds."""
        return tuple(one for one in self.findings if one.watch in watches)

    @property
    def alerts(self) -> tuple[Finding, ...]:
        """Return what alerts."""
        return tuple(one for one in self.findings if one.alert)


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
_WORDS: Mapping[str, str] = {
    "fairness": "unfair",
    "performance": "worse",
    "data_quality": "damaged",
    "output_drift": "drift",
    "input_drift": "drift",
    "sla": "slow",
}
_STATES: Mapping[str, str] = {
    "too_few": "early",
    "catching_up": "reading",
    "no_reference": "blind",
    "nothing_released": "idle",
    "failed": "failed",
}


def read_verdict(home: Path, system: str) -> Verdict | None:
    """Return the last verdict about a system; None: there is none.

    Raises:
        OSError, ValueError: There is one and it cannot be read; the message names its file.
    """
    path = home / FOLDER / system / "verdict.json"
    try:
        return Verdict.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise ValueError(f"{path.relative_to(home)} is not what the monitor writes") from error


def word_of(verdict: Verdict | None) -> Word:
    """Return a verdict in one word with its cause."""
    if verdict is None:
        return Word("unwatched", "no monitor looked at it")
    for watch, word in _WORDS.items():
        if found := [one for one in verdict.alerts if one.watch == watch]:
            return Word(word, cause_of(found), good=False)
    if verdict.state == "judged":
        return Word("well", f"{verdict.rows} rows judged", good=True)
    return Word(_STATES.get(verdict.state, verdict.state), verdict.detail, False if verdict.state == "failed" else None)


def cause_of(found: list[Finding]) -> str:
    """Return what alerts in a few words: the one furthest beyond its limit, and how many others there are."""
    worst = max(found, key=lambda one: abs(one.value - one.limit) if one.limit is not None else 0.0)
    limit = "" if worst.limit is None else f", limit {worst.limit:.3g}"
    others = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"{worst.of} {worst.value:.3g}{limit}{others}"
