"""Documents that a system names: whether each is there and says something, and what it says of its days."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import normpath

from mlstrata.policies.core.facts import Document
from mlstrata.policies.core.graph import System
from mlstrata.policies.core.papers import missing
from mlstrata.policies.core.rule import Context, Verdict, Verdicts, fails
from mlstrata.policies.core.values import dig

FOR_ALL = 3
"""Documents that one file is named for from which on it answers for none: two may share one, as an assessment of rights
may refer to that of data protection (Art. 27(4))."""


def named(system: System, context: Context, key: str, what: str, article: str) -> tuple[Document | None, Verdicts]:
    """Return what is known of a document, and what is wrong with it; None where nothing can be read in it.

    Args:
        system: Whose it is.
        context: What is known of the environment's documents.
        key: Its key in `documents`.
        what: What it is called.
        article: What asks for it.
    """
    at = f"documents.{key}"
    path = system.get(at)
    if not path:
        return None, [fails(f"no {what} is named ({article})", f"write it and name it in documents.{key}", at)]
    known, wrong = read(context, str(path), what, at)
    others = [other for other in _naming(system, path) if other != key]
    if len(others) >= FOR_ALL - 1:
        shared = f"the {what} {path} is named as {', '.join(others)} too"
        wrong = [*wrong, fails(shared, "write each of them; one file answers for two at most", at)]
    return known, wrong


def read(context: Context, path: str, what: str, at: str) -> tuple[Document | None, list[Verdict]]:
    """Return what is known of the document at a path, and what is wrong with it; None where it was not read.

    What was not read proves nothing, so an address on the web passes for no paper: what it leads to may change or go.

    Args:
        context: What is known of the environment's documents.
        path: Where it is.
        what: What it is called.
        at: Where the file names it; the last word is what kind of paper it is.
    """
    known = context.environment.documents.get(path, Document())
    if known.exists is None:
        why = "is an address on the web" if "://" in path else "is no text"
        return None, [
            fails(
                f"the {what} {path} {why}, and was not read",
                "keep it in the workspace as UTF-8 text (.md, .txt), which may name the address or a signed PDF",
                at,
            )
        ]
    if known.exists is False:
        return None, [fails(f"the {what} {path} does not exist", "write it, or name the one there is", at)]
    if known.exists and known.empty:
        return None, [fails(f"the {what} {path} says nothing: no sentence outside headings and code", "write it", at)]
    # Before people depend on it, a paper may still be under way.
    lacks = missing(at.rpartition(".")[2], known.lacks) if context.environment.in_production else ()
    untold = (
        [
            fails(
                f"the {what} {path} does not say {', '.join(map(str, lacks))}",
                "write a sentence on each, or text beneath a heading that begins with its letter, such as "
                f"`## ({lacks[0].letter})`",
                at,
            )
        ]
        if lacks
        else []
    )
    days = (("reviewed", known.reviewed), ("dated", known.dated), ("notified", known.notified))
    return known, untold + [
        fails(
            f"the {what} {path} says that it was {done} on {day}, a day that is still to come",
            "write the day when it was done",
            at,
        )
        for done, day in days
        if day is not None and day > context.calendar.today
    ]


def _naming(system: System, path: object) -> Iterator[str]:
    given, file = system.get("documents", {}), normpath(str(path))
    yield from (key for key in given if dig(given, key) and normpath(str(dig(given, key))) == file)
