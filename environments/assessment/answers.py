"""Answers: read from a file or given one by one, checked, with the defaults of those that were not given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlstrata.environments.assessment.kinds import BadAnswer
from mlstrata.environments.assessment.questions import BY_ID, QUESTIONS
from mlstrata.environments.loading.document import Malformed, Node, parse, repetitions, to_data
from mlstrata.environments.loading.errors import SpecError, SpecErrors
from mlstrata.environments.redaction import shown
from mlstrata.environments.spec.base import suggestion

LARGEST_FILE = 1 << 18


@dataclass(frozen=True)
class Answers:
    """An answer to every question.

    Attributes:
        values: Question to its answer, in the table's order.
        assumed: Questions that were not answered, of which the default was taken.
    """

    values: Mapping[str, Any]
    assumed: tuple[str, ...] = ()

    def __getitem__(self, question: str) -> Any:
        """Return the answer to a question."""
        return self.values[question]


def complete(given: Mapping[str, object], file: str = "answers", node: Node | None = None) -> Answers:
    """Check answers and fill in the defaults.

    Args:
        given: Question to answer; one that is empty counts as not given.
        file: What messages call their source.
        node: Where they are in it.

    Raises:
        SpecErrors: An answer is not allowed, is to no question, or is missing and has no default; all at once.
    """
    source = _Source(file, node)
    errors = [_unknown(name, source) for name in given if name not in BY_ID]
    values: dict[str, Any] = {}
    assumed = []
    for question in QUESTIONS:
        answer = given.get(question.id)
        if answer is None:
            if question.default is None:
                what = "is not answered, and only a person can"
                errors.append(_error(source, question.id, what, question.allowed, f"answer: {question.text}"))
                continue
            assumed.append(question.id)
            answer = question.default
        try:
            values[question.id] = question.check(answer)
        except BadAnswer as error:
            errors.append(_error(source, question.id, str(error)))
    if errors:
        raise SpecErrors(errors)
    return Answers(values, tuple(assumed))


def read_answers(path: Path, otherwise: Mapping[str, object] | None = None) -> Answers:
    """Read a file of answers: one YAML mapping of question to answer.

    Args:
        path: The file.
        otherwise: Answers to what the file leaves open, or as the template has it.

    Raises:
        SpecErrors: It cannot be read, or not every answer in it can be used.
    """
    given, file, node = _read(path)
    left = {name for name, question in BY_ID.items() if given.get(name) in (None, question.default)}
    filled = {name: answer for name, answer in (otherwise or {}).items() if name in left}
    return complete({**given, **filled}, file, node)


def _read(path: Path) -> tuple[Mapping[str, object], str, Node]:
    file = str(path)
    try:
        with path.open("rb") as opened:
            text = opened.read(LARGEST_FILE + 1)
        if len(text) > LARGEST_FILE:
            raise SpecErrors([SpecError(file, 0, 0, "", f"it is larger than {LARGEST_FILE} bytes")])
        node = parse(text.decode("utf-8"))
    except OSError as error:
        fix = "write one with `mlstrata assess --template`"
        raise SpecErrors([SpecError(file, 0, 0, "", f"cannot be read ({error.strerror})", fix=fix)]) from None
    except UnicodeDecodeError:
        raise SpecErrors([SpecError(file, 0, 0, "", "is no UTF-8 text", fix="save it as UTF-8")]) from None
    except Malformed as error:
        what = "the file is empty" if error.what == "the file is empty" else error.what
        fix = "write one with `mlstrata assess --template`" if error.what == "the file is empty" else error.fix
        raise SpecErrors([SpecError(file, *error.mark, "", what, fix=fix)]) from None
    twice = [SpecError(file, *one.mark, str(one.path[-1]), one.what, fix=one.fix) for one in repetitions(node)]
    data = to_data(node)
    if not isinstance(data, dict):
        twice.append(SpecError(file, *node.mark, "", f"got {shown(data)}", allowed="a mapping of question to answer"))
    if twice:
        raise SpecErrors(twice)
    assert isinstance(data, dict)  # noqa: S101 - refused above
    return data, file, node


@dataclass(frozen=True)
class _Source:
    """What messages call the source of answers, and where they are in it."""

    file: str
    node: Node | None


def _unknown(name: str, source: _Source) -> SpecError:
    near = suggestion(name, BY_ID)
    return _error(source, name, "there is no such question", fix=near or "`mlstrata assess --template` lists them")


def _error(source: _Source, question: str, what: str, allowed: str = "", fix: str = "") -> SpecError:
    place = source.node.child(question) if source.node is not None else None
    line, column = place[0] if place else (0, 0)
    return SpecError(source.file, line, column, question, what, allowed=allowed, fix=fix)
