"""What a round found: plain values that are written, served and counted, so that no reader needs a program of ours."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from mlstrata.closed import Closed
from mlstrata.environments.spec.retrain import Cause


class Watch(StrEnum):
    """Axis: what is watched; those that a training may answer are named as `retrain.Cause` names them."""

    INPUT_DRIFT = Cause.INPUT_DRIFT.value
    OUTPUT_DRIFT = Cause.OUTPUT_DRIFT.value
    PERFORMANCE = Cause.PERFORMANCE.value
    FAIRNESS = Cause.FAIRNESS.value
    QUALITY = "data_quality"
    SERVICE = "sla"
    ESTIMATE = "estimate"


State = Literal["judged", "too_few", "catching_up", "no_reference", "nothing_released", "failed"]


class Finding(Closed):
    """One thing that was looked at."""

    watch: Watch = Field(description="What kind of thing.")
    of: str = Field(description="The column, metric or attribute.")
    value: float = Field(description="What was measured: PSI, the metric, the gap, the share, seconds.")
    limit: float | None = Field(default=None, description="What is allowed; None: nothing is declared.")
    low: float | None = Field(default=None, description="Lower end of its interval; None: it has none.")
    high: float | None = Field(default=None, description="Upper end.")
    rows: int = Field(description="Rows that it is of.")
    alert: bool = Field(description="Whether it is certain, and beyond the limit.")
    sure: str = Field(description="How sure that is, in words.")
    since: float | None = Field(default=None, description="Since when it alerts, in seconds since 1970; None: not now.")


class Bar(Closed):
    """A column's shares by bin: what training saw, and the window."""

    column: str = Field(description="The column.")
    bins: tuple[str, ...] = Field(description="Names of the bins.")
    trained: tuple[float, ...] = Field(description="Share of each in training, 0 to 1.")
    seen: tuple[float, ...] = Field(description="Share of each in the window, 0 to 1.")


class Verdict(Closed):
    """What a round found about one system."""

    system: str = Field(description="The system.")
    version: str | None = Field(default=None, description="The version that answers; None: none is released.")
    state: State = Field(description="Whether it was judged, and if not, why.")
    detail: str = Field(default="", description="That in words, with what to do.")
    at: float = Field(description="When, in seconds since 1970.")
    window: float = Field(description="Seconds that were looked back.")
    rows: int = Field(default=0, description="Rows of the window.")
    needed: int = Field(default=0, description="Rows below which drift is not judged.")
    truths: int = Field(default=0, description="Rows whose truth is known, of the newest that were read.")
    fallback: dict[str, int] = Field(default_factory=dict, description="Rows that another than the model answered.")
    findings: tuple[Finding, ...] = Field(default=(), description="What was looked at.")
    bars: tuple[Bar, ...] = Field(default=(), description="For the report.")

    @property
    def alerts(self) -> tuple[Finding, ...]:
        """Return what alerts."""
        return tuple(one for one in self.findings if one.alert)

    def of(self, watch: Watch) -> tuple[Finding, ...]:
        """Return what was found of a kind."""
        return tuple(one for one in self.findings if one.watch == watch)

    def dated(self, before: Verdict | None) -> Verdict:
        """Return it with the time since when each alert goes on, from the verdict before of the same version."""
        known = {}
        if before is not None and before.version == self.version:
            known = {(one.watch, one.of): one.since for one in before.alerts}
        findings = tuple(
            one.model_copy(update={"since": known.get((one.watch, one.of)) or self.at}) if one.alert else one
            for one in self.findings
        )
        return self.model_copy(update={"findings": findings})


FILE = "verdict.json"
"""What each round leaves of its verdict, in the system's folder."""


def folder(home: Path, system: str) -> Path:
    """Return where a system's verdict and report lie."""
    return home / "data/monitor" / system


def read_verdict(home: Path, system: str) -> Verdict | None:
    """Return the last verdict about a system; None: there is none.

    Raises:
        OSError, ValueError: There is one and it cannot be read, or it is of another program.
    """
    path = folder(home, system) / FILE
    try:
        return Verdict.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise ValueError(f"{path.relative_to(home)} is not what the monitor writes") from error
