"""How the rules of a step are read from plain JSON values: each by its name and its type, refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar, get_args, get_origin, get_type_hints

from mlstrata_steps.outcome import StepError

Rules = TypeVar("Rules")


def parsed(kind: type[Rules], name: str, document: Mapping[str, object]) -> Rules:
    """Read rules; what a document leaves out has its default.

    Args:
        kind: A frozen dataclass of texts, numbers, flags, tuples of texts and mappings.
        name: What the rules are called where they are declared, such as `leakage`.
        document: Rule to its value. The values of a tuple become texts: columns and categories compare as such.

    Raises:
        StepError: A rule is unknown, or its value is of another type.
    """
    hints = get_type_hints(kind)
    values: dict[str, object] = {}
    for rule, value in document.items():
        if rule not in hints:
            raise StepError(f"{name}: unknown rule {rule!r}; allowed {', '.join(hints)}")
        expected, fits = described(hints[rule])
        if not fits(value):
            raise StepError(f"{name}.{rule}: got {value!r}; allowed {expected}")
        values[rule] = tuple(map(str, value)) if isinstance(value, list | tuple) else value
    return kind(**values)


def described(hint: object) -> tuple[str, Callable[[object], bool]]:
    """Say what values the type of a rule stands for, and which those are."""
    choices = [one for one in get_args(hint) if one is not type(None)]
    if type(None) in get_args(hint):
        expected, fits = described(choices[0])
        return f"{expected}, or nothing", lambda value: value is None or fits(value)
    if get_origin(hint) is tuple:
        return "a list of values", lambda value: isinstance(value, list | tuple) and all(map(_is_scalar, value))
    if get_origin(hint) is not None:
        return "a mapping", lambda value: isinstance(value, Mapping)
    return _PLAIN[hint]


def _is_scalar(value: object) -> bool:
    return isinstance(value, str | bool | int | float)


# To JSON, true is no number.
_PLAIN: Mapping[object, tuple[str, Callable[[object], bool]]] = {
    str: ("a text", lambda value: isinstance(value, str)),
    bool: ("true or false", lambda value: isinstance(value, bool)),
    int: ("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    float: ("a number", lambda value: isinstance(value, int | float) and not isinstance(value, bool)),
}
