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
from mlstrata.evidence.bom import bill
from mlstrata.evidence.measured import by_group, wilson
from mlstrata.evidence.templates import registration
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
        "risk": {"tier": "high", "annex_iii": "5b", "role": "deployer"},
        "kpis": [{"metric": "auc", "at_least": 0.75}],
        "data": [{"name": "hmda", "classification": "personal", "special_categories": ["ethnic_origin"]}],
        "model": {"modality": "tabular", "task": "classification", "target": "deny", "protected": ["afam"]},
        "monitor": {"fairness": {"metric": "demographic_parity", "at_most": 0.15}},
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


def complete() -> Evidence:
    """The same, with every document that a person writes."""
    documents = tuple(
        DocumentFile(name, f"docs/{name}.md", True, date(2026, 11, 1), frozenset(range(1, 10)), "cd" * 32)
        for name in PATHS.split()
    )
    return known(documents=documents, findings=(Finding("aia-log", "Logs", "pass", "kept"),))


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
    assert plots == {"metrics.svg", "roc.svg", "calibration.svg", "fairness.svg", "groups-1-afam.svg",
                     "behaviour-1-ratio.svg"}  # fmt: skip
    documents = ("technical-documentation", "registration", "fria", "instructions-for-use", "decisions")
    assert {f"{name}.{kind}" for name in documents for kind in ("html", "pdf")} <= set(found)
    assert {"index.html", "ml-bom.cdx.json", "registration.json", "decisions.json"} <= set(found)


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


@pytest.mark.parametrize(("role", "section"), [("deployer", "C"), ("provider", "A"), ("importer", "A")])
def test_the_registration_follows_the_role(role: str, section: str):
    evidence = known()
    # Whoever trains a model here is its provider, unless somebody else is.
    risk = {"role": role, **({"provider": "Acme Models"} if role == "deployer" else {})}
    found = registration(replace(evidence, system={**evidence.system, "risk": risk}))
    assert (found["section"], found["complete"]) == (section, False)


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
    assert sorted(one.name for one in (tmp_path / "plots").iterdir()) == ["fairness.svg", "metrics.svg"]


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
    assert (found["section"], "grounds" in found["missing"]) == ("B", True)


def test_every_page_of_the_pdf_has_its_number_and_the_contents_lead_to_the_sections(tmp_path: Path):
    write(known(), tmp_path)
    reader = PdfReader(tmp_path / "technical-documentation.pdf")
    pages = [page.extract_text() for page in reader.pages]
    assert all(f"page {number} of {len(pages)}" in text for number, text in enumerate(pages, start=1))
    assert [str(one["/Title"]) for one in reader.outline] == ["Completeness", *TITLES, "Signatures"]
