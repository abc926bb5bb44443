"""The dossier in German: one catalogue beside the English texts, whole, and nothing English left in a document."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from mlstrata.environments import SystemSpec
from mlstrata.environments.assessment.questions import CONDITIONS, POINTS
from mlstrata.environments.spec.governance import DocumentsSpec
from mlstrata.environments.spec.risk import Practice, Role, Tier
from mlstrata.evidence import Evidence, Finding, Language, language, words, write
from mlstrata.evidence.annex_iv import NOTICE, TITLES
from mlstrata.evidence.answers import template
from mlstrata.evidence.architecture import FLOWS, NODES
from mlstrata.evidence.blocks import HUMAN, Document, Figure, Heading, Needed, Status, Table, Text
from mlstrata.evidence.changes import SUBSTANTIAL, known_facts
from mlstrata.evidence.cover import _DATA
from mlstrata.evidence.drawing import Words
from mlstrata.evidence.language import catalogue, day, number, say, speaking
from mlstrata.evidence.measured import ERRORS, RATES
from mlstrata.evidence.promises import PROMISES
from mlstrata.evidence.questions import QUESTIONS
from mlstrata.evidence.section_parts import DECLARED, NO_VERSION
from mlstrata.evidence.section_used import _WATCHING, CLOCKS
from mlstrata.evidence.summary import summary
from mlstrata.evidence.templates import _SECTIONS
from mlstrata.evidence.verdicts import Says
from mlstrata.evidence.write import documents_of
from mlstrata.policies.core.papers import points
from mlstrata.policies.core.rule import Outcome
from mlstrata.policies.rules import RULES
from tests.unit.policies.evidence.test_evidence import PATHS, WHEN, WISHES, complete, files, known, text_of

FOLDER = Path(language.__file__).parent
OTHERS = [one for one in Language if one is not Language.ENGLISH]
SAYERS = {"say", "heads", "wanted"}
PLACEHOLDER = re.compile(r"\{(\w+)\}")


def literals() -> set[str]:
    """Texts that the code says as they stand there."""
    found = set()
    for file in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SAYERS:
                found |= {one.value for one in node.args if isinstance(one, ast.Constant)}
    return found


def tables() -> set[str]:
    """Texts that the code says from a table."""
    registered = {title for fields in _SECTIONS.values() for _, title, _ in fields}
    enums = {str(one) for choices in (Status, Says, Tier, Role, Practice) for one in choices}
    return {
        *TITLES, NOTICE, DECLARED, NO_VERSION, HUMAN, words.NOT_ANSWERED, *RATES.values(), *words.METRICS.values(),
        *POINTS.values(), *CONDITIONS.values(), *(row[0] for row in PROMISES), *(text for _, text in _WATCHING),
        *(text for clock in CLOCKS for text in clock), *(text for _, text in SUBSTANTIAL), *_DATA.values(),
        *registered, *enums, *(node.name for node in NODES.values()), *(what for _, _, what in FLOWS),
        *(str(one).replace("_", " ") for one in Outcome),
        *(name.replace("_", " ") for name in ERRORS),
        *(text for one in QUESTIONS.values() for text in (one.asks, one.who, one.of)),
        *(rule.title for rule in RULES),
        *(point.says for name in DocumentsSpec.model_fields for point in points(name)),
    }  # fmt: skip


@pytest.mark.parametrize("other", OTHERS)
def test_every_text_of_the_code_is_in_the_catalogue(other: Language):
    assert sorted((literals() | tables()) - set(catalogue(other))) == []


@pytest.mark.parametrize("other", OTHERS)
def test_a_text_has_the_same_placeholders_in_both_languages_and_is_said_once(other: Language):
    for english, text in catalogue(other).items():
        assert sorted(PLACEHOLDER.findall(english)) == sorted(PLACEHOLDER.findall(text)), english
        assert text.strip(), english
    lines = (language.TEXTS / f"{other}.yaml").read_text(encoding="utf-8").splitlines()
    keys = [line.partition('": "')[0] for line in lines if line.startswith('"')]
    assert len(keys) == len(set(keys)) == len(catalogue(other)), "YAML drops the first of two equal keys"


def models(of: object, seen: set[type[BaseModel]]) -> None:
    """Gather the models of an annotation, and of their fields."""
    for inner in get_args(of):
        models(inner, seen)
    if isinstance(of, type) and issubclass(of, BaseModel) and of not in seen:
        seen.add(of)
        for field in of.model_fields.values():
            models(field.annotation, seen)


@pytest.mark.parametrize("other", OTHERS)
def test_every_key_that_a_declaration_shows_has_a_name(other: Language):
    seen: set[type[BaseModel]] = set()
    shown = ("serving", "model", "oversight", "rollout", "monitor", "retire", "data")
    for name in shown:
        models(SystemSpec.model_fields[name].annotation, seen)
    names = {words.named(key) for one in seen for key in one.model_fields} | {words.named(key) for key in shown}
    assert sorted(names - set(catalogue(other))) == []


WORD = re.compile(r"\b[A-Za-z]{3,}\b")
NAMES = {"SHA", "mlstrata", "documents", "registration", "json", "ab" * 8}
"""Names that stay: of the program, of files, of keys in a file; and a hash, cut."""


def leaves(value: object) -> Iterator[str]:
    """Every text within a value, and the names in its mappings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from (*leaves(key), *leaves(inner))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from leaves(inner)


class Marked(dict[str, str]):
    """A catalogue that brackets what it says, and leaves values outside."""

    def get(self, text: str, default: str) -> str:  # type: ignore[override]
        said = catalogue_of_german.get(text)
        return default if said is None else f"⟦{PLACEHOLDER.sub(lambda found: f'⟧{found[0]}⟦', said)}⟧"


catalogue_of_german = catalogue(Language.GERMAN)


def texts(document: Document) -> Iterator[str]:
    """Every text of a document."""
    yield from (document.shown_title, document.subtitle, document.state)
    yield from (cell for row in document.control for cell in row)
    for section in document.sections:
        yield section.title
        for block in section.blocks:
            if isinstance(block, Text | Heading):
                yield block.text
            elif isinstance(block, Needed):
                yield block.said
            elif isinstance(block, Figure):
                yield block.title
                yield from (shape.text for shape in block.drawing.shapes if isinstance(shape, Words))
            elif isinstance(block, Table):
                yield from (block.caption, *block.headings, *(cell for row in block.rows for cell in row))


def samples() -> tuple[Evidence, ...]:
    """Evidence of every document, with much of it and with little."""
    base = known()
    wishes = {**base.system, **WISHES}
    product = {"tier": "high", "annex_i": True, "annex_iii": "5b", "role": "provider", "practice": "none"}
    taken_out = {"tier": "minimal", "annex_iii": "5a", "exemption": {"condition": "a", "memo": "docs/memo.md"}}
    refused = {name: replace(one, faults=()) for name, one in complete().answers.items()}
    return (
        known(system={**wishes, "risk": product}, since={"form": 1, "system": {**base.system, "purpose": "Another."}}),
        replace(complete(), answers=refused, log_whole=False, retention={"logs": 400.0, "documents": 4000.0}),
        known(version=None, decisions=None, parts=None, system={**base.system, "risk": taken_out}),
    )


def test_nothing_english_is_left_in_a_german_dossier(monkeypatch):
    """What is outside the brackets was written by people, or is a name: of a file, a key, a metric, a policy."""
    monkeypatch.setattr(language, "catalogue", lambda one: Marked() if one is Language.GERMAN else {})
    written = " ".join(text for one in samples() for text in (*leaves(asdict(one)), *known_facts(one)))
    written = f"{written} {written.replace('_', ' ')}"
    names = {*re.findall(WORD, written), *re.findall(WORD, " ".join((*QUESTIONS, *map(str, PATHS.split()))))} | NAMES
    left: set[tuple[str, str]] = set()
    for evidence in samples():
        with speaking(Language.GERMAN):
            drafted = documents_of(evidence)
            files = {word for document in drafted for word in re.findall(WORD, document.name)}
            for document in (summary(evidence, drafted), *drafted):
                for text in texts(document):
                    outside = re.sub(r"⟦[^⟦⟧]*⟧", " ", text)
                    left |= {(word, text) for word in re.findall(WORD, outside) if word not in names | files}
    assert sorted(left) == [], left


def test_a_german_dossier_speaks_german_and_keeps_what_people_wrote(tmp_path: Path):
    write(replace(known(), answers=complete().answers, language=Language.GERMAN), tmp_path / "de")
    write(replace(known(), answers=complete().answers), tmp_path / "en")
    german, english = files(tmp_path / "de"), files(tmp_path / "en")
    assert set(german) == set(english)
    page = german["fria.html"].decode()
    assert '<html lang="de">' in page
    assert "Grundrechte-Folgenabschätzung (KI-Verordnung, Art. 27)" in page
    assert '<span class="mark declared">erklärt</span>' in page
    assert "It is so, says fria.1.processes." in page, "an answer stays as it was written"
    assert "Stand 20.11.2026" in page
    assert "10,0\u00a0%" in page
    for name in ("facts.json", "ml-bom.cdx.json", "decisions.json"):
        assert german[name] == english[name], "what programs read is the same in every language"
    assert "Seite 1 von" in text_of(german["summary.pdf"])


def test_a_policy_has_its_german_title_in_a_german_dossier_and_one_of_ones_own_keeps_its_own(tmp_path: Path):
    told = [Finding(rule.id, rule.title, "fail", "It is so.") for rule in RULES[:2]]
    own = Finding("org-cost-centre", "Every system has a cost centre.", "fail", "It has none.")
    write(replace(known(), findings=(*told, own), language=Language.GERMAN), tmp_path / "de")
    page = (tmp_path / "de/technical-documentation.html").read_text(encoding="utf-8")
    assert "Jede Anwendung, die Vorhersagen liefert, gehört zu einem erklärten KI-System." in page
    assert own.title in page
    assert [rule.title for rule in RULES[:2] if rule.title in page] == []


@pytest.mark.parametrize("english", [row[0] for row in PROMISES])
def test_a_promise_is_said_as_one_in_german_too(english: str):
    """What is promised is something that is to be done, and no sentence that says that it is."""
    german = catalogue(Language.GERMAN)[english]
    assert re.search(r"\bzu \w+|\w+zu\w+en\b", german.partition(",")[0]), german


def test_questions_are_asked_in_german_and_an_answer_may_not_repeat_them_in_any_language():
    question = QUESTIONS["fria.1.processes"]
    with speaking(Language.GERMAN):
        asked = template(question, made=WHEN.date(), known=())
    assert "Art. 27 Abs. 1 Buchst. a: in welchen Verfahren es" in asked
    assert "question: fria.1.processes" in asked
    assert {"verfahren", "processes"} <= question.words


@pytest.mark.parametrize(
    ("value", "form", "english", "german"),
    [(1234.5, ",.1f", "1,234.5", "1.234,5"), (0.125, ".1%", "12.5%", "12,5\u00a0%"), (3, "g", "3", "3")],
)
def test_numbers_and_days_have_the_marks_of_the_language(value: float, form: str, english: str, german: str):
    assert (number(value, form), day(WHEN.date())) == (english, "2026-11-20")
    with speaking(Language.GERMAN):
        assert (number(value, form), day(WHEN.date())) == (german, "20.11.2026")
        assert say("what nobody translated") == "what nobody translated"
    assert say("yes") == "yes", "what was spoken before is spoken again"
