"""Assessment results in OSCAL: valid by its schema, whole in their references, and never better than the report."""

import hashlib
import json
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from mlstrata.operations.policy_check import check_manifests
from mlstrata.policies.core.dates import Calendar
from mlstrata.policies.core.evaluate import evaluate
from mlstrata.policies.core.exemptions import Exemption
from mlstrata.policies.core.rule import Outcome
from mlstrata.policies.fixtures.compliant_world import HIGH_RISK, TODAY, compliant
from mlstrata.policies.fixtures.world import cut, facts, having, put
from mlstrata.policies.frameworks import FrameworkDuty, Pack, packs
from mlstrata.policies.reports import render
from mlstrata.policies.reports.places import Places
from mlstrata.policies.rules import IDS, RULES

SCHEMA = Path(__file__).parents[2] / "data/oscal/assessment-results-1.1.3.schema.json"
FILE = "environments/prod.yaml"
ASKED = (replace(RULES[0], id="org-own"), *RULES)
"""The catalogue, and a policy of one's own, which has no number in it."""
FRAMEWORKS = packs(None, ["eu-ai-act", "gdpr", "iso-42001"], IDS)
EXEMPT = Exemption(
    policy="gpu-idle-scale-to-zero",
    environments=("prod",),
    match="train",
    reason="until the batch window moves",
    approver="cto",
    ticket="ML-212",
    expires="2027-01-31",
)
MIXED = (
    facts(retention={"predictions": 90.0, "logs": 200.0, "documents": 3653.0}),
    put("train", "spec.disruption.consolidateAfter", "Never"),
    cut(HIGH_RISK, "documents.literacy"),
    having("kubernetes:helm.sh/v4:Chart", "loki", {}),
)


def report(*edits, exemptions=(), frameworks=FRAMEWORKS):
    world = compliant()
    for edit in edits:
        edit(world)
    calendar = Calendar.on(TODAY, world.environment.enforcement)
    found = evaluate(world.resources.values(), world.environment, calendar, rules=ASKED, exemptions=exemptions)
    return replace(found, frameworks=frameworks), Places(FILE, lambda _: (7, 1))


def oscal(*reports):
    return json.loads(render(list(reports), "oscal"))["assessment-results"]


@pytest.fixture(scope="module")
def validator():
    """The schema writes letters and digits as XML does, which Python's expressions do not know."""
    text = SCHEMA.read_text(encoding="utf-8")
    named = r"(\\p{L}|_)(\\p{L}|\\p{N}|[.\\-_])*"
    assert text.count(named) == text.count(r"\\p") / 3 == 1
    schema = json.loads(text.replace(named, r"(?!\\d)\\w[\\w.\\-]*"))
    Draft7Validator.check_schema(schema)
    return Draft7Validator(schema, format_checker=Draft7Validator.FORMAT_CHECKER)


@pytest.fixture(scope="module")
def mixed():
    """A violation, a warning, an exemption, a chart, and what needs the running platform."""
    return report(*MIXED, exemptions=[EXEMPT])


def strings(value, key):
    """Yield every value of a key, however deep."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == key:
                yield inner
            yield from strings(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner, key)


def test_the_schema_is_the_published_one():
    digest = "d9e34757f0c12aff61f52b821f0b8f83ba0ba75b3a149a202b08ba82f82bc4c3"
    assert hashlib.sha256(SCHEMA.read_bytes()).hexdigest() == digest


def test_it_is_valid_by_the_schema(validator, mixed, tmp_path):
    """Every way a result can be, several environments, manifests, a framework of people alone, odd names."""
    (tmp_path / "pods.yaml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: nginx}]}\n"
    )
    manifests = check_manifests(tmp_path)
    human = Pack(
        "own", "Own", "2026-01-01", "", (FrameworkDuty(of="§ 1 (2)", asks="be good", since=TODAY, people="all"),)
    )
    unused = report(exemptions=[EXEMPT.model_copy(update={"match": ("nothing",)})])
    odd = report(put(HIGH_RISK, "name", " a\x00b\n"), cut(HIGH_RISK, "documents.fria"))
    for reports in (
        [mixed],
        [report(), mixed],
        [unused],
        [odd],
        [report(frameworks=(human,))],
        [(manifests.report, manifests.places)],
    ):
        document = json.loads(render(reports, "oscal"))
        assert [error.message for error in validator.iter_errors(document)] == []
    document["assessment-results"]["results"][0]["observations"][0]["collected"] = "yesterday"
    assert list(validator.iter_errors(document)), "the schema tells good from bad"


def test_what_it_refers_to_is_there_and_named_once(mixed):
    document = oscal(mixed, report(facts(name="staging")))
    given = Counter(strings(document, "uuid"))
    assert set(given.values()) == {1}, [one for one, times in given.items() if times > 1][:3]
    for key in ("subject-uuid", "actor-uuid", "observation-uuid", "risk-uuid", "component-uuid"):
        asked = set(strings(document, key))
        assert asked, key
        assert asked <= set(given), key
    assert document["import-ap"]["href"] == f"#{document['back-matter']['resources'][0]['uuid']}"
    objectives = Counter(strings(document["local-definitions"], "id"))
    assert set(objectives.values()) == {1}
    assert set(strings(document, "target-id")) <= set(strings(document, "objective-id")) <= set(objectives)
    controls = Counter(strings(document["local-definitions"], "control-id"))
    assert set(controls.values()) == {1}
    assert set(strings(document["results"], "control-id")) == set(controls)


def test_equal_inputs_give_equal_bytes_and_other_content_another_document(mixed):
    again = report(*MIXED, exemptions=[EXEMPT])
    shuffled = replace(again[0], results=again[0].results[::-1]), again[1]
    assert render([mixed], "oscal") == render([again], "oscal") == render([shuffled], "oscal")
    before, after = oscal(mixed), oscal(report(*MIXED))
    assert before["uuid"] != after["uuid"]
    first, second = ({one["title"]: one["uuid"] for one in each["results"][0]["findings"]} for each in (before, after))
    assert first == second, "a finding keeps its identifier while it is asked of the same"


def test_no_finding_is_better_than_the_report(mixed):
    (told,) = oscal(mixed)["results"]
    worst = mixed[0].worst
    state = {one["target"]["target-id"]: one["target"]["status"] for one in told["findings"]}
    for name, outcome in worst.items():
        status = state.get(f"mlstrata_{name}_policies")
        if outcome is Outcome.NOT_APPLICABLE:
            assert status is None, name
        else:
            assert (status["state"] == "satisfied") is (outcome is Outcome.PASS), name
            assert (status["reason"] == "fail") is (outcome is Outcome.FAIL), name
    reasons = Counter((one["state"], one["reason"]) for one in state.values())
    assert set(reasons) == {("satisfied", "pass"), ("not-satisfied", "fail"), ("not-satisfied", "other")}
    kept = state["eu-ai-act_art-19-and-26-6_policies"]
    assert (kept["state"], kept["reason"]) == ("not-satisfied", "fail")
    assert "applies from 2027-12-02" in kept["remarks"]
    assert next(one["value"] for one in told["props"] if one["name"] == "passed") == "no"


def test_what_people_show_is_reviewed_by_no_check(mixed):
    document = oscal(mixed)
    people = {one for one in strings(document["local-definitions"], "id") if one.endswith("_people")}
    assert len(people) > 20
    assert not people & {*strings(document["results"], "objective-id"), *strings(document["results"], "target-id")}
    (selection, *_) = document["results"][0]["reviewed-controls"]["control-selections"]
    assert {"control-id": "eu-ai-act_art-22"} in selection["exclude-controls"]
    assert "never that it is legally adequate" in document["metadata"]["remarks"]


def test_an_observation_is_a_verdict_with_its_subject_place_and_day(mixed):
    (told,) = oscal(mixed)["results"]
    asked = [one for one in mixed[0].results if one.outcome is not Outcome.NOT_APPLICABLE]
    assert len(told["observations"]) == len(asked)
    (short,) = (one for one in told["observations"] if "kept 90 days" in one["description"])
    assert short["methods"] == ["TEST"]
    assert short["collected"] == f"{TODAY}T00:00:00+01:00"
    assert short["relevant-evidence"] == [{"description": f"Declared in {FILE}:7"}]
    assert short["remarks"] == "Fix: retention.predictions: 184d or more"
    kinds = {one["uuid"]: one["type"] for one in told["local-definitions"]["components"]}
    assert {kinds[one["subject-uuid"]] for one in short["subjects"]} == {"this-system"}
    names = {one["title"] for one in told["local-definitions"]["components"]}
    assert names == {"prod", HIGH_RISK, "ticket-routing"}
    assert "Not inspected: loki." in told["remarks"]


def test_an_exemption_is_a_risk_that_somebody_took_until_a_day_and_nothing_else_is_one(mixed):
    (told,) = oscal(mixed)["results"]
    (risk,) = told["risks"]
    assert (risk["status"], risk["statement"]) == ("deviation-approved", EXEMPT.reason)
    assert date.fromisoformat(risk["deadline"][:10]) == EXEMPT.expires
    assert {one["name"]: one["value"] for one in risk["props"]} == {"approver": "cto", "ticket": "ML-212"}
    related = [one["title"] for one in told["findings"] if {"risk-uuid": risk["uuid"]} in one.get("related-risks", [])]
    assert any(one.startswith("gpu-idle-scale-to-zero") for one in related)
    assert "risks" not in oscal(report(*MIXED))["results"][0]
