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


def test_particulars_are_read_in_german_too(tmp_path):
    text = "**Zuletzt geprüft am:** 2026-10-01\nMitgeteilt: 2026-10-02\nUnterzeichnet am: 2026-10-03\n"
    text += "Unterzeichnet von: Ada Lovelace\nModellversion: 7\n\n## Abschnitt 2: Entwicklung\nDer Text steht hier.\n"
    found = known(tmp_path, text)["docs/risk.md"]
    assert (found.reviewed, found.notified, found.dated) == (date(2026, 10, 1), date(2026, 10, 2), date(2026, 10, 3))
    assert (found.signed, found.model_version, found.sections) == (True, "7", {2})


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
    text += "## 9) Plan\nIt is elsewhere.\n## 10 More\nx"
    assert known(tmp_path, text)["docs/risk.md"].sections == {9}


@pytest.mark.parametrize(
    "body",
    [
        "TBD",
        "TODO: ask the team",
        "n/a",
        "N/A.",
        "...",
        "…",
        "- tbd\n- todo",
        "x",
        "*To be defined*",
        "none",
        "—",
        "y",
        "yes",
        "0.91",
        "Looks fine.",
        "### All of what is asked here",
    ],
)
def test_a_section_that_says_nothing_yet_is_empty(tmp_path, body):
    assert known(tmp_path, f"# 1. General\n\n{body}\n")["docs/risk.md"].sections == set()


@pytest.mark.parametrize("body", ["None of the data is personal.", "TBD\nIt scores loans.", "None, as it is new."])
def test_a_section_with_any_text_is_not(tmp_path, body):
    assert known(tmp_path, f"# 1. General\n\n{body}\n")["docs/risk.md"].sections == {1}


def test_a_document_that_is_not_there(tmp_path):
    assert known(tmp_path, None)["docs/risk.md"].exists is False


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "# Risks\n\nReviewed: 2026-10-01\nOwner: a@example.com\n\nTBD\n",
        "# Risks\n```\nIt scores loans, and a person decides.\n```\n",
        "~~~text\nIt scores loans.\n",
        "<!-- It scores loans. -->\n# Risks\n",
        "Risks\n=====\n...\n",
        "# Risks\n\nq\n",
        "# Plan\n\nTo be written by the legal department next year.\n",
        "# Plan\n\n[Insert the plan here]\n",
        "# Plan\n\nÜberprüft: 2026-10-01\nWird noch ergänzt.\n",
    ],
)
def test_a_document_without_a_sentence_is_empty(tmp_path, text):
    found = known(tmp_path, text)["docs/risk.md"]
    assert found.exists
    assert found.empty


@pytest.mark.parametrize(
    "text",
    ["It scores loans.", "# Risks\n```\ncode\n```\nTwo.\n", "- tbd\n- a risk", "Each denial has to be confirmed."],
)
def test_a_document_with_a_sentence_is_not(tmp_path, text):
    assert not known(tmp_path, text)["docs/risk.md"].empty


def test_what_stands_in_a_block_of_code_says_nothing_of_the_document(tmp_path):
    text = "Text.\n```\nReviewed: 2026-10-01\nModel version: 7\n# 1. General\nIt scores loans.\n```\n"
    found = known(tmp_path, text)["docs/risk.md"]
    assert (found.reviewed, found.model_version, found.sections) == (None, "", frozenset())


@pytest.mark.parametrize(
    ("text", "dated", "signed"),
    [
        ("Date: 2026-10-01\nSigned by: Ada Lovelace", date(2026, 10, 1), True),
        ("**Approved on:** 2026-10-01\n**Approved by:** Ada", date(2026, 10, 1), True),
        ("Signed by:\nDate: soon", None, False),
        ("It was signed by: nobody", None, False),
    ],
)
def test_a_document_says_when_it_was_signed_and_by_whom(tmp_path, text, dated, signed):
    found = known(tmp_path, text)["docs/risk.md"]
    assert (found.dated, found.signed) == (dated, signed)
