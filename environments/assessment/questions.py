"""The questions, from `questions.yaml`, the one table of them; everything else in the questionnaire reads it here."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from mlstrata.environments.assessment.kinds import NONE, Choice, HowMany, OneOf, Question, Some, Words
from mlstrata.environments.spec.data import Source
from mlstrata.environments.spec.risk import AnnexIII, Condition
from mlstrata.environments.spec.text import Document, Email, Name, Text
from mlstrata.environments.stages import Capability

PLATFORM, SYSTEM = "platform", "system"
_KINDS: dict[str, type[Question]] = {"one_of": OneOf, "some": Some, "how_many": HowMany, "words": Words}
_TEXTS = {"name": Name, "email": Email, "text": Text, "document": Document, "source": Source}


def _read() -> tuple[Question, ...]:
    parts = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    return tuple(_question(part, dict(given)) for part, questions in parts.items() for given in questions)


def _question(part: str, given: dict[str, Any]) -> Question:
    (kind,) = given.keys() & _KINDS.keys()
    default = given.pop("default", None)
    fields = {"id": given.pop(kind), "part": part, "default": tuple(default) if kind == "some" else default}
    if kind == "words":
        fields["kind"] = _TEXTS[given.pop("kind")]
    elif kind == "how_many":
        fields["above"] = tuple((one["least"], _named(one["capabilities"]), one["why"]) for one in given.pop("above"))
    else:
        fields["choices"] = tuple(_choice(value, told) for value, told in given.pop("choices").items())
    return _KINDS[kind](**fields, **given)


def _choice(value: str, told: str | dict[str, Any]) -> Choice:
    if isinstance(told, str):
        return Choice(value, told)
    return Choice(value, told["means"], _named(told["capabilities"]), told["why"])


def _named(capabilities: Iterable[str]) -> tuple[Capability, ...]:
    return tuple(map(Capability, capabilities))


def _choices(question: str) -> tuple[Choice, ...]:
    one = BY_ID[question]
    return tuple(choice for choice in one.choices if choice.value != NONE) if isinstance(one, OneOf) else ()


QUESTIONS: tuple[Question, ...] = _read()
BY_ID: dict[str, Question] = {question.id: question for question in QUESTIONS}
PRACTICES = _choices("practice")
POINTS = {AnnexIII(choice.value): choice.means for choice in _choices("annex_iii")}
CONDITIONS = {Condition(choice.value): choice.means for choice in _choices("exemption")}
