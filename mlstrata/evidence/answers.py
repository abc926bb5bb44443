"""What people answered: one file a question, `answers/SYSTEM/ID.md`, with who says it, when, and who approves.

A file counts where a named person answered after the model was made, and somebody approved it; whether the answer is
right is never judged. What is refused is what cannot be one: nothing, a placeholder, the question itself, one text for
everything, a day to come, a team or a mailbox in place of a person.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from mlstrata.evidence.language import say
from mlstrata.evidence.questions import QUESTIONS, Question
from mlstrata.policies.core.documents import plain_text, waiting, words

FOLDER = "answers"
KEYS = ("question", "author", "role", "date", "approved_by", "approved_on")
LARGEST = 1 << 20
SAME_FOR = 3
"""Answers of one text from which on it answers none of them; two questions may have one answer."""
_ALIKE = 0.8
"""Share of words that two texts have in common from which on they are one."""
FEWEST, _FEWEST_OF_NONE, _FEWEST_OWN = 5, 3, 3
"""Different words of an answer; of one that may say that there is none; and of one beside the question's own."""
_FRONT = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*(?:\n|\Z)", re.DOTALL)
_NAME = re.compile(r"[^\W\d_](?:[^\W\d_]|['\u2019.-])*\.?")
_OFFICES = """
team teams group groups department dept division unit office desk committee council staff people everybody anybody
nobody somebody anyone someone company organisation organization gmbh ltd llc inc corp plc platform system service
services support admin administrator compliance legal governance security risk data engineering operations ops quality
audit mlops devops owners author approver provider deployer manager officer director abteilung gruppe vorstand equipe
mailbox inbox noreply info unknown anonymous tbd tba todo surname firstname lastname vorname nachname placeholder
lorem ipsum doe mustermann"""
_NO_PERSON = frozenset(_OFFICES.split())
"""Words of teams, mailboxes, offices and stand-ins; none is in a person's name as it is written on a document."""
_DOUBTFUL = """
bot root none na n a x xx xxx name names your my the first last natural person example dummy test tester head lead owner
board foo bar baz qux"""
_STAND_INS = _NO_PERSON | frozenset(_DOUBTFUL.split())
"""Words that may be a name, and are none where there is nothing else."""
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2,}")
"""Names of scripts that are written without a space."""
_NONE = re.compile(r"\b(none|no|not|nothing|nobody|keine?|nicht)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Answer:
    """An answer to one question.

    Attributes:
        question: The question.
        path: Where it is written, in the workspace.
        text: What it says, without comments and code; paragraphs have an empty line between them.
        author: Who says it.
        role: What that person is.
        day: When it was said.
        approved_by: Who approved it.
        approved_on: When.
        faults: Why it does not count, a clause each; empty where it does.
    """

    question: Question
    path: str
    text: str = ""
    author: str = ""
    role: str = ""
    day: date | None = None
    approved_by: str = ""
    approved_on: date | None = None
    faults: tuple[str, ...] = ()


def read(
    root: Path, system: str, *, today: date, made: date | None = None
) -> tuple[dict[str, Answer], tuple[str, ...]]:
    """Return the answers about a system, and what in their folder answers nothing, a sentence each.

    Args:
        root: The workspace.
        system: The system.
        today: The day it is: a later day is none on which anything was said.
        made: The day the model's version was registered; an answer before it is about another one.
    """
    folder = root / FOLDER / system
    found, stray = {}, []
    for file in sorted(folder.glob("*")) if folder.is_dir() else ():
        path = f"{FOLDER}/{system}/{file.name}"
        question = QUESTIONS.get(file.name.removesuffix(".md"))
        if file.suffix != ".md" or question is None:
            near = get_close_matches(file.stem, QUESTIONS, n=1)
            stray.append(
                say("{path} answers no question", path=path)
                + (say("; did you mean '{near}.md'?", near=near[0]) if near else "")
            )
            continue
        answer = _read(file, path, question)
        if not answer.faults:
            blank = not (answer.text or answer.author or answer.role or answer.day)
            faults = (say("nobody has filled it in"),) if blank else tuple(_faults(answer, today, made))
            answer = replace(answer, faults=faults)
        found[question.id] = answer
    return _each_its_own(found), tuple(stray)


def _read(file: Path, path: str, question: Question) -> Answer:
    try:
        with file.open("rb") as stream:
            text = stream.read(LARGEST).decode("utf-8").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        return Answer(question, path, faults=(say("it cannot be read ({error})", error=error),))
    front = _FRONT.match(text)
    try:
        # Every value as it is written: a day that is none is told as one.
        given = yaml.load(front[1], Loader=yaml.BaseLoader) if front else None  # noqa: S506 - it makes texts alone
    except (yaml.YAMLError, ValueError):
        given = None
    if front is None or not isinstance(given, Mapping):
        return Answer(
            question,
            path,
            faults=(say("it does not begin with {keys} between two lines of ---", keys=", ".join(KEYS)),),
        )
    if odd := [str(key) for key in given if key not in KEYS]:
        return Answer(
            question, path, faults=(say("got {odd}; allowed {keys}", odd=", ".join(odd), keys=", ".join(KEYS)),)
        )
    return Answer(
        question,
        path,
        text=plain_text(text[front.end() :]).strip(),
        author=_one_line(given.get("author")),
        role=_one_line(given.get("role")),
        day=_day(given.get("date")),
        approved_by=_one_line(given.get("approved_by")),
        approved_on=_day(given.get("approved_on")),
        faults=() if given.get("question") == question.id else (say("its `question` is not {id}", id=question.id),),
    )


def _faults(answer: Answer, today: date, made: date | None) -> Iterator[str]:
    yield from _of_the_text(answer.text, answer.question)
    for name, who in (("author", answer.author), ("approved_by", answer.approved_by)):
        if not natural_person(who):
            yield (
                say("{name} is no first and last name of a natural person", name=name)
                if who
                else say("{name} is empty", name=name)
            )
    if not words(answer.role) or waiting(answer.role):
        yield say("role says nothing")
    if answer.question.people > 1 and _person(answer.author) == _person(answer.approved_by) and answer.author:
        yield say("its author approved it, and it takes two people")
    for name, day in (("date", answer.day), ("approved_on", answer.approved_on)):
        if day is None:
            yield say("{name} is no day, YYYY-MM-DD", name=name)
        elif day > today:
            yield say("{name} is {day}, a day that is still to come", name=name, day=day)
    if answer.day and made and answer.day < made:
        yield say(
            "it is of {day}, and the model's version of {made}: say it anew of this version", day=answer.day, made=made
        )
    if answer.day and answer.approved_on and answer.approved_on < answer.day:
        yield say(
            "it was approved on {approved_on}, before it was written ({day})",
            approved_on=answer.approved_on,
            day=answer.day,
        )


def _of_the_text(text: str, question: Question) -> Iterator[str]:
    if unfinished := waiting(text):
        yield say("it is not finished: '{unfinished}'", unfinished=unfinished)
        return
    said, asked = words(text), question.words
    fewest = _FEWEST_OF_NONE if question.none and _NONE.search(text) else FEWEST
    if len(said) < fewest:
        yield say(
            "it says too little: {count} different words, and at least {fewest} are needed",
            count=len(said),
            fewest=fewest,
        )
    elif len(said) >= FEWEST and len(said - asked) < _FEWEST_OWN:
        yield say("it repeats the question")


def _each_its_own(found: Mapping[str, Answer]) -> dict[str, Answer]:
    """Return the answers, those marked that say what others say, the words of their questions apart."""
    own = {
        name: words(one.text) - one.question.words
        for name, one in found.items()
        if one.text and not (one.question.none and _NONE.search(one.text) and len(words(one.text)) < FEWEST)
    }
    marked = dict(found)
    for name, said in own.items():
        same = [other for other, others in own.items() if other != name and _alike(said, others)]
        if len(same) >= SAME_FOR - 1:
            fault = say(
                "it says what {same} and {more} more say: one text answers two questions at most",
                same=same[0],
                more=len(same) - 1,
            )
            marked[name] = replace(found[name], faults=(*found[name].faults, fault))
    return marked


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    either = one | other
    return not either or len(one & other) / len(either) >= _ALIKE


def natural_person(name: str) -> bool:
    """Return whether a text is a first and a last name, as far as can be told, and no team, mailbox or stand-in."""
    if _UNSPACED.fullmatch(re.sub(r"[\s・·]+", "", name)):
        return True
    words = re.split(r"[\s,]+", name.strip())
    if len(words) < 2 or not all(map(_NAME.fullmatch, words)):  # noqa: PLR2004 - a first and a last name
        return False
    letters = [re.sub(r"[\W\d_]", "", word).casefold() for word in words]
    if _NO_PERSON.intersection(letters) or _STAND_INS.issuperset(letters):
        return False
    return any(len(set(word)) > 1 for word in letters)


def _person(name: str) -> frozenset[str]:
    return frozenset(word.strip(".").casefold() for word in re.split(r"[\s,]+", name) if word)


def _one_line(value: Any) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def template(question: Question, *, made: date | None, known: Sequence[str]) -> str:
    """Return the file that a person fills in, with the question, what asks it, and what the platform knows.

    Args:
        question: The question.
        made: The day the model's version was registered.
        known: What is known, a line each, with its mark.
    """
    since = say(", not before {made}, the day of the model's version", made=made) if made else ""
    approver = say("somebody else's first and last name") if question.people > 1 else say("first and last name")
    lines = [f"  {line.replace('--', '- -')}" for line in known] or [f"  {say('nothing')}"]
    return "\n".join(
        [
            "---",
            f"question: {question.id}",
            f"author:  # {say('first and last name')}",
            f"role:  # {say('the {who}, or who answers in that place', who=say(question.who))}",
            f"date:  # {say('YYYY-MM-DD')}{since}",
            f"approved_by:  # {approver}",
            f"approved_on:  # {say('YYYY-MM-DD')}",
            "---",
            "<!--",
            say("{of}: say {asks}.", of=say(question.of), asks=say(question.asks)),
            say("Write below this comment. What the platform knows of it:"),
            *lines,
            "-->",
            "",
        ]
    )
