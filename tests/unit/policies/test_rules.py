"""Every policy says of each of its fixtures what the fixture expects, and no other policy fails but its companions."""

import pytest

from mlstrata.policies.core.dates import Calendar
from mlstrata.policies.core.evaluate import ODD_SHAPE, evaluate
from mlstrata.policies.core.rule import Outcome, Rule
from mlstrata.policies.fixtures.by_policy import cases_of
from mlstrata.policies.fixtures.case import Case
from mlstrata.policies.fixtures.compliant_world import TODAY, compliant
from mlstrata.policies.rules import RULES

CASES = [pytest.param(rule, case, id=f"{rule.id}: {case.title}") for rule in RULES for case in cases_of(rule)]

# It asks only whether something is protected: the engine always knows that.
PRESENCE = {"rel-protect-stateful"}


def checked(*edits):
    world = compliant()
    for edit in edits:
        edit(world)
    calendar = Calendar.on(TODAY, world.environment.enforcement)
    return evaluate(world.resources.values(), world.environment, calendar, rules=RULES)


def failing(report) -> set[str]:
    return {result.rule.id for result in report.results if result.outcome is Outcome.FAIL}


def test_every_policy_passes_or_asks_nothing_in_the_compliant_world():
    report = checked()
    assert [(r.rule.id, r.subject, r.reason) for r in report.results if r.outcome is Outcome.FAIL] == []
    assert report.passed


@pytest.mark.parametrize(("rule", "case"), CASES)
def test_fixture(rule: Rule, case: Case):
    report = checked(*case.edits)
    own = [result for result in report.results if result.rule is rule]
    reasons = [(r.outcome.value, r.subject, r.reason) for r in own]
    assert not [reason for _, _, reason in reasons if ODD_SHAPE in reason]
    if case.outcome is Outcome.UNKNOWN:
        assert any(r.undetermined or r.outcome is Outcome.UNKNOWN for r in own), reasons
        return
    assert report.worst[rule.id] is case.outcome, reasons
    assert not any(r.undetermined for r in own)
    if case.outcome is Outcome.FAIL:
        assert all(r.fix and r.reason for r in own if r.outcome is Outcome.FAIL)
    if "*" not in case.companions:
        expected = set(case.companions) | ({rule.id} if case.outcome is Outcome.FAIL else set())
        assert failing(report) == expected


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_policy_has_fixtures_of_every_kind(rule: Rule):
    kinds = {case.outcome for case in cases_of(rule)}
    assert {Outcome.FAIL, Outcome.NOT_APPLICABLE} <= kinds
    assert Outcome.PASS in kinds or any("needs --live" in case.title for case in cases_of(rule))
    assert Outcome.UNKNOWN in kinds or rule.id in PRESENCE
