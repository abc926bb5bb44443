"""How a model here says what is wrong: all of it, each with its place and its fix."""

from __future__ import annotations

from collections.abc import Iterable

from mlstrata.environments.redaction import path_of
from mlstrata.environments.spec.base import Problem


def refuse(problems: Iterable[Problem]) -> None:
    """Raise the problems, if there are any.

    Raises:
        ValueError: there is at least one; pydantic adds the place of the model that was judged.
    """
    if found := [
        f"{path_of(one.at)}: {one.what}; {one.fix}" if one.at else f"{one.what}; {one.fix}" for one in problems
    ]:
        raise ValueError("\n".join(found))
