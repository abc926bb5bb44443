"""The stacks of an environment: the platform's, called after it, and in a cloud that of the ground beneath."""

from __future__ import annotations

_ENDS = ".substrate"


def stack_of(environment: str) -> str:
    """Return the name of an environment's substrate stack."""
    return f"{environment}{_ENDS}"


def is_substrate(stack: str) -> bool:
    """Say whether a stack is a substrate's; no environment's name has a dot."""
    return stack.endswith(_ENDS)


def environment_of(stack: str) -> str:
    """Return the environment that a stack is of, itself or its substrate."""
    return stack.removesuffix(_ENDS)
