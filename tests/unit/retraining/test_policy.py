"""What bounds the loop."""

from datetime import timedelta

import pytest

from mlstrata.environments.spec.retrain import RetrainSpec
from mlstrata.services.retraining import policy
from mlstrata.services.retraining.policy import Verdict
from mlstrata.services.retraining.trigger import BY_HAND, Outcome, State, Training, Trigger

DAY = 86400.0
NOW = 100 * DAY
ENVELOPE = RetrainSpec(on=("input_drift",), min_labelled=10, cooldown="1d", budget=2, give_up_after=2)
DRIFT = Trigger("a", "credit", "input_drift", "InputDrift", "pirat drifted")
HAND = Trigger("b", "credit", BY_HAND, "ann", "new rules")


def past(days: float, outcome: Outcome | None = Outcome.RELEASED, *, by_hand: bool = False) -> Training:
    started = NOW - days * DAY
    ended = None if outcome is None else started + 60
    return Training("t", "credit", State.ENDED, started, by_hand, "why", ended=ended, outcome=outcome, why="gate auc")


def judged(*trainings: Training, waiting=(DRIFT,), rows: int = 10):
    return policy.judge(ENVELOPE, waiting, trainings, lambda: rows, NOW)


def test_causes_of_one_system_are_one_training():
    found = judged(waiting=(DRIFT, Trigger("c", "credit", "performance", "PerformanceDegraded", "auc 0.6")))
    assert found.verdict is Verdict.START
    assert found.reason == "InputDrift: pirat drifted; PerformanceDegraded: auc 0.6"


@pytest.mark.parametrize(
    ("trainings", "rows", "verdict", "says"),
    [
        ([past(0.1, None)], 10, Verdict.WAIT, "under way"),
        ([past(0.5)], 10, Verdict.WAIT, "retrain.cooldown"),
        ([past(20), past(2)], 10, Verdict.WAIT, "retrain.budget"),
        ([past(31), past(2)], 10, Verdict.START, "pirat"),
        ([past(40, Outcome.FAILED), past(35, Outcome.REFUSED)], 10, Verdict.STOP, "gate auc; `mlstrata retrain`"),
        ([past(40, Outcome.FAILED), past(35, Outcome.RELEASED)], 10, Verdict.START, "pirat"),
        ([], 9, Verdict.WAIT, "9 recorded rows have their truth"),
    ],
)
def test_what_bounds_it(trainings, rows, verdict, says):
    found = judged(*trainings, rows=rows)
    assert found.verdict is verdict
    assert says in found.reason


def test_a_cooldown_says_when_it_ends():
    found = judged(past(0.5))
    assert found.until == NOW + 0.5 * DAY


def test_a_person_goes_past_what_bounds_the_loop_and_not_past_the_rows():
    stopped = [past(0.2, Outcome.FAILED), past(0.1, Outcome.FAILED)]
    assert judged(*stopped, waiting=(HAND,)).verdict is Verdict.START
    assert judged(*stopped, waiting=(HAND,), rows=9).verdict is Verdict.WAIT
    assert judged(past(0.1, None), waiting=(HAND,)).verdict is Verdict.WAIT


def test_a_persons_training_ends_the_row_of_failures():
    row = [past(50, Outcome.FAILED), past(40, Outcome.FAILED)]
    assert policy.has_stopped(ENVELOPE, row)
    assert not policy.has_stopped(ENVELOPE, [*row, past(35, Outcome.FAILED, by_hand=True)])


def test_a_clock_that_was_ahead_holds_nothing_up():
    assert judged(past(-400)).verdict is Verdict.START


def test_only_what_the_file_names_starts():
    assert policy.wanted(ENVELOPE, DRIFT) == ""
    assert policy.wanted(ENVELOPE, HAND) == ""
    other = Trigger("d", "credit", "fairness", "FairnessGap", "")
    assert "a person decides" in policy.wanted(ENVELOPE, other)
    assert timedelta(days=1) == ENVELOPE.cooldown
