"""May a training start now: the envelope that the assessment of the system knew of, and nothing beyond it.

Pure: what is known goes in, a verdict with its reason comes out. A person may go past the cooldown, the budget and a
loop that stopped itself (they are bounds on what nobody decides), never past the rows that a training needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from mlstrata.environments.spec.retrain import RetrainSpec
from mlstrata.services.retraining.trigger import BY_HAND, Outcome, Training, Trigger

BUDGET_SECONDS = 30 * 86400.0
"""What `retrain.budget` counts in."""
EXPIRES_SECONDS = 30 * 86400.0
"""How long a cause waits: what was found longer ago says little of today."""


class Verdict(StrEnum):
    """Axis: what becomes of the causes that wait."""

    START = "started"
    WAIT = "waits"
    STOP = "stopped"
    IGNORE = "ignored"


@dataclass(frozen=True)
class Judged:
    """A verdict.

    Attributes:
        verdict: What becomes of them.
        reason: Why, for people.
        until: When to ask again, in seconds since 1970; None: when something else changes.
    """

    verdict: Verdict
    reason: str
    until: float | None = None


def wanted(envelope: RetrainSpec, trigger: Trigger) -> str:
    """Return why a cause starts nothing; empty: it may."""
    if trigger.cause == BY_HAND or trigger.cause in envelope.on:
        return ""
    listed = ", ".join(envelope.on) or "none"
    return f"retrain.on does not name {trigger.cause} (it names {listed}): a person decides"


def judge(
    envelope: RetrainSpec,
    waiting: Sequence[Trigger],
    past: Sequence[Training],
    labelled: Callable[[], int],
    now: float,
) -> Judged:
    """Say whether the causes that wait may start a training, all of them one.

    Args:
        envelope: What the environment's file allows.
        waiting: The causes, each of which `wanted` lets through; at least one.
        past: The system's trainings, oldest first.
        labelled: Counts the recorded rows with their truth; asked last, as it costs most.
        now: Seconds since 1970.
    """
    if any(one.ended is None for one in past):
        return Judged(Verdict.WAIT, "a training of it is under way")
    if not any(one.cause == BY_HAND for one in waiting):
        bound = _stopped(envelope, past) or _cooling(envelope, past, now) or _spent(envelope, past, now)
        if bound is not None:
            return bound
    rows = labelled()
    if rows < envelope.min_labelled:
        reason = f"{rows} recorded rows have their truth, and retrain.min_labelled needs {envelope.min_labelled}"
        return Judged(Verdict.WAIT, f"{reason}; give truth as feedback")
    return Judged(Verdict.START, "; ".join(dict.fromkeys(one.text for one in waiting)))


def unreleased(past: Sequence[Training]) -> int:
    """Count the trainings in a row, newest first, whose model was not released; a person's ends the row."""
    count = 0
    for one in reversed(past):
        if one.by_hand or one.outcome is Outcome.RELEASED:
            break
        count += one.ended is not None
    return count


def has_stopped(envelope: RetrainSpec, past: Sequence[Training]) -> bool:
    """Say whether the loop stopped itself, until a person asks for a training."""
    return unreleased(past) >= envelope.give_up_after


def _stopped(envelope: RetrainSpec, past: Sequence[Training]) -> Judged | None:
    if not has_stopped(envelope, past):
        return None
    row = f"{unreleased(past)} trainings in a row gave no model that was released (retrain.give_up_after)"
    return Judged(Verdict.STOP, f"{row}; the last: {past[-1].why or past[-1].outcome}; `mlstrata retrain` goes on")


def _cooling(envelope: RetrainSpec, past: Sequence[Training], now: float) -> Judged | None:
    last = max((one.started for one in past), default=None)
    until = None if last is None else last + envelope.cooldown.total_seconds()
    # A clock that was ahead must not hold it up for longer than the cooldown itself.
    if until is None or last is None or now >= until or last > now:
        return None
    return Judged(Verdict.WAIT, f"the last training began {_at(last)}; retrain.cooldown ends {_at(until)}", until)


def _spent(envelope: RetrainSpec, past: Sequence[Training], now: float) -> Judged | None:
    recent = sorted(one.started for one in past if not one.by_hand and now - BUDGET_SECONDS < one.started <= now)
    if len(recent) < envelope.budget:
        return None
    until = recent[-envelope.budget] + BUDGET_SECONDS
    return Judged(
        Verdict.WAIT, f"{len(recent)} trainings in 30 days, as many as retrain.budget allows; until {_at(until)}", until
    )


def _at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
