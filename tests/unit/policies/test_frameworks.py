"""Frameworks are tables over the policies: nothing that a policy says it serves is missing, and none is invented."""

import json
import re
from datetime import date

import pytest

from mlstrata.environments import EnvironmentSpec, Workspace
from mlstrata.environments.spec.environment import FRAMEWORKS
from mlstrata.policies.core.dates import Duty, effective
from mlstrata.policies.core.files import PolicyErrors
from mlstrata.policies.core.rule import Outcome
from mlstrata.policies.fixtures.compliant_world import HIGH_RISK, compliant
from mlstrata.policies.fixtures.world import cut
from mlstrata.policies.frameworks import FOLDER, FrameworkDuty, State, counted, line, matrix, packs, state_of
from mlstrata.policies.judge import judge
from mlstrata.policies.reports import render
from mlstrata.policies.reports.places import Places
from mlstrata.policies.rules import IDS, RULES

SHIPPED = {pack.id: pack for pack in matrix.shipped()}
SERVES = {"AI Act": "eu-ai-act", "GDPR": "gdpr", "ISO/IEC 42001": "iso-42001", "NIST AI RMF": "nist-ai-rmf"}


def test_the_frameworks_that_ship():
    named = {"eu-ai-act", "gdpr", "iso-42001", "nist-ai-rmf", "sr-26-2", "colorado-sb-26-189", "nyc-ll144"}
    assert set(SHIPPED) == named
    described = EnvironmentSpec.model_fields["frameworks"].description
    assert described is not None
    assert all(name in described for name in named)
    assert set(FRAMEWORKS) <= named


@pytest.mark.parametrize("name", SHIPPED)
def test_every_duty_is_dated_and_served_or_for_people(name):
    pack = SHIPPED[name]
    assert date.fromisoformat(pack.version)
    assert len({duty.of for duty in pack.duties}) == len(pack.duties)
    for duty in pack.duties:
        assert duty.rules or duty.people, duty.of
        assert set(duty.rules) <= IDS, duty.of


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_what_a_policy_says_that_it_serves_counts_it(rule):
    """A reference of a policy to a framework is a duty of that framework that names the policy."""
    for prefix, name in SERVES.items():
        if any(reference.startswith(prefix) for reference in rule.references):
            assert any(rule.id in duty.rules for duty in SHIPPED[name].duties), f"{name} leaves {rule.id} out"


def test_the_acts_days_are_those_that_the_policies_wait_for():
    """No duty begins before a policy on it does, and those of Chapter III begin with the rules on high risk."""
    for duty in SHIPPED["eu-ai-act"].duties:
        days = [effective(rule.duty) for rule in RULES if rule.id in duty.rules]
        assert not days or min(days) <= duty.since, duty.of
        if days and set(days) == {effective(Duty.HIGH_RISK)}:
            assert duty.since == effective(Duty.HIGH_RISK), duty.of


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ("pass pass", State.SERVED),
        ("pass fail", State.FAILS),
        ("exempt fail", State.FAILS),
        ("pass exempt", State.EXEMPT),
        ("unknown exempt", State.EXEMPT),
        ("pass unknown", State.UNKNOWN),
        ("not_applicable pass", State.SERVED),
        ("not_applicable not_applicable", State.NOT_APPLICABLE),
    ],
)
def test_a_duty_is_as_the_worst_of_its_policies(outcomes, state):
    rules = ("aia-kill-switch", "aia-oversight-owner")
    worst = dict(zip(rules, map(Outcome, outcomes.split()), strict=True))
    assert state_of(FrameworkDuty(of="a", asks="b", since="2026-01-01", rules=rules), worst) is state
    assert state_of(FrameworkDuty(of="a", asks="b", since="2026-01-01", people="c"), worst) is State.PEOPLE
    assert state_of(FrameworkDuty(of="a", asks="b", since="2026-01-01", rules=rules), {}) is State.UNKNOWN


def own(root, text):
    folder = root / FOLDER
    folder.mkdir(parents=True)
    (folder / "house.yaml").write_text(text)
    return root


HOUSE = """title: House rules
version: 2026-01-01
source: The board
duties:
  - {of: "1", asks: be able to stop it, since: 2026-01-01, rules: [aia-kill-switch]}
  - {of: "2", asks: be fair, since: 2026-01-01, people: that it is}
"""


def test_a_workspace_brings_frameworks_of_its_own(tmp_path):
    (pack,) = packs(own(tmp_path, HOUSE), ["house"], IDS)
    said = line(pack, {"aia-kill-switch": Outcome.FAIL})
    assert said == "House rules (house@2026-01-01): 0 of 2 served, 1 fail, 1 for people"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HOUSE.replace("aia-kill-switch", "aia-kil-switch"), "house.yaml:5: duties[0].rules[0]: got 'aia-kil-switch'"),
        (HOUSE.replace(", people: that it is", ""), "house.yaml:6: duties[1]"),
        (HOUSE.replace("since: 2026-01-01, rules", "since: soon, rules"), "house.yaml:5"),
        (HOUSE.replace("version: 2026-01-01\n", ""), "version"),
        ("duties: []\n", "house.yaml"),
        ("", "the file is empty"),
    ],
)
def test_a_framework_that_is_malformed_is_refused_with_its_line(tmp_path, text, said):
    with pytest.raises(PolicyErrors) as refused:
        packs(own(tmp_path, text), ["house"], IDS)
    assert said in str(refused.value)


def test_a_framework_that_is_none_is_refused_with_the_nearest_and_where_it_is_named(tmp_path):
    with pytest.raises(PolicyErrors, match=r"^frameworks\[0\]: got 'eu-ai-akt'; allowed .* did you mean 'eu-ai-act'"):
        packs(None, ["eu-ai-akt"], IDS)
    (tmp_path / "a.yaml").write_text("name: a\nframeworks:\n  - gdpr\n  - eu-ai-akt\n")
    with pytest.raises(PolicyErrors, match=r"a\.yaml:4: frameworks\[1\]: got 'eu-ai-akt'"):
        packs(None, ["gdpr", "eu-ai-akt"], IDS, named_in=tmp_path / "a.yaml")


def test_a_report_counts_the_duties_in_every_form_that_has_room(tmp_path):
    world = compliant()
    cut(HIGH_RISK, "documents.fria")(world)
    report = judge(list(world.resources.values()), Workspace(tmp_path), "prod")
    assert report.frameworks == (), "a program that declares no environment names none"
    pack = SHIPPED["eu-ai-act"]
    counts = counted(pack, report.worst)
    assert counts[State.FAILS] >= 1
    assert sum(counts.values()) == len(pack.duties)
    object.__setattr__(report, "frameworks", (pack,))
    found = [(report, Places())]
    said = line(pack, report.worst)
    assert re.fullmatch(r"EU AI Act \(eu-ai-act@2026-07-27\): \d+ of \d+ served, \d+ fail(, .*)?, \d+ for people", said)
    assert f" {said}" in render(found, "text").splitlines()
    assert "1 for people" in said or "for people" in render(found, "markdown")
    (told,) = json.loads(render(found, "json"))[0]["frameworks"]
    assert told["summary"] == said
    states = {duty["of"]: duty["state"] for duty in told["duties"]}
    assert states["Art. 27"] == "fails"
    assert states["Art. 22"] == "for people"


def test_the_page_has_every_duty_and_every_policy():
    page = matrix.text()
    for pack in SHIPPED.values():
        assert all(f"| {duty.of} | {duty.asks} |" in page for duty in pack.duties)
    assert all(f"| `{rule.id}` |" in page for rule in RULES)
