"""A file of answers to fill in: every question with what is allowed and what is taken where it stays as it is."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from mlstrata.environments.assessment.kinds import OneOf, Question
from mlstrata.environments.assessment.questions import PLATFORM, QUESTIONS, SYSTEM

_WIDTH = 110
_HEADINGS = {PLATFORM: "The platform", SYSTEM: "The system"}


def template() -> str:
    """Return the file; those questions are open that have no default, as nobody else can answer them."""
    lines = ["# Answers for `mlstrata assess --answers FILE`. Empty ones must be answered."]
    part = ""
    for question in QUESTIONS:
        if question.part != part:
            part = question.part
            lines += ["", f"# --- {_HEADINGS[part]} ---"]
        lines += ["", *_question(question)]
    return "\n".join(lines) + "\n"


def _question(question: Question) -> Iterator[str]:
    yield from _comment(question.text, "# ", "# ")
    if not isinstance(question, OneOf):
        yield from _comment(question.allowed, "#   ", "#   ")
    for value, told in question.options:
        yield from _comment(f"{value}: {told}", "#   ", "#       ")
    yield f"{question.id}:{_default(question)}"


def _comment(text: str, first: str, then: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=then, break_on_hyphens=False)


def _default(question: Question) -> str:
    if question.default is None:
        return ""
    if isinstance(question.default, tuple):
        return f" [{', '.join(question.default)}]"
    return f" {question.default}"
