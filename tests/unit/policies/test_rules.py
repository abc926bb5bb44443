"""Every policy says of each of its fixtures what the fixture expects, and no other policy fails but its companions."""

import pytest

from mlstrata.policies.core.rule import Outcome, Rule
from mlstrata.policies.fixtures.by_policy import cases_of
from mlstrata.policies.fixtures.case import Case, passes
from mlstrata.policies.fixtures.trial import disagreement, report_on
from mlstrata.policies.rules import RULES

CASES = [pytest.param(rule, case, id=f"{rule.id}: {case.title}") for rule in RULES for case in cases_of(rule)]

# It asks only whether something is protected: the engine always knows that.
PRESENCE = {"rel-protect-stateful"}


def failing(report) -> set[str]:
    return {result.rule.id for result in report.results if result.outcome is Outcome.FAIL}


def test_every_policy_passes_or_asks_nothing_in_the_compliant_world():
    report = report_on(passes("nothing edited"), RULES)
    assert [(r.rule.id, r.subject, r.reason) for r in report.results if r.outcome is Outcome.FAIL] == []
    assert report.passed


@pytest.mark.parametrize(("rule", "case"), CASES)
def test_fixture(rule: Rule, case: Case):
    report = report_on(case, RULES)
    assert disagreement(rule, case, report) == ""
    if case.outcome is not Outcome.UNKNOWN and "*" not in case.companions:
        expected = set(case.companions) | ({rule.id} if case.outcome is Outcome.FAIL else set())
        assert failing(report) == expected


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_policy_has_fixtures_of_every_kind(rule: Rule):
    kinds = {case.outcome for case in cases_of(rule)}
    assert {Outcome.FAIL, Outcome.NOT_APPLICABLE} <= kinds
    assert Outcome.PASS in kinds or any("needs --live" in case.title for case in cases_of(rule))
    assert Outcome.UNKNOWN in kinds or rule.id in PRESENCE
