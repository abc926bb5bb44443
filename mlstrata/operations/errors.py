"""How an operation ends when it does not succeed; whoever runs it turns these into an exit code or an answer."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

One = TypeVar("One", bound=StrEnum)


class UsageError(Exception):
    """A mistake that the user can mend: one message, exit code 2, nothing changed."""


class Failed(Exception):
    """The operation ran and what it was to bring about, or to check, did not hold: exit code 1."""


def one_of(option: str, given: str, allowed: type[One]) -> One:
    """Return what the value of an option names.

    Raises:
        UsageError: it names none of them; with the nearest.
    """
    try:
        return allowed(given)
    except ValueError:
        from mlstrata.environments.spec.base import choice

        raise UsageError(f"{option}: got {given!r}; {choice(given, allowed)}") from None
