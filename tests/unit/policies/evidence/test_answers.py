"""An answer counts that a named person gave after the model was made and somebody approved; nothing else does."""

import string
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlstrata.evidence.answers import FOLDER, SAME_FOR, natural_person, read, template
from mlstrata.evidence.questions import QUESTIONS

MADE, TODAY = date(2026, 11, 20), date(2026, 11, 30)
ID = "annex-iv.2.b.design"
SOUND = {
    "question": ID,
    "author": "Ana García",
    "role": "Lead of the lending models",
    "date": "2026-11-21",
    "approved_by": "Ben O'Neil",
    "approved_on": "2026-11-22",
}
TEXT = "A logistic model was taken before trees, as underwriters must be able to follow each weight of it.\n"


def written(root: Path, text: str = TEXT, name: str = ID, **changes: str | None) -> Path:
    front = {**SOUND, "question": name, **changes}
    lines = [f"{key}: {value}" for key, value in front.items() if value is not None]
    file = root / FOLDER / "loans" / f"{name}.md"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(["---", *lines, "---", text]), encoding="utf-8")
    return file


def faults(root: Path, name: str = ID) -> str:
    found, stray = read(root, "loans", today=TODAY, made=MADE)
    assert stray == ()
    return "; ".join(found[name].faults)


def test_a_sound_answer_counts(tmp_path):
    written(tmp_path)
    found, _ = read(tmp_path, "loans", today=TODAY, made=MADE)
    answer = found[ID]
    assert answer.faults == ()
    assert (answer.author, answer.day, answer.approved_by) == ("Ana García", date(2026, 11, 21), "Ben O'Neil")
    assert answer.text == TEXT.strip()


ASKED = QUESTIONS[ID].asks


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "says too little"),
        ("x", "not finished: 'x'"),
        ("x\n\nx\n\nX", "not finished"),
        ("x y z a b c d e f", "says too little: 0"),
        ("TBD", "not finished: 'TBD'"),
        ("n/a", "not finished: 'n/a'"),
        ("None.", "not finished"),
        ("...", "not finished"),
        ("Lorem ipsum dolor sit amet, consectetur adipiscing elit", "not finished: 'Lorem ipsum'"),
        ("We took a logistic model as it is easy to follow. TODO: say why no trees.", "not finished: 'TODO'"),
        ("The reasons for the choice are to be completed by the team before release.", "to be completed"),
        ("[insert the reasons of the choice here, with all assumptions]", "[insert"),
        ("[human input required: design choices]", "human input required"),
        ("yes", "says too little"),
        ("word word word word word word word", "says too little: 1"),
        ("All fine here.", "says too little"),
        (ASKED, "repeats the question"),
        (f"Say {ASKED}.", "repeats the question"),
        (f"{ASKED.upper()}? Yes!", "repeats the question"),
        ("<!-- A logistic model was taken, as underwriters must follow each weight. -->", "says too little"),
        ("```\nA logistic model was taken, as underwriters must follow each weight.\n```", "says too little"),
    ],
)
def test_a_text_that_says_nothing_does_not_count(tmp_path, text, said):
    written(tmp_path, text)
    assert said in faults(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"author": ""}, "author is empty"),
        ({"author": None}, "author is empty"),
        ({"author": "x"}, "author is no first and last name"),
        ({"author": "n/a"}, "author is no first"),
        ({"author": "N. N."}, "author is no first"),
        ({"author": "Ana"}, "author is no first"),
        ({"author": "ana@example.com"}, "author is no first"),
        ({"author": "lending@example.com, Ana"}, "author is no first"),
        ({"author": "Model Risk Team"}, "author is no first"),
        ({"author": "Compliance Department"}, "author is no first"),
        ({"author": "Acme GmbH"}, "author is no first"),
        ({"author": "John Doe"}, "author is no first"),
        ({"author": "Max Mustermann"}, "author is no first"),
        ({"author": "First Last"}, "author is no first"),
        ({"author": "Your Name"}, "author is no first"),
        ({"author": "xx xx"}, "author is no first"),
        ({"author": "user 123"}, "author is no first"),
        ({"author": "[Ana, Ben]"}, "author is empty"),
        ({"approved_by": ""}, "approved_by is empty"),
        ({"approved_by": "The Board of Directors, Risk Office"}, "approved_by is no first"),
        ({"approved_by": "Ana García"}, "its author approved it"),
        ({"approved_by": "GARCÍA, Ana"}, "its author approved it"),
        ({"role": ""}, "role says nothing"),
        ({"role": "n/a"}, "role says nothing"),
        ({"role": "'-'"}, "role says nothing"),
        ({"date": ""}, "date is no day"),
        ({"date": "yesterday"}, "date is no day"),
        ({"date": "2026-11-31"}, "date is no day"),
        ({"date": "2026-12-01", "approved_on": "2026-12-01"}, "date is 2026-12-01, a day that is still to come"),
        ({"date": "2026-11-19"}, "and the model's version of 2026-11-20"),
        ({"approved_on": "2027-01-01"}, "approved_on is 2027-01-01, a day that is still to come"),
        ({"approved_on": "2026-11-20"}, "before it was written"),
        ({"question": "annex-iv.4.metrics"}, "its `question` is not"),
        ({"autor": "Ana García"}, "got autor; allowed question, author"),
    ],
)  # fmt: skip
def test_an_answer_that_no_person_gives_or_approves_does_not_count(tmp_path, change, said):
    file = written(tmp_path, name=ID)
    front = {**SOUND, **change}
    lines = [f"{key}: {value}" for key, value in front.items() if value is not None]
    file.write_text("\n".join(["---", *lines, "---", TEXT]), encoding="utf-8")
    assert said in faults(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"x\n", TEXT.encode(), b"---\n- a\n---\n", b"---\na: [\n---\n", b"\xff\xfe\x00"]
)
def test_a_file_of_another_form_does_not_count(tmp_path, content):
    written(tmp_path).write_bytes(content)
    assert faults(tmp_path)


def test_one_person_may_answer_and_approve_what_takes_one(tmp_path):
    name = "provider.identity"
    text = "Acme Lending, 1 Main Street, 1010 Vienna; reach us by telephone or letter."
    written(tmp_path, text, name, approved_by="Ana García")
    assert faults(tmp_path, name) == ""


def test_that_there_is_none_answers_where_that_may_be(tmp_path):
    for name in ("annex-iv.1.b.systems", "registration.certificate", "registration.url", "annex-iv.2.f.changes"):
        written(tmp_path, "There is none.", name)
    for name in ("annex-iv.1.b.systems", "registration.certificate", "registration.url", "annex-iv.2.f.changes"):
        assert faults(tmp_path, name) == ""
    written(tmp_path, "There is none.")
    assert "says too little" in faults(tmp_path)


@pytest.mark.parametrize(
    "form", ["{text}", "Answer {number}: {text}", "{asks}: {text}", "{text} {asks}", "{text}\n\nSee file {number}."]
)
def test_one_text_for_all_answers_none_of_them(tmp_path, form):
    """Neither a number nor the words of each question make it another one."""
    names = list(QUESTIONS)[:12]
    for number, name in enumerate(names):
        written(tmp_path, form.format(text=TEXT.strip(), number=number, asks=QUESTIONS[name].asks), name)
    for name in names:
        assert "one text answers two questions at most" in faults(tmp_path, name)


def test_two_questions_may_have_one_answer(tmp_path):
    names = ["annex-iv.2.b.design", "annex-iv.4.metrics", "annex-iv.3.outcomes"]
    for name in names[: SAME_FOR - 1]:
        written(tmp_path, name=name)
    written(tmp_path, "A person who is wrongly refused loses a house, and is told neither why nor by whom.", names[-1])
    assert [faults(tmp_path, name) for name in names] == ["", "", ""]


def test_what_answers_no_question_is_told_with_the_nearest(tmp_path):
    written(tmp_path)
    folder = tmp_path / FOLDER / "loans"
    (folder / "annex-iv.2.b.desing.md").write_text("x")
    (folder / "notes.txt").write_text("x")
    _, stray = read(tmp_path, "loans", today=TODAY)
    assert stray == (
        "answers/loans/annex-iv.2.b.desing.md answers no question; did you mean 'annex-iv.2.b.design.md'?",
        "answers/loans/notes.txt answers no question",
    )
    assert read(tmp_path, "another", today=TODAY) == ({}, ())


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_template_answers_nothing_until_a_person_fills_it_in(tmp_path, name):
    file = written(tmp_path, name=name)
    file.write_text(template(QUESTIONS[name], made=MADE, known=["declared: a --> b"]), encoding="utf-8")
    assert faults(tmp_path, name) == "nobody has filled it in"
    text = file.read_text(encoding="utf-8")
    assert QUESTIONS[name].asks in text
    assert QUESTIONS[name].of in text
    assert text.count("-->") == 1, "what is known cannot end the comment"


@pytest.mark.parametrize(
    "name",
    ["Ana García-López", "J. R. Smith", "Ngô Bảo Châu", "Jean-Luc d'Arc", "李明", "O'Brien, Tara", "Joe Root",
     "Prof. Dr. Ulla Kern", "Zbigniew Żółć"],
)  # fmt: skip
def test_names_of_people_are_names(name):
    assert natural_person(name)


@given(st.text(max_size=40))
@settings(max_examples=200)
def test_any_text_is_judged(name):
    assert natural_person(name) in (True, False)
    assert not natural_person(f"{name}@example.com x")


@given(st.lists(st.text(string.printable, max_size=60), max_size=6), st.integers(-400, 400), st.integers(-400, 400))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_day_outside_the_models_day_and_today_ever_counts(tmp_path, lines, day, approval):
    said, approved = TODAY + timedelta(days=day), TODAY + timedelta(days=approval)
    written(tmp_path, TEXT + "\n".join(lines), date=str(said), approved_on=str(approved))
    if not MADE <= said <= approved <= TODAY:
        assert faults(tmp_path)
