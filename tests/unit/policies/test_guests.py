"""Policies of a workspace: loaded with their fixtures tried, or refused by name, file and line."""

from importlib.metadata import EntryPoint

import pytest

from mlstrata.environments import Workspace
from mlstrata.policies import guests
from mlstrata.policies.core.files import PolicyErrors
from mlstrata.policies.core.levels import levelled
from mlstrata.policies.core.rule import Level, Outcome
from mlstrata.policies.fixtures import LIMITED, cut, violates
from mlstrata.policies.fixtures.trial import report_on
from mlstrata.policies.guests import guest_rules
from mlstrata.policies.judge import rules_of
from mlstrata.policies.rules import RULES
from tests.support.company_policy import COST_CENTRE


def refused(folder) -> str:
    with pytest.raises(PolicyErrors) as caught:
        guest_rules(folder)
    return str(caught.value)


def test_a_file_is_loaded_beside_the_catalogue_and_writes_nothing(tmp_path):
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/cost.py").write_text(COST_CENTRE)
    (tmp_path / "policies/_helpers.py").write_text("nonsense")
    (tmp_path / "policies/test_cost.py").write_text("nonsense")
    *ours, own = rules_of(Workspace(tmp_path))
    assert tuple(ours) == RULES
    assert (own.id, own.number) == ("org-cost-centre", None)
    report = report_on(violates("none", cut(LIMITED, "cost_centre")), [own])
    assert report.worst == {"org-cost-centre": Outcome.FAIL}
    assert not report.passed
    assert sorted(one.name for one in (tmp_path / "policies").iterdir()) == ["_helpers.py", "cost.py", "test_cost.py"]


def test_our_own_folder_holds_no_guests():
    assert guest_rules(guests.OURS) == ()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('        violates("none", cut(LIMITED, "cost_centre")),\n', "", "cost.py:12: rule 'org-cost-centre' has no"),
        ('        passes("one each"),\n', "", "cost.py:12: rule 'org-cost-centre' has no fixture that it passes"),
        ("cost_centre\"):", "owner\"):", "'org-cost-centre' fixture 'none': expected fail, got pass (mortgage-app"),
        ('    if not system.get("cost_centre"):', "    if 1 / 0:", "cost.py:12: rule 'org-cost-centre' raised ZeroDiv"),
        ('    if not system.get("cost_centre"):', "    if system + 1:", "fixture 'one each': expected pass, got an"),
        ("org-cost-centre", "Cost", "cost.py:12: rule 'Cost' has a malformed id; allowed lower-case words joined by"),
        ("org-cost-centre", "rel-probes", "rule 'rel-probes' has the id of a policy of the catalogue; give it one of"),
        ("    system=check,\n", "", "cost.py:11: cannot be loaded: ValueError: org-cost-centre: exactly one of system"),
        ("def check(", "def check", "cost.py:6: cannot be loaded: SyntaxError: "),
        ("import LIMITED", "import LIMTED", "cost.py:3: cannot be loaded: ImportError: cannot import name 'LIMTED'"),
        ("RULE = Rule(", "RULES = (str)(", "cost.py:11: cannot be loaded: TypeError"),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_by_name_and_line(tmp_path, monkeypatch, old, new, words):
    assert old in COST_CENTRE
    (tmp_path / "cost.py").write_text(COST_CENTRE.replace(old, new))
    monkeypatch.chdir(tmp_path)
    assert words in refused(tmp_path)


def test_a_file_without_a_rule_and_an_id_given_twice_are_refused_at_once(tmp_path):
    for name, text in (("a", "X = 1\n"), ("b", COST_CENTRE), ("c", COST_CENTRE)):
        (tmp_path / f"{name}.py").write_text(text)
    first, second = refused(tmp_path).splitlines()
    assert "a.py: holds no Rule; define one, or start the file's name with `_`" in first
    assert "c.py:12: rule 'org-cost-centre' is defined twice" in second


def test_a_package_may_bring_policies(tmp_path, monkeypatch):
    (tmp_path / "company_policies.py").write_text(COST_CENTRE)
    monkeypatch.syspath_prepend(str(tmp_path))
    point = EntryPoint("company", "company_policies", guests.GROUP)
    monkeypatch.setattr(guests, "entry_points", lambda group: [point] if group == "mlstrata.policies" else [])
    assert [rule.id for rule in guest_rules(tmp_path / "none")] == ["org-cost-centre"]
    missing = EntryPoint("company", "no_such_module", guests.GROUP)
    monkeypatch.setattr(guests, "entry_points", lambda group: [missing])
    assert "entry point company = no_such_module: cannot be loaded: ModuleNotFoundError" in refused(tmp_path / "none")


def test_levels_are_raised_from_every_stage_on(tmp_path):
    path = tmp_path / "levels.yaml"
    path.write_text("levels:\n  cost-owner-tags: mandatory\n  rel-pdb-present: mandatory\n  rel-probes: advisory\n")
    found = {rule.id: rule for rule in levelled(RULES, path)}
    assert found["cost-owner-tags"].lowered_below is None
    assert found["rel-pdb-present"].level is Level.MANDATORY
    assert found["rel-probes"].level is Level.ADVISORY
    changed = {rule.id for rule in RULES if found[rule.id] is not rule}
    assert changed == {"cost-owner-tags", "rel-pdb-present", "rel-probes"}
    assert levelled(RULES, tmp_path / "none.yaml") == RULES


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("levels: {aia-kill-switch: advisory}", "yaml:1: levels.aia-kill-switch: policies on the AI Act, data and sec"),
        (
            "levels: {rel-prob: mandatory}",
            "yaml:1: levels.rel-prob: 'rel-prob' is no policy; did you mean 'rel-p",
        ),
        ("levels:\n  rel-probes: off", "yaml:2: levels.rel-probes: got"),
        ("level: {}", "yaml:1: level: unknown key 'level'"),
        ("", "yaml:1: the file is empty; write `levels: {}`"),
    ],
)
def test_levels_that_are_none_are_refused_by_name_and_line(tmp_path, text, words):
    path = tmp_path / "levels.yaml"
    path.write_text(text)
    with pytest.raises(PolicyErrors) as caught:
        levelled(RULES, path)
    assert words in str(caught.value)
