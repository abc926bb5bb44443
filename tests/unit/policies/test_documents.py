"""What a document says about itself."""

from datetime import date

import pytest

from mlstrata.policies.core.documents import read

NAMED = ("docs/risk.md", "docs/memo.md", "https://example.com/file")


def known(tmp_path, text: str | None):
    (tmp_path / "docs").mkdir()
    if text is not None:
        (tmp_path / "docs" / "risk.md").write_text(text)
    return read(NAMED, tmp_path)


def test_a_document_says_when_it_was_reviewed_and_for_which_model(tmp_path):
    found = known(tmp_path, "# Risks\n\n**Reviewed:** 2026-10-01\nModel version: v7\n")
    assert found["docs/risk.md"].reviewed == date(2026, 10, 1)
    assert found["docs/risk.md"].model_version == "7"
    assert found["docs/risk.md"].exists
    assert found["docs/risk.md"].notified is None
    assert found["docs/memo.md"].exists is False
    assert found["https://example.com/file"].exists is None


def test_a_document_says_when_an_authority_was_told(tmp_path):
    found = known(tmp_path, "- Notified: 2026-09-15 (market surveillance)\n")["docs/risk.md"]
    assert (found.notified, found.reviewed) == (date(2026, 9, 15), None)


@pytest.mark.parametrize(
    "text", ["reviewed 2026-10-01", "Reviewed: soon", "Reviewed: 2026-13-01", "reviewed it: 2026-10-01"]
)
def test_no_day_is_no_day(tmp_path, text):
    assert known(tmp_path, text)["docs/risk.md"].reviewed is None


def test_a_section_counts_when_it_holds_text(tmp_path):
    text = "# 1. General\ntext\n## 2 Process\n\n### Section 3: Monitoring\nHuman input required.\n"
    text += "## 9) Plan\nyes\n## 10 More\nx"
    assert known(tmp_path, text)["docs/risk.md"].sections == {1, 9}


@pytest.mark.parametrize(
    "body",
    ["TBD", "TODO: ask the team", "n/a", "N/A.", "...", "…", "- tbd\n- todo", "x", "*To be defined*", "none", "—"],
)
def test_a_section_that_says_nothing_yet_is_empty(tmp_path, body):
    assert known(tmp_path, f"# 1. General\n\n{body}\n")["docs/risk.md"].sections == set()


@pytest.mark.parametrize("body", ["None of the data is personal.", "TBD\nIt scores loans.", "xgboost 3.1", "0.91"])
def test_a_section_with_any_text_is_not(tmp_path, body):
    assert known(tmp_path, f"# 1. General\n\n{body}\n")["docs/risk.md"].sections == {1}


def test_a_document_that_is_not_there(tmp_path):
    assert known(tmp_path, None)["docs/risk.md"].exists is False
