"""The dossier's documents: reproducible, escaped, valid, and never complete by claim."""

import hashlib
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from pypdf import PdfReader

from mlstrata.evidence import Decision, DocumentFile, Evidence, Finding, ModelVersion, Package, Part, write
from mlstrata.evidence.annex_iv import TITLES, annex_iv
from mlstrata.evidence.answers import Answer
from mlstrata.evidence.blocks import Status, Table, Text
from mlstrata.evidence.bom import bill
from mlstrata.evidence.drafts import needs_dpia
from mlstrata.evidence.measured import GroupRate, by_group, wilson
from mlstrata.evidence.questions import QUESTIONS
from mlstrata.evidence.summary import WORST, summary, worst
from mlstrata.evidence.templates import registration
from mlstrata.evidence.verdicts import Says, difference, of_gaps, of_groups, of_metrics
from mlstrata.evidence.write import DOCUMENTS, documents_of
from mlstrata.policies.core.live import GateOutcome

WHEN = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
PATHS = (
    "risk_register fria instructions technical_file conformity declaration registration monitoring_plan "
    "incident_runbook dpia"
)


REPORTS = {
    "evaluation": {
        "parity": {"afam": {"groups": {
            "no": {"rows": 400, "positive_rate": 0.1, "base_rate": 0.2, "true_positive_rate": 0.3},
            "yes": {"rows": 100, "positive_rate": 0.2, "base_rate": 0.25, "true_positive_rate": None},
        }}},
        "roc": [[0.0, 0.0], [0.2, 0.7], [1.0, 1.0]],
        "calibration": [[0.1, 0.08, 250], [0.6, 0.5, 250]],
    },
    "gates": {"curves": {"ratio": {"values": [0.1, 0.5], "probabilities": [0.1, 0.3]}}},
    "quality": {"rows": 2000, "profile": {"ratio": {"kind": "number", "nulls": 0.01, "min": 0.0, "max": 3.0}}},
}  # fmt: skip


def known(**changes: object) -> Evidence:
    """One system with a released version and one decision."""
    system = {
        "name": "mortgage",
        "purpose": "Order applications.",
        "risk": {"tier": "high", "annex_iii": "5b", "role": "deployer", "profiling": True},
        "kpis": [{"metric": "auc", "at_least": 0.75}],
        "data": [{"name": "hmda", "classification": "personal", "special_categories": ["ethnic_origin"]}],
        "model": {"modality": "tabular", "task": "classification", "target": "deny", "protected": ["afam"]},
        "monitor": {"fairness": {"metric": "demographic_parity", "at_most": 0.15}},
        "constraints": ["For home loans."],
    }
    version = ModelVersion(
        "3", True, WHEN, "run", "pipeline", "c0ffee", "sha256:1", signature="inputs: double",
        metrics={"auc": 0.82, "auc_low": 0.78, "auc_high": 0.86, "parity_gap_afam": 0.11},
        gates=(GateOutcome("kpis", passed=True, detail="auc 0.82"),), reports=REPORTS,
    )  # fmt: skip
    decision = Decision(1, WHEN, "ana", "release", "", "3", "better", "done", "ab" * 32)
    base = Evidence(
        "local", "local", "foundation", "a@example.com", system, version=version, decisions=(decision,),
        parts=(Part("kubernetes:apps/v1:Deployment", "mortgage", "serving", own=True),),
        packages=(Package("skops", "0.13"),), log_whole=True,
    )  # fmt: skip
    return replace(base, **changes)


def answer(name: str, **changes: object) -> Answer:
    """What a person says to a question."""
    day = WHEN.date()
    said = Answer(QUESTIONS[name], f"answers/mortgage/{name}.md", f"It is so, says {name}.", "Ana Gil", "lead", day,
                  "Ben Ohm", day)  # fmt: skip
    return replace(said, **changes)


def complete() -> Evidence:
    """The same, with every document that a person writes and every question answered."""
    documents = tuple(
        DocumentFile(name, f"docs/{name}.md", True, date(2026, 11, 1), frozenset(range(1, 10)), "cd" * 32)
        for name in PATHS.split()
    )
    answers = {name: answer(name) for name in QUESTIONS}
    return known(documents=documents, findings=(Finding("aia-log", "Logs", "pass", "kept"),), answers=answers)


def files(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file()}


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


def test_the_manifest_has_the_hash_of_every_other_file(tmp_path: Path):
    write(known(), tmp_path)
    found = files(tmp_path)
    lines = found.pop("MANIFEST.sha256").decode().splitlines()
    assert lines == [f"{hashlib.sha256(found[name]).hexdigest()}  {name}" for name in sorted(found)]
    plots = {name.removeprefix("plots/") for name in found if name.startswith("plots/")}
    assert plots == {"architecture.svg", "metrics.svg", "roc.svg", "calibration.svg", "fairness.svg",
                     "groups-1-afam.svg", "behaviour-1-ratio.svg"}  # fmt: skip
    provider = ("technical-documentation", "instructions-for-use", "declaration-of-conformity", "monitoring-plan")
    documents = (*provider, "summary", "registration", "fria", "incident-report", "dpia", "decisions")
    assert {name.removesuffix(".pdf") for name in found if name.endswith(".pdf")} == set(documents)
    assert {f"{name}.html" for name in documents} <= set(found)
    data = {"index.html", "ml-bom.cdx.json", "registration.json", "decisions.json", "facts.json"}
    assert data <= set(found)


def test_settings_are_words_and_what_nobody_answered_is_not_denied(tmp_path: Path):
    lists = {
        "kpis": "[{'metric': 'auc', 'at_least': 0.75}]",
        "protected": "['afam', 'single']",
        "exclude": "[]",
        "odd": "[x",
    }
    version = known().version
    assert version is not None
    write(known(version=replace(version, settings=lists), retention={"documents": 4000.0}), tmp_path)
    page = (tmp_path / "technical-documentation.html").read_text(encoding="utf-8")
    assert "afam; single" in page
    assert "metric auc" in page
    assert "[x" in page
    assert "exclude" not in page
    assert "&#x27;afam" not in page
    assert "Declared as no component" not in page
    assert "risk.annex_i" in page
    assert "documents 4,000 days" in page or "documents 4000 days" in page


def test_another_process_with_another_hash_seed_writes_the_same_bytes(tmp_path: Path):
    """Sets change their order by the seed; nothing of that may show."""
    code = (
        "import importlib.util, pathlib, sys\n"
        f"spec = importlib.util.spec_from_file_location('made', {__file__!r})\n"
        "made = importlib.util.module_from_spec(spec)\nspec.loader.exec_module(made)\n"
        "made.write(made.complete(), pathlib.Path(sys.argv[1]))\n"
    )
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": "Asia/Tokyo" if seed == "2" else "UTC"}
        subprocess.run([sys.executable, "-c", code, str(tmp_path / seed)], check=True, env=environment)
    assert files(tmp_path / "1") == files(tmp_path / "2")


def test_nine_sections_and_each_says_what_is_missing():
    document = annex_iv(known(version=None, decisions=None, parts=None))
    assert [one.title for one in document.sections] == ["Completeness", *TITLES, "Signatures"]
    assert document.shown_title.startswith("DRAFT - incomplete")
    lacking = {one.title[0]: [need.what for need in one.missing] for one in document.sections[1:-1]}
    assert all(lacking.values())
    assert "a registered model version" in lacking["1"]
    assert "the audit log" in lacking["6"]
    assert "the planned resources" in lacking["3"]


def test_it_is_complete_only_with_every_document_and_every_fact(tmp_path: Path):
    assert write(complete(), tmp_path).missing == {}
    assert b"DRAFT" not in (tmp_path / "technical-documentation.html").read_bytes()
    drafted = {path.stem for path in tmp_path.glob("*.pdf")}
    assert not drafted & {"dpia", "monitoring-plan", "declaration-of-conformity"}, "it has its own"


def asked_by(evidence: Evidence) -> set[str]:
    """Ids of the questions that a dossier leaves open."""
    return {need.question for document in documents_of(evidence) for need in document.missing if need.question}


def open_ones() -> list[str]:
    return sorted(asked_by(known()))


@pytest.mark.parametrize("name", open_ones())
def test_one_question_that_nobody_answers_leaves_it_incomplete(name: str):
    # Without documents of its own, whose drafts then ask too.
    full = replace(complete(), documents=())
    silent = replace(full, answers={key: one for key, one in full.answers.items() if key != name})
    assert asked_by(full) == set()
    assert asked_by(silent) == {name}
    refused = replace(full, answers={**full.answers, name: answer(name, faults=("it repeats the question",))})
    (need, *_) = [one for document in documents_of(refused) for one in document.missing if one.question]
    assert need.what.endswith(f"answers/mortgage/{name}.md: it repeats the question")


def test_every_question_is_asked_of_some_system():
    base = known().system
    product = {"tier": "high", "annex_i": True, "annex_iii": "none", "role": "provider"}
    public = {"tier": "high", "annex_iii": "5a", "role": "deployer", "public_body": True, "provider": "Acme Models"}
    taken_out = {"tier": "minimal", "annex_iii": "5a", "exemption": {"condition": "a", "memo": "docs/memo.md"}}
    before = {"form": 1, "system": {**base, "purpose": "Another."}}
    found = asked_by(known(since=before))
    for risk in (product, public, taken_out):
        found |= asked_by(known(system={**base, "risk": risk}))
    assert found == set(QUESTIONS)


@pytest.mark.parametrize(
    "change", [{"empty": True}, {"later": date(2027, 1, 1)}, {"exists": False}, {"path": "docs/fria.md"}],
    ids=["empty", "of a day to come", "absent", "one file for three"],
)  # fmt: skip
def test_a_document_that_says_nothing_answers_nothing(change: dict[str, object]):
    full = complete()
    changed = ("declaration", "conformity", "risk_register")
    documents = tuple(replace(one, **change) if one.name in changed else one for one in full.documents)
    lacking = {need.what for document in documents_of(replace(full, documents=documents)) for need in document.missing}
    assert any(one.startswith("EU declaration of conformity (Art. 47)") for one in lacking)
    assert any(one.startswith("Risk management file (Art. 9)") for one in lacking)


def blocks_of(evidence: Evidence) -> list[tuple[str, object]]:
    documents = documents_of(evidence)
    every = (summary(evidence, documents), *documents)
    return [(one.name, block) for one in every for section in one.sections for block in section.blocks]


def test_every_sentence_is_marked_and_the_pages_show_it(tmp_path: Path):
    """Plots are of what was observed; what is needed and headings state nothing."""
    marked = [block for _, block in blocks_of(complete()) if isinstance(block, Text | Table)]
    assert all(isinstance(block.status, Status) for block in marked)
    assert {block.status for block in marked} == set(Status)
    write(complete(), tmp_path)
    page = (tmp_path / "technical-documentation.html").read_text()
    for status in ("declared", "planned", "observed"):
        assert f'<span class="mark {status}">{status}</span>' in page
        assert f"[{status}]" in text_of((tmp_path / "technical-documentation.pdf").read_bytes())


WISHES = {
    "oversight": {"owner": "risk@example.com", "kill_switch": True, "two_person": True, "review": "desk"},
    "serving": {"mode": "realtime", "explain": {"method": "shap"}, "sla": {"availability": 99.9}},
    "rollout": {"strategy": "canary", "rollback": {"on": "errors"}},
    "monitor": {"drift": {"psi": 0.2}, "fairness": {"at_most": 0.15}},
    "retire": {"date": "2027-06-01"},
}


def test_no_wish_is_stated_as_a_fact():
    """What the file alone wants is marked declared, whichever page it is on, and nothing else says that it is so."""
    evidence = known(
        system={**known().system, **WISHES}, retention={"logs": 400.0, "documents": 4000.0, "predictions": 400.0},
        version=None, decisions=None, findings=None, parts=None,
    )  # fmt: skip
    wanted = ("risk@example.com", "shap", "canary", "400 days", "4000 days", "2027-06-01", "0.2")
    facts_of = [block for _, block in blocks_of(evidence) if isinstance(block, Text | Table)]
    for block in facts_of:
        cells = [block.text] if isinstance(block, Text) else [cell for row in block.rows for cell in row]
        if any(wish in cell for wish in wanted for cell in cells) and block.status is not Status.DECLARED:
            # The table of promises has a column for each mark.
            assert isinstance(block, Table)
            assert block.headings == ("promise", "declared", "planned", "observed")
            assert all(row[3] == "not observed" for row in block.rows)
    said = " ".join(
        " ".join([block.text] if isinstance(block, Text) else [block.caption, *(c for row in block.rows for c in row)])
        for block in facts_of
    ).lower()
    for fact in ("can be stopped",  "is recorded", "are recorded", "is explained", "are kept",
                 "kept for", "is stopped", "are measured, with alerts"):  # fmt: skip
        assert fact not in said.replace("to be kept for", ""), fact


def test_a_promise_is_shown_as_planned_and_as_observed_apart():
    found = (
        Finding("aia-kill-switch", "Stop", "fail", "mortgage: nothing deployed is one"),
        Finding("life-rollback-target", "Back", "pass", "mortgage: version 2", observed=True),
    )
    (table, *_) = [
        block for _, block in blocks_of(known(system={**known().system, **WISHES}, findings=found))
        if isinstance(block, Table) and block.headings[:1] == ("promise",)
    ]  # fmt: skip
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["to be stopped at once by that person"] == (
        "yes",
        "fail: mortgage: nothing deployed is one",
        "not observed",
    )
    assert rows["to have a version to go back to"][1:] == ("-", "pass: mortgage: version 2")


@pytest.mark.parametrize(
    ("figures", "verdict"),
    [
        ({"parity_gap_afam": 0.11, "parity_gap_afam_low": 0.05, "parity_gap_afam_high": 0.14}, Says.HOLDS),
        ({"parity_gap_afam": 0.11, "parity_gap_afam_low": 0.05, "parity_gap_afam_high": 0.15}, Says.HOLDS),
        ({"parity_gap_afam": 0.099, "parity_gap_afam_low": 0.03, "parity_gap_afam_high": 0.174}, Says.NOT_SHOWN),
        ({"parity_gap_afam": 0.2, "parity_gap_afam_low": 0.16, "parity_gap_afam_high": 0.3}, Says.BROKEN),
        ({"parity_gap_afam": 0.11}, Says.UNJUDGED),
    ],
)
def test_a_limit_holds_only_where_the_whole_interval_does(figures, verdict):
    version = known().version
    assert version is not None
    evidence = known(version=replace(version, metrics=figures))
    (found,) = of_gaps(evidence)
    assert (found.of, found.verdict) == ("afam", verdict)
    rows = [row for _, block in blocks_of(evidence) if isinstance(block, Table) and "Verdict" in block.caption
            for row in block.rows]  # fmt: skip
    assert any(row[:2] == ("afam", str(verdict)) and row[2] for row in rows)


def test_a_metric_that_a_constant_reaches_is_told():
    version = known().version
    assert version is not None
    figures = {"auc": 0.82, "auc_low": 0.78, "auc_high": 0.86, "accuracy": 0.9, "accuracy_low": 0.87,
               "accuracy_high": 0.92, "baseline_accuracy": 0.88}  # fmt: skip
    found = {(one.of, one.verdict) for one in of_metrics(known(version=replace(version, metrics=figures)))}
    assert found == {("auc", Says.HOLDS), ("accuracy", Says.NO_BETTER)}


def test_each_group_has_a_verdict_against_the_largest():
    groups = {
        "no": {"rows": 4000, "positive_rate": 0.1, "base_rate": 0.2, "true_positive_rate": 0.4},
        "yes": {"rows": 300, "positive_rate": 0.3, "base_rate": 0.2, "true_positive_rate": 0.4},
        "few": {"rows": 12, "positive_rate": 0.5, "base_rate": 0.5, "true_positive_rate": 0.5},
    }
    version = known().version
    assert version is not None
    evidence = known(version=replace(version, reports={"evaluation": {"parity": {"afam": {"groups": groups}}}}))
    found = {one.of: one for one in of_groups(evidence)}
    assert found["afam yes: Positive labels (selection rate)"].verdict is Says.DIFFERS
    assert "30.0% against 10.0% of afam no" in found["afam yes: Positive labels (selection rate)"].sentence
    assert found["afam few: Positive labels (selection rate)"].verdict is Says.TOO_FEW
    same = "afam yes: Positive labels among the truly positive (true positive rate)"
    assert found[same].verdict is Says.NO_DIFFERENCE
    groups_told = {one.of.split(":")[0] for one in found.values()}
    assert groups_told == {"afam yes", "afam few"}, "each but the one that the others are held against"


def test_the_interval_of_a_difference_is_newcombes():
    """56 of 70 against 48 of 80: 0.0524 to 0.3339 (Newcombe 1998, table II (a), method 10)."""
    one, other = (
        GroupRate("a", str(hits), "accuracy", rows, hits / rows, *wilson(hits / rows, rows))
        for hits, rows in ((56, 70), (48, 80))
    )
    assert difference(one, other) == pytest.approx((0.0524, 0.3339), abs=1e-4)


def test_the_summary_has_the_five_worst_facts_on_two_pages(tmp_path: Path):
    title, why = "Asks. " * 40, "mortgage: because. " * 60
    found = tuple(
        Finding(f"aia-{number}", title, "fail", why, blocking=number < 3, severity="high") for number in range(9)
    )
    evidence = known(findings=found, log_whole=False)
    documents = documents_of(evidence)
    facts_of = worst(evidence, documents)
    assert facts_of[0].text.startswith("The audit log's chain of hashes is broken")
    assert [one.text.split()[1] for one in facts_of[1:4]] == ["aia-0", "aia-1", "aia-2"], "what blocks comes first"
    weights = [one.weight for one in facts_of]
    assert weights == sorted(weights, reverse=True)
    first = summary(evidence, documents).sections[0]
    assert first.title == "The 5 worst facts"
    assert sum(isinstance(block, Text) and block.status is not Status.NOTE for block in first.blocks) == WORST
    write(evidence, tmp_path)
    assert len(PdfReader(tmp_path / "summary.pdf").pages) <= 2


def test_changes_since_an_earlier_dossier_are_told_with_what_may_be_substantial(tmp_path: Path):
    write(complete(), tmp_path / "then")
    before = json.loads((tmp_path / "then/facts.json").read_text())
    same = write(replace(complete(), since=before), tmp_path / "same")
    assert same.complete
    assert "Nothing differs." in (tmp_path / "same/changes.html").read_text()
    system = {**complete().system, "purpose": "Refuse applications.", "owner": "b@example.com"}
    after = replace(complete(), since=before, system=system, answers={})
    (document,) = [one for one in documents_of(after) if one.name == "changes"]
    (rows,) = [block.rows for block in document.sections[0].blocks if isinstance(block, Table)]
    told = {row[0]: row[3] for row in rows}
    assert told["system.purpose"] == "the intended purpose (Art. 3(23))"
    assert told["system.owner"] == "-"
    assert [need.question for need in document.missing] == ["changes.substantial"]


@pytest.mark.parametrize(
    "change",
    [
        {"version": None},
        {"decisions": None},
        {"log_whole": False},
        {"parts": None},
        {"findings": None},
        {"unreadable": ("the registry: down",)},
        {"version": ModelVersion("3", metrics={"auc": 0.8}, signature="x")},
        {"version": ModelVersion("3", metrics={"auc": 0.8}, gates=())},
    ],
    ids=["version", "log", "chain", "plan", "findings", "unreadable", "gates", "signature"],
)
def test_a_missing_fact_is_not_made_good_by_a_document(change: dict[str, object]):
    assert not annex_iv(replace(complete(), **change)).complete


@pytest.mark.parametrize("name", PATHS.replace("dpia", "").split())
def test_a_named_document_that_does_not_exist_leaves_it_incomplete(name: str, tmp_path: Path):
    full = complete()
    gone = tuple(
        replace(one, exists=False, sections=frozenset()) if one.name == name else one for one in full.documents
    )
    assert not write(replace(full, documents=gone), tmp_path).complete


def test_the_pdf_has_title_language_and_text():
    with TemporaryDirectory() as folder:
        write(known(), Path(folder))
        pdf = (Path(folder) / "technical-documentation.pdf").read_bytes()
    reader = PdfReader(io.BytesIO(pdf))
    assert reader.metadata is not None
    assert reader.metadata.title == "DRAFT - incomplete: Technical documentation (AI Act, Annex IV): mortgage"
    assert reader.trailer["/Root"]["/Lang"] == "en"
    text = text_of(pdf)
    for part in (*TITLES, "0.82", "c0ffee", "human input required"):
        assert part in text


def test_the_bill_of_materials_is_valid_and_says_what_is_known():
    found = bill(known())
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(found)) is None
    model = found["metadata"]["component"]
    assert (model["type"], model["version"]) == ("machine-learning-model", "3")
    auc = model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"][0]
    assert auc == {"type": "auc", "value": "0.82", "confidenceInterval": {"lowerBound": "0.78", "upperBound": "0.86"}}
    metrics = model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    rates = {(one["type"], one["slice"]): one["value"] for one in metrics if "slice" in one}
    assert rates["positive_rate", "afam = yes"] == "0.2"
    assert [one["name"] for one in found["components"]] == ["hmda", "skops"]
    assert found["serialNumber"] != bill(known(packages=(Package("skops", "0.14"),)))["serialNumber"]


@pytest.mark.parametrize(
    ("risk", "section"),
    [
        ({"role": "provider", "annex_iii": "5b"}, "A"),
        ({"role": "deployer", "annex_iii": "5b"}, "A"),  # whoever trains a model here is its provider
        ({"role": "authorised_representative", "annex_iii": "5b", "provider": "Acme Models"}, "A"),
        ({"role": "deployer", "annex_iii": "5b", "provider": "Acme Models"}, ""),
        ({"role": "deployer", "annex_iii": "5b", "provider": "Acme Models", "public_body": True}, "C"),
        ({"role": "deployer", "annex_iii": "5a", "provider": "Acme Models"}, "C"),
        ({"role": "deployer", "annex_iii": "2", "provider": "Acme Models", "public_body": True}, ""),
        ({"role": "importer", "annex_iii": "5b", "provider": "Acme Models"}, ""),
        ({"role": "provider", "annex_i": True}, ""),
        ({"role": "provider", "tier": "limited"}, ""),
    ],
)
def test_an_entry_is_drafted_for_those_who_file_one(risk: dict[str, object], section: str, tmp_path: Path):
    evidence = replace(known(), system={**known().system, "risk": {"tier": "high", **risk}})
    found = registration(evidence)
    assert (str(found["section"]), found["complete"]) == (section, False) if found else section == ""
    write(evidence, tmp_path)
    assert (tmp_path / "registration.json").exists() == (tmp_path / "registration.html").exists() == bool(section)


def test_a_registration_is_complete_only_when_every_field_is_filled():
    full = registration(complete())
    assert full is not None
    assert (full["complete"], full["missing"]) == (True, [])
    for name in ("registration.states", "provider.identity", "registration.certificate"):
        answers = {**complete().answers, name: answer(name, faults=("it is empty",))}
        found = registration(replace(complete(), answers=answers))
        assert found is not None
        assert (found["complete"], len(list(found["missing"]))) == (False, 1)


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({}, True),
        ({"data": [{"name": "a", "classification": "personal"}]}, True),
        ({"data": [{"name": "a", "classification": "internal"}]}, False),
        ({"risk": {"tier": "limited"}}, True),  # special categories
        ({"risk": {"tier": "limited"}, "data": [{"name": "a", "classification": "personal"}]}, False),
        ({"risk": {"tier": "limited", "profiling": True}, "data": [{"name": "a", "personal": ["b"]}]}, True),
    ],
)
def test_a_dpia_is_drafted_where_one_is_needed(changes: dict[str, object], asked: bool):
    assert needs_dpia(known(system={**known().system, **changes})) is asked


def test_documents_of_providers_are_drafted_for_providers():
    deployer = {"tier": "high", "annex_iii": "5b", "role": "deployer", "provider": "Acme Models"}
    names = {one.name for one in documents_of(known(system={**known().system, "risk": deployer}))}
    assert names == {"fria", "incident-report", "dpia", "decisions"}
    assert len(DOCUMENTS) == 10


def test_the_day_is_that_of_the_newest_fact_or_the_one_asked_for():
    assert known().day == WHEN.date()
    assert known(as_of=date(2027, 12, 2)).day == date(2027, 12, 2)
    assert known(version=None, decisions=None).day is None


HOSTILE = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</para><font>", "שלום עולם", "\u202eevil",
    "\ud800", "中文", "x" * 4_000, "word " * 900, "\x00\x1b[31m", "",
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=[ascii(text)[:12] for text in HOSTILE])
def test_any_text_is_escaped_laid_out_and_the_same_twice(text: str):
    evidence = known(
        system={**known().system, "purpose": text, "name": text or "n", "data": [{"name": text, "description": text}]},
        version=ModelVersion(text, metrics={text: 0.5}, settings={text: text}, signature=text, commit=text,
                             gates=(GateOutcome(text, passed=False, detail=text),),
                             reports={"quality": {"profile": {text: {"kind": text}}}}),
        decisions=(Decision(1, WHEN, text, "release", text, text, text, "done", "0"),),
        parts=(Part(text, text, text),),
        unreadable=(text,),
    )  # fmt: skip
    with TemporaryDirectory() as folder:
        for name in ("a", "b"):
            write(evidence, Path(folder) / name)
        found = files(Path(folder) / "a")
        assert found == files(Path(folder) / "b")
    for name, content in found.items():
        if name.endswith((".html", ".svg")):
            page = content.decode()
            assert not any(tag in page for tag in ("<script", "<img src=x", "<font", "\u202e", "\x1b"))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(found["ml-bom.cdx.json"].decode()) is None


def test_rates_by_group_follow_from_what_was_counted():
    """Of 400, 20 % are positive, and 10 % are labelled so: 24 of the 80 rightly, so 16 of the other 320 wrongly."""
    version = known().version
    assert version is not None
    rates = {(one.group, one.rate): one for one in by_group(version)}
    assert rates["no", "true_positive_rate"].rows == 80
    assert rates["no", "false_positive_rate"].value == pytest.approx(16 / 320)
    assert rates["no", "accuracy"].value == pytest.approx((24 + 304) / 400)
    assert ("yes", "accuracy") not in rates, "with no true positive rate nothing else follows"


@pytest.mark.parametrize(("share", "rows", "low", "high"), [(0.0, 10, 0.0, 0.2775), (0.1, 100, 0.0552, 0.1744)])
def test_the_interval_of_a_share_is_wilsons(share: float, rows: int, low: float, high: float):
    assert wilson(share, rows) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize("reports", [
    {"evaluation": {"parity": 3, "roc": "x", "calibration": [[1, 2]]}, "quality": {"profile": []}},
    {"evaluation": None, "gates": {"curves": {"a": {"values": None}}}},
    {"evaluation": {"parity": {"a": {"groups": {"b": {"rows": "many", "positive_rate": True}}}}}},
])  # fmt: skip
def test_a_report_of_another_form_gives_no_plot_and_stops_nothing(reports: dict[str, object], tmp_path: Path):
    version = known().version
    assert version is not None
    write(known(version=replace(version, reports=reports)), tmp_path)
    assert sorted(one.name for one in (tmp_path / "plots").iterdir()) == [
        "architecture.svg",
        "fairness.svg",
        "metrics.svg",
    ]


def test_the_cover_names_every_document_what_lacks_and_every_hash(tmp_path: Path):
    write(known(), tmp_path)
    found = files(tmp_path)
    cover = found.pop("index.html").decode()
    found.pop("MANIFEST.sha256")
    assert "DRAFT - incomplete" in cover
    assert all(hashlib.sha256(content).hexdigest() in cover for content in found.values())


def test_a_condition_of_article_6_3_is_registered_in_section_b():
    evidence = known()
    risk = {"role": "provider", "exemption": {"condition": "a", "memo": "docs/memo.md"}}
    found = registration(replace(evidence, system={**evidence.system, "risk": risk}))
    assert found is not None
    assert (found["section"], "grounds" in list(found["missing"])) == ("B", True)


def test_every_page_of_the_pdf_has_its_number_and_the_contents_lead_to_the_sections(tmp_path: Path):
    write(known(), tmp_path)
    reader = PdfReader(tmp_path / "technical-documentation.pdf")
    pages = [page.extract_text() for page in reader.pages]
    assert all(f"page {number} of {len(pages)}" in text for number, text in enumerate(pages, start=1))
    assert [str(one["/Title"]) for one in reader.outline if not isinstance(one, list)] == [
        "Completeness",
        *TITLES,
        "Signatures",
    ]
