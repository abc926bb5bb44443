"""The base of every model, and how a model says that a value is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, NamedTuple, Self

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

WRONG = "wrong"
CONTRADICTION = "contradiction"
MOST_PROBLEMS = 100
"""What is told of one file at once; each costs time, and a hostile file could have a hundred thousand."""


class Spec(BaseModel):
    """A closed, frozen part of an environment file."""

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True, allow_inf_nan=False)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Return itself, as it is frozen: pydantic copies each default that is a part, for each owner anew."""
        return self


class Problem(NamedTuple):
    """Something wrong inside a value that is otherwise well formed.

    Attributes:
        at: keys and indices from the judged value to the culprit; empty when it is the value itself.
        what: what is wrong, as the rest of a sentence that starts with the path.
        fix: what to write instead.
    """

    at: tuple[str | int, ...]
    what: str
    fix: str


def suggestion(value: str, allowed: Iterable[str]) -> str:
    """Return "did you mean …?" for the nearest allowed value, or nothing where none is near."""
    known = {one.lower(): one for one in allowed}
    near = difflib.get_close_matches(value.lower(), known, n=1, cutoff=0.6)
    return f"did you mean '{known[near[0]]}'?" if near else ""


def choice(value: str, allowed: Iterable[str]) -> str:
    """Return "allowed a, b; did you mean 'b'?", the rest of a sentence that names a value which nothing matches."""
    known = list(allowed)
    hint = suggestion(value, known)
    return f"allowed {', '.join(known) or 'none yet'}{f'; {hint}' * bool(hint)}"


def wrong(allowed: str, fix: str = "", among: Iterable[str] = ()) -> PydanticCustomError:
    """Return the error of a value that is not of the allowed form, or not `among` these; the loader adds the rest."""
    return PydanticCustomError(WRONG, "not allowed", {"allowed": allowed, "fix": fix, "among": tuple(among)})


def contradiction(problems: Sequence[Problem]) -> PydanticCustomError:
    """Return the error of parts that do not go together; one error carries all of them."""
    text = "; ".join(f"{'.'.join(map(str, p.at))}: {p.what}" for p in problems)
    return PydanticCustomError(CONTRADICTION, "{text}", {"text": text, "problems": list(problems)})


def refuse(problems: Iterable[Problem]) -> None:
    """Raise the contradictions, if there are any; the first ones, where they are more than anybody reads.

    Raises:
        PydanticCustomError: there is at least one.
    """
    if found := list(islice(problems, MOST_PROBLEMS)):
        raise contradiction(found)


def immutable(migration: str) -> dict[str, Any]:
    """Mark a field as fixed once deployed; `migration` says how to get to the new value all the same."""
    return {"x-immutable": migration}
