"""The answer files that a system's dossier asks people for, written empty, with what is known beside each question."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlstrata.operations.deployment import Deployment
from mlstrata.operations.dossier.gather import gather, language_of
from mlstrata.operations.errors import UsageError

if TYPE_CHECKING:
    from mlstrata.environments import SystemSpec
    from mlstrata.evidence.blocks import Block, Document
    from mlstrata.operations.reporting import Reporter

LONGEST = 300
"""Characters of a line of what is known."""


@dataclass(frozen=True)
class Questionnaire:
    """What was asked.

    Attributes:
        folder: Where the answers are, in the workspace.
        written: Ids of the questions whose file was written.
        answered: Ids of those that count as answered.
        refused: Id to why its answer does not count.
    """

    folder: str
    written: tuple[str, ...]
    answered: tuple[str, ...]
    refused: dict[str, tuple[str, ...]]


def questionnaire(deployment: Deployment, system: str, reporter: Reporter, language: str = "en") -> Questionnaire:
    """Write a file for each question that has none; one that is there stays as it is.

    Args:
        deployment: The environment.
        system: The system.
        reporter: Told what takes a while.
        language: What the questions are asked in: en or de.

    Raises:
        UsageError: there is no such system or language, or the folder cannot be written to.
    """
    from mlstrata.evidence.language import speaking

    declared = deployment.system(system)
    with speaking(language_of(language)):
        return _questionnaire(deployment, declared, reporter)


def _questionnaire(deployment: Deployment, declared: SystemSpec, reporter: Reporter) -> Questionnaire:
    from mlstrata.environments.days import day_of
    from mlstrata.evidence.answers import FOLDER, template
    from mlstrata.evidence.questions import QUESTIONS
    from mlstrata.evidence.write import documents_of

    with reporter.working("gathering evidence …"):
        evidence = gather(deployment, declared, None)
        documents = documents_of(evidence)
    registered = evidence.version.registered if evidence.version else None
    made = day_of(registered, evidence.timezone) if registered else None
    folder = deployment.workspace.root / FOLDER / declared.name
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, known in _open(documents):
            if name not in evidence.answers:
                text = template(QUESTIONS[name], made=made, known=known)
                (folder / f"{name}.md").write_text(text, encoding="utf-8")
                written.append(name)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written ({error.strerror or error}); make it writable") from None
    return Questionnaire(
        f"{FOLDER}/{declared.name}",
        tuple(written),
        tuple(sorted(name for name, one in evidence.answers.items() if not one.faults)),
        {name: one.faults for name, one in sorted(evidence.answers.items()) if one.faults},
    )


def _open(documents: tuple[Document, ...]) -> Iterator[tuple[str, list[str]]]:
    """Yield each question that is open, once, with what its documents say at the same point."""
    from mlstrata.evidence.blocks import Needed

    known: dict[str, list[str]] = {}
    for document in documents:
        for section in document.sections:
            for _, blocks in section.points():
                asked = [one.question for one in blocks if isinstance(one, Needed) and one.question]
                lines = list(dict.fromkeys(line for block in blocks for line in _said(block)))
                for name in asked:
                    known[name] = list(dict.fromkeys([*known.get(name, []), *lines]))
    yield from known.items()


def _said(block: Block) -> Iterator[str]:
    from mlstrata.evidence.blocks import Status, Table, Text

    if isinstance(block, Text) and block.status is not Status.NOTE:
        yield f"{block.status.shown}: {block.text}"[:LONGEST]
    elif isinstance(block, Table):
        for row in block.rows:
            cells = (
                f"{head} {cell}" if head else cell for head, cell in zip(block.headings or ("",) * 9, row, strict=False)
            )
            yield f"{block.status.shown}: {', '.join(cells)}"[:LONGEST]
