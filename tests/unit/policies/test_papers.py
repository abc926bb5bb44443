"""What papers of each kind must speak of: the points of the law, by words of five languages or by the law's letters."""

from pathlib import Path

import pytest
import yaml

from mlstrata.environments.spec.governance import DocumentsSpec
from mlstrata.policies.core import papers
from mlstrata.policies.core.documents import read
from mlstrata.policies.core.papers import missing, points, unmet

SOUND = yaml.safe_load(Path(__file__).with_name("papers_that_answer.yaml").read_text(encoding="utf-8"))
KINDS = sorted({*DocumentsSpec.model_fields, "memo"} - {"technical_file"})  # Annex IV has numbered sections


def letters(kind, text):
    return [point.letter for point in missing(kind, unmet(text))]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_paper_must_speak_of_something_that_the_law_asks(kind):
    assert points(kind)
    assert all(point.of and point.says for point in points(kind))


@pytest.mark.parametrize(
    ("kind", "text"),
    [(kind, text) for kind, texts in SOUND.items() for text in texts],
    ids=[f"{kind}-{at}" for kind, texts in SOUND.items() for at in range(len(texts))],
)
def test_a_paper_that_answers_passes(kind, text):
    assert letters(kind, text) == []


def test_every_kind_has_a_paper_that_answers():
    assert sorted(SOUND) == KINDS


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "Text.",
        "Looks fine.",
        "Risk. Measure.",
        "We looked at it and it is all right, really.",
        "# Data, purpose, necessity, risks, measures, persons, oversight, AI, 2024/1689, training, annex\n\nText.",
    ],
)
def test_a_paper_that_says_nothing_of_its_subject_does_not(kind, text):
    assert letters(kind, text)


def test_a_title_that_names_everything_stands_for_nothing():
    body = "The department has looked at this in depth and is content."
    assert letters("dpia", f"# Purpose, necessity, risks and measures\n\n{body}\n") == ["a", "b", "c", "d"]
    assert letters("dpia", f"# Risks and measures\n\n{body}\n") == ["a", "b"]


def test_in_any_language_the_letters_of_the_law_tell():
    text = "\n\n".join(
        f"## ({one}) Ocena\n\nSystem ocenia wnioski, a każdą decyzję podejmuje pracownik." for one in "abd"
    )
    assert letters("dpia", text) == ["c"]
    assert letters("dpia", text + "\n\n### c) Ryzyko\n\nOsoba może dostać odmowę bez powodu i bez odwołania.") == []


def test_a_heading_stands_for_what_is_beneath_its_own_headings_too():
    beneath = "### One\n\nA person may be turned away without cause.\n"
    assert letters("risk_register", f"## Risks\n\n{beneath}\n## Measures\n\n- no\n") == ["d"]


def test_a_list_of_words_is_no_sentence():
    assert letters("risk_register", "- risk\n- measure\n- harm\n- control\n- reduce\n- safeguard\n") == ["a", "d"]


def test_a_row_of_words_that_name_every_point_speaks_of_none():
    assert letters("dpia", "purpose necessary risk measure person data the and") == ["a", "b", "c", "d"]
    told = (
        "The purpose is to order work, it is necessary for that, the risk is a wrong denial, a person is the measure."
    )
    assert letters("dpia", told) == []


def test_a_table_speaks_of_what_its_head_names():
    table = "| No | Risk | Measure |\n|---|---|---|\n| 1 | Wrong denial | A person decides |\n"
    assert letters("risk_register", table) == []


@pytest.mark.parametrize(
    "held",
    [
        b"%PDF-1.7\nIt scores loans, and the risks and measures are here.",
        b"PK\x03\x04 word",
        b"\xff\xfeR\x00i\x00",
        b"a\x00b",
    ],
)
def test_what_is_no_text_was_not_read(tmp_path, held):
    (tmp_path / "a.pdf").write_bytes(held)
    assert read(["a.pdf"], tmp_path)["a.pdf"].exists is None


def test_what_is_still_to_be_written_answers_nothing(tmp_path):
    (tmp_path / "a.md").write_text(
        "# Risks\n\nThe risks of this are to be determined by the team.\n\nMeasures: TBD by all.\n"
    )
    assert {"risk_register.a", "risk_register.d"} <= read(["a.md"], tmp_path)["a.md"].lacks


def test_a_folder_is_no_paper(tmp_path):
    (tmp_path / "a.md").mkdir()
    assert read(["a.md", "b" * 400], tmp_path)["a.md"].exists is False


def test_every_word_is_a_pattern_that_finds_itself():
    table = yaml.safe_load(Path(papers.__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    assert {kind: [*of] for kind, of in table.items()} == {kind: [one.letter for one in points(kind)] for kind in table}
