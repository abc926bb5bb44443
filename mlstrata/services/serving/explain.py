"""Why an answer is what it is: exactly where columns add up, else by asking the model as often as there is time for."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

from mlstrata.services.serving.additive import additive_of
from mlstrata.services.serving.margins import given
from mlstrata.services.serving.model import ServedModel
from mlstrata.services.serving.prediction import Explanation
from mlstrata.services.serving.shapley import MOST, background_of, contributions
from mlstrata_steps.reference import Reference

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FEWEST = 4
_SHARE = 0.4
"""Part of the time that an explanation is laid out for: a machine under load is slower than it was when it began."""
_log = logging.getLogger(__name__)


class Explainer(Protocol):
    """Explains the answers of one version."""

    def explain(self, rows: Sequence[Mapping[str, Any]], until: float) -> list[Explanation | None]:
        """Explain rows; None where there is no time left.

        Args:
            rows: What the model was given.
            until: When it is too late, on the clock of `time.perf_counter`.
        """


class Asking:
    """Explains by asking the model; one request at a time, and never later than asked."""

    def __init__(self, model: ServedModel, background: Sequence[Mapping[str, Any]], base: NDArray[np.float64]) -> None:
        self._model, self._background, self._base = model, background, base
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="explain")
        self._last: Future[None] | None = None

    def explain(self, rows: Sequence[Mapping[str, Any]], until: float) -> list[Explanation | None]:
        """Explain rows; None where there is no time left, or another request is being explained."""
        found: list[Explanation | None] = [None] * len(rows)
        if self._last is not None and not self._last.done():
            return found

        def work() -> None:
            for at, row in enumerate(rows):
                if time.perf_counter() >= until:
                    return
                found[at] = contributions(self._model, row, self._background, self._base)

        self._last = self._thread.submit(work)
        try:
            self._last.result(max(0.0, until - time.perf_counter()))
        except TimeoutError:
            _log.debug("version %s: an explanation took too long", self._model.version)
        return list(found)


def explainer_of(model: ServedModel, reference: Reference, within_s: float) -> Explainer | None:
    """Choose how a version is explained; None where it cannot be within the time, or takes free text.

    Args:
        model: The version.
        reference: What it was trained on.
        within_s: Seconds that an explanation may take.
    """
    if free := [one.name for one in model.schema.columns if one.longest is not None]:
        # A reference holds none of its words, and what a whole text adds says nothing of them.
        _log.info("version %s is not explained: %s is free text", model.version, ", ".join(free))
        return None
    if (exact := additive_of(model, reference)) is not None:
        return exact
    rows, seconds = MOST, 0.0
    while rows >= _FEWEST:
        background = background_of(model, reference, rows)
        if not background:
            return None
        base = given(model, background)
        # The first one imports and allocates; the second is what one takes.
        for _ in range(2):
            began = time.perf_counter()
            contributions(model, background[0], background, base)
            seconds = time.perf_counter() - began
        if seconds <= _SHARE * within_s:
            return Asking(model, background, base)
        rows = min(rows // 2, int(rows * _SHARE * within_s / seconds))
    _log.warning("version %s cannot be explained within %g s (it took %.3f)", model.version, within_s, seconds)
    return None
