"""Documents that a system names: whether each is there, and what it says of its days."""

from __future__ import annotations

from datetime import date

from mlstrata.policies.core.facts import Document
from mlstrata.policies.core.graph import System
from mlstrata.policies.core.rule import Context, Verdict, Verdicts, fails


def named(system: System, context: Context, key: str, what: str, article: str) -> tuple[Document | None, Verdicts]:
    """Return what is known of a document, and what is wrong with its being there.

    Args:
        system: Whose it is.
        context: What is known of the environment's documents.
        key: Its key in `documents`.
        what: What it is called.
        article: What asks for it.
    """
    path = system.get(f"documents.{key}")
    at = f"documents.{key}"
    if not path:
        return None, [fails(f"no {what} is named ({article})", f"write it and name it in documents.{key}", at)]
    known = context.environment.documents.get(str(path), Document())
    if known.exists is False:
        return None, [fails(f"the {what} {path} does not exist", "write it, or name the one there is", at)]
    return known, []


def still_to_come(what: str, day: date, at: str) -> Verdict:
    """Return that a document tells of something as done on a day that is not here yet."""
    return fails(f"{what} on {day}, a day that is still to come", "write the day when it was done", at)
