"""What is noticed of a row: a text that training did not know, or a number beyond those it saw."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlstrata_steps.profile import CATEGORY, LEAST, MOST, Profile, number_of, text_of
from mlstrata_steps.reference import FILE, Reference

RANGE, UNSEEN, CONFIDENCE = "range", "unseen", "confidence"
_FEW = 0.05
"""Share of rows with texts that are not named, above which a text that is not named says nothing."""


def read_reference(folder: Path) -> Reference | None:
    """Read what the model in `folder` was trained on; None of one that was packaged without.

    Raises:
        ValueError: It is none that this code knows.
        OSError: It cannot be read.
    """
    try:
        return Reference.parse((folder / FILE).read_bytes())
    except FileNotFoundError:
        return None


class Bounds:
    """What training saw of each input, or what an environment's file declares of it."""

    def __init__(self, reference: Reference | None, declared: Mapping[str, tuple[float, float]]) -> None:
        inputs = reference.inputs if reference else ()
        seen = {one.name: (one.range, one.kind) for one in inputs if one.numeric and one.range}
        self._ranges = seen | {name: (bounds, _kind_of(inputs, name)) for name, bounds in declared.items()}
        self._texts = {one.name: frozenset(one.values) for one in inputs if one.kind == CATEGORY and _tells(one)}

    def flags(self, instance: Mapping[str, Any]) -> tuple[str, ...]:
        """Return `range:COLUMN` and `unseen:COLUMN` for what lies outside; a missing value lies nowhere."""
        found = []
        for name, ((low, high), kind) in self._ranges.items():
            number = number_of(instance.get(name), kind)
            if number is not None and not low <= number <= high:
                found.append(f"{RANGE}:{name}")
        for name, known in self._texts.items():
            text = text_of(instance.get(name))
            if text is not None and text not in known:
                found.append(f"{UNSEEN}:{name}")
        return tuple(found)


def _kind_of(inputs: tuple[Profile, ...], name: str) -> str:
    return next((one.kind for one in inputs if one.name == name), "number")


def _tells(column: Profile) -> bool:
    """Say whether a text that is not named was seen by next to no row of training."""
    few: bool = column.counts[column.bins] <= max(LEAST, _FEW * column.rows)
    return few and len(column.values) < MOST
