"""The questions of a dossier that only people can answer, from `questions.yaml`, the one table of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from mlstrata.evidence.language import Language, catalogue
from mlstrata.policies.core.documents import words


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        id: Its id, and the name of the file that answers it.
        of: What asks it: articles, annexes and points, with semicolons between them.
        asks: What is asked, the object of "say …".
        who: The role of who answers.
        people: How many it takes: with 2 somebody else than the author approves the answer.
        none: That there is none is an answer.
    """

    id: str
    of: str
    asks: str
    who: str
    people: int
    none: bool = False

    @property
    def words(self) -> frozenset[str]:
        """Return the words of the question in every language: an answer of them alone repeats it."""
        return frozenset().union(*(words(catalogue(one).get(self.asks, self.asks)) for one in Language))


def _read() -> dict[str, Question]:
    table = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    return {name: Question(name, **given) for name, given in table.items()}


QUESTIONS: dict[str, Question] = _read()
"""Id to question, in the order of the documents."""
