"""What a rollout decides, from counted evidence: pure, so each case is a table row with its reason."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlstrata.environments.spec.rollout import Strategy
from mlstrata.services.rollout import bandit
from mlstrata.services.rollout.decide import decide
from mlstrata.services.rollout.disagreement import disagreement
from mlstrata.services.rollout.evidence import Among, Evidence, Mean, Rate, Seen, is_positive
from mlstrata.services.rollout.judgement import findings
from mlstrata.services.rollout.plan import Action, Plan

LATER = 10_000.0


def plan(**changes):
    one = Plan(
        strategy=Strategy.CANARY,
        shares=(10, 50),
        min_sample=500,
        step_time=600,
        approve="",
        slowest=150,
        errors=0.01,
        gap=None,
        exploration=0.1,
        step=0,
        share=10,
        since=0,
        approved_by="",
    )
    return dataclasses.replace(one, **changes)


def seen(requests, errors=0, *, slow=0, right=None, of=0, fallbacks=0):
    one = Seen(requests=requests, errors=errors, slow=slow, rows=requests, fallbacks=fallbacks)
    for at in range(of):
        one.value.add(float(at < right))
    return one


LAST = {"step": 1, "share": 50}
AB = {"strategy": Strategy.AB, "shares": (50,), "share": 50}
SHADOW = {"strategy": Strategy.SHADOW, "shares": (0,), "share": 0}
BANDIT = {"strategy": Strategy.BANDIT, "shares": (50,), "share": 50}


@pytest.mark.parametrize(
    ("changes", "champion", "candidate", "now", "action", "says"),
    [
        ({}, seen(4500), seen(500), 300, Action.WAIT, "300 s of this step are left"),
        ({}, seen(4500), seen(499), LATER, Action.WAIT, "1 more requests"),
        ({}, seen(4500, 5), seen(500, 1), LATER, Action.ADVANCE, "errors 0.2 %"),
        # As soon as it is certain: neither the time nor the sample of the step is awaited.
        ({}, seen(400, 1), seen(45, 30), 20, Action.ROLL_BACK, "worse: errors 67 %"),
        ({}, seen(400), seen(45, slow=45), 20, Action.ROLL_BACK, "worse: over 150 ms"),
        # A machine that is busy makes both slow, and that is nobody's fault.
        ({}, seen(4500, slow=2000), seen(500, slow=222), LATER, Action.ADVANCE, "over 150 ms 44 % to 44 %"),
        # Three errors of twenty are too few to be certain.
        ({}, seen(180), seen(20, 3), 20, Action.WAIT, "left"),
        (LAST, seen(2000, 2), seen(2000, 2), LATER, Action.PROMOTE, "errors 0.1 % to 0.1 %"),
        (LAST, seen(500, 5), seen(500, 14), LATER, Action.WAIT, "not yet surely as good: errors"),
        (LAST | {"approve": "risk"}, seen(2000), seen(2000), LATER, Action.NEEDS_APPROVAL, "role risk approves"),
        (LAST | {"approve": "risk", "approved_by": "ana"}, seen(2000), seen(2000), LATER, Action.PROMOTE, "by ana"),
        (LAST | {"approve": "risk", "approved_by": "ana"}, seen(2000), seen(2000, 200), 5, Action.ROLL_BACK, "worse"),
        # All of the traffic leaves no champion to compare with: what was promised holds then.
        ({"shares": (100,), "share": 100}, seen(0), seen(500, 1), LATER, Action.PROMOTE, "promised"),
        ({"shares": (100,), "share": 100}, seen(0), seen(500, 300), LATER, Action.ROLL_BACK, "promised"),
        (AB, seen(2000), seen(2000), LATER, Action.WAIT, "truth or reward is known of 0 and 0"),
        (AB, seen(9000, right=7200, of=9000), seen(9000, right=7400, of=9000), LATER, Action.PROMOTE, "worth"),
        (AB, seen(3000, right=2400, of=3000), seen(3000, right=1900, of=3000), LATER, Action.ROLL_BACK, "worth"),
        (AB, seen(600, right=480, of=600), seen(600, right=470, of=600), LATER, Action.WAIT, "not yet surely"),
        (SHADOW, seen(2000), seen(2000), LATER, Action.NEEDS_APPROVAL, "nobody was answered"),
        (SHADOW | {"approved_by": "ana"}, seen(2000), seen(2000), LATER, Action.PROMOTE, "approved by ana"),
        (SHADOW, seen(2000), seen(60, 60), 5, Action.ROLL_BACK, "errors 1e+02 %"),
        (BANDIT, seen(600), seen(600), LATER, Action.WAIT, "a reward is known of 0"),
        (BANDIT, seen(600, right=60, of=600), seen(600, right=70, of=600), LATER, Action.ADVANCE, "% of the traffic"),
        (BANDIT, seen(600, right=60, of=600), seen(600, right=200, of=600), LATER, Action.PROMOTE, "1.000"),
        (BANDIT, seen(600, right=90, of=600), seen(600, right=55, of=600), LATER, Action.ROLL_BACK, "worse|0.00"),
    ],
)
def test_what_is_decided(changes, champion, candidate, *, now, action, says):
    found = decide(plan(**changes), Evidence(champion, candidate), now)
    assert found.action is action, found
    assert any(one in found.reason for one in says.split("|")), found.reason
    assert (found.share is not None) == (action is Action.ADVANCE)


def test_groups_that_differ_too_much_take_a_candidate_back():
    def grouped(low):
        one = seen(2000)
        for at in range(400):
            one.groups[Rate("sex", Among.ALL)]["m"].add(float(at % 2))
            one.groups[Rate("sex", Among.ALL)]["f"].add(float(at % 100 < low))
        return one

    last = plan(gap=0.1, **LAST)
    assert decide(last, Evidence(seen(2000), grouped(5)), LATER).action is Action.ROLL_BACK
    waits = decide(last, Evidence(seen(2000), grouped(37)), LATER)
    assert (waits.action, "sex: m 50.0 %, f 37.0 %" in waits.reason) == (Action.WAIT, True)
    assert decide(last, Evidence(seen(2000), grouped(48)), LATER).action is Action.PROMOTE


@pytest.mark.parametrize("unfair", [Among.POSITIVE, Among.NEGATIVE])
def test_of_equalized_odds_both_rates_must_hold(unfair):
    candidate = seen(2000)
    for among in (Among.POSITIVE, Among.NEGATIVE):
        for at in range(400):
            candidate.groups[Rate("sex", among)]["m"].add(float(at % 2))
            candidate.groups[Rate("sex", among)]["f"].add(float(at % 100 < (5 if among is unfair else 50)))
    found = decide(plan(gap=0.1, **LAST), Evidence(seen(2000), candidate), LATER)
    assert (found.action, f"worse: sex, of {unfair}: m 50.0 %" in found.reason) == (Action.ROLL_BACK, True)


COUNTS = st.integers(0, 3000)


@settings(max_examples=60, deadline=None)
@given(requests=COUNTS, others=COUNTS, errors=COUNTS, failures=COUNTS, now=st.floats(0, 2000), step=st.integers(0, 1))
def test_no_candidate_that_fails_more_than_it_may_is_ever_promoted(*, requests, others, errors, failures, now, step):
    ours, theirs = seen(requests, min(errors, requests)), seen(others, min(failures, others))
    found = decide(plan(step=step, share=(10, 50)[step]), Evidence(theirs, ours), now)
    if found.action in (Action.PROMOTE, Action.ADVANCE):
        assert now >= 600
        assert requests >= 500
    if found.action is Action.PROMOTE:
        assert step == 1
        assert ours.errors / requests <= (theirs.errors / others + 0.02 if others >= 30 else 0.01)
    if found.action is Action.ROLL_BACK:
        assert ours.errors / requests > (theirs.errors / others if others >= 30 else 0.01)


@pytest.mark.parametrize(
    ("truth", "positive", "counts"),
    [("yes", "yes", True), ("no", "yes", False), ("1", "", True), ("1.0", "1", True), ("0", "", False)],
)
def test_a_truth_is_read_however_a_number_is_written(truth, positive, counts):
    assert is_positive(truth, positive) == counts


def test_a_shadow_is_compared_on_the_requests_that_both_answered():
    champion, candidate = seen(3), seen(3)
    champion.scores.update({("a", 0): 0.2, ("b", 0): 0.4, ("c", 0): 0.9})
    candidate.scores.update({("a", 0): 0.3, ("b", 0): 0.4})
    assert "on 2 rows that both answered the scores differ by 0.05 in the mean and 0.1 at most" in disagreement(
        Evidence(champion, candidate)
    )
    assert disagreement(Evidence(seen(1), seen(1))) == "no request was answered by both"


def test_how_much_worse_is_in_times_of_what_is_acceptable():
    """So that questions of different units stand on one scale."""
    ours, theirs = seen(2000, 60, right=1400, of=2000, fallbacks=20), seen(2000, 20, right=1500, of=2000)
    ours.groups[Rate("sex", Among.ALL)] |= {"m": Mean(400, 200.0, 200.0), "f": Mean(400, 180.0, 180.0)}
    found = {one.of: one for one in findings(plan(gap=0.1, **LAST), Evidence(theirs, ours))}
    assert {name: round(one.value, 6) for name, one in found.items()} == {
        "errors": 1.0,  # 3 % to 1 %, and 2 points are acceptable
        "slow": 0.0,
        "fallbacks": 0.2,  # 1 % to none, 5 points
        "worth": 1.0,  # 0.70 to 0.75, 0.05
        "sex": 0.5,  # 50 % and 45 %, 10 points
    }
    assert all(one.low < one.value < one.high for one in found.values())


def test_a_bandit_gives_most_to_the_better_version_and_something_to_the_other():
    """Two versions worth 0.55 and 0.45, shares anew after each hundred requests."""
    drawn, share, values = np.random.default_rng(5), 50, (Mean(), Mean())
    for _ in range(30):
        for _ in range(100):
            ours = drawn.random() < share / 100
            values[ours].add(float(drawn.random() < (0.55 if ours else 0.45)))
        share = bandit.share(bandit.better(values[1], values[0]), 0.1)
        assert 5 <= share <= 95
    assert share == 95
    assert bandit.better(values[1], values[0]) == bandit.better(values[1], values[0]), (
        "the same rewards, the same share"
    )


@pytest.mark.parametrize("changes", [LAST, AB, SHADOW], ids=["canary", "ab", "shadow"])
@pytest.mark.parametrize("requests", [1, 20, 29])
def test_a_sample_too_small_to_ask_anything_promotes_nothing(changes, requests):
    small = plan(**changes, min_sample=1, approved_by="ana")
    found = decide(small, Evidence(seen(10_000), seen(requests)), LATER)
    assert found.action == Action.WAIT
    assert f"{30 - requests} more requests are needed" in found.reason
