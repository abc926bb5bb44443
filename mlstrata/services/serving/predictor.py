"""From a request to its predictions, apart from the server that carries them: the one way for every interface."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlstrata.services.serving.beside import Beside
from mlstrata.services.serving.fallback import (
    FAILED,
    HUMAN_REVIEW,
    IMPLAUSIBLE,
    UNCHECKED,
    confidences,
    reasons_of,
    refusal,
)
from mlstrata.services.serving.flags import CONFIDENCE
from mlstrata.services.serving.metrics import DROPPED, EXPLAINED, FLAGGED, HANDED, IMPLAUSIBLE_COUNT, INSTANCES
from mlstrata.services.serving.model import ServedModel
from mlstrata.services.serving.prediction import V2, Asked, Explanation, Prediction, Read, Row
from mlstrata.services.serving.problem import ProblemError
from mlstrata.services.serving.settings import ServingSettings
from mlstrata.services.serving.versions import Versions
from mlstrata_steps.tasks.output import OutputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FLAGS, EXPLAINER = "flags", "explainer"
_log = logging.getLogger(__name__)


class Predictor:
    """Checks, predicts, judges whether the prediction may be given out, and says what else is known of it."""

    def __init__(self, settings: ServingSettings) -> None:
        self._settings = settings
        self._beside: dict[str, Beside] = {}
        # What nobody records, answers by or explains is not looked at.
        self._looks = settings.recording is not None or settings.fallback is not None
        reads = self._looks or settings.explain is not None
        self.versions = Versions(
            settings,
            loaded=self._companion if reads else lambda _: None,
            unloaded=lambda one: self._beside.pop(one, None),
        )
        for observer in (FLAGS, EXPLAINER):
            DROPPED.labels(settings.system, observer)

    def predict(self, asked: Asked, read: Read) -> Prediction:
        """Return what the version that is asked says, and who answers.

        Args:
            asked: Who asks.
            read: Reads the instances, by the schema of that version.

        Raises:
            ProblemError: the request or the prediction is not in order, or the fallback refuses; `version` of it names
                the one that was asked, and `rows` what could be read.
        """
        model = self.versions.choose(asked.version)
        instances: list[dict[str, Any]] = []
        try:
            instances = read(model.schema)
            return self._judged(model, instances, asked)
        except ProblemError as problem:
            problem.version = model.version
            problem.rows = problem.rows or tuple(Row(inputs) for inputs in instances)
            raise

    def written(self, prediction: Prediction) -> dict[str, Any]:
        """Write a prediction as it is answered, without its request id."""
        settings = self._settings
        return prediction.answer(
            settings.system, explained=settings.explain is not None, sourced=settings.fallback is not None
        )

    def attempt(self) -> str | None:
        """Have the released version predict its own input example; return the version, None where none is released.

        Raises:
            ProblemError: it would not answer a caller either.
        """
        if self.versions.releases().champion is None:
            return None
        model = self.versions.choose(None)
        if model.example:
            self._computed(model, model.example)
        return model.version

    def values(self, model: ServedModel, instances: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
        """Return what the model says of each of `instances`, all plausible, as its output contract reads it.

        Raises:
            ProblemError: 500 when the model fails or gives a value that no answer of this system can have.
        """
        values = self._computed(model, instances)
        INSTANCES.labels(self._settings.system, model.version).inc(len(values))
        return values

    def _judged(self, model: ServedModel, instances: list[dict[str, Any]], asked: Asked) -> Prediction:
        """Predict, and have whoever is declared answer what the model should not."""
        fallback = self._settings.fallback
        if fallback is None:
            values = self.values(model, instances)
            told = model.output.predictions(values)
            flags = self._flags(model, instances)
            rows = [
                Row(one, output, flags=noticed) for one, output, noticed in zip(instances, told, flags, strict=True)
            ]
            return Prediction(model, values, self._explained(model, rows))
        flags = self._flags(model, instances)
        try:
            values = self._asked(model, instances)
        except ProblemError as problem:
            # Why is in the log and the metrics, as without a fallback.
            why = IMPLAUSIBLE if problem.code == IMPLAUSIBLE else FAILED
            rows = [Row(one, flags=(*noticed, why)) for one, noticed in zip(instances, flags, strict=True)]
            return self._handed(Prediction(model, None, tuple(rows)), asked)
        INSTANCES.labels(self._settings.system, model.version).inc(len(values))
        sure = confidences(model.output, values)
        rows = []
        for at, (one, noticed) in enumerate(zip(instances, flags, strict=True)):
            (said,) = self._plausible(model, values[at : at + 1]) or (None,)
            low = sure is not None and said is not None and sure[at] < fallback.below_confidence
            more = ((CONFIDENCE,) if low else ()) + ((IMPLAUSIBLE,) if said is None else ())
            rows.append(Row(one, said, flags=(*noticed, *more)))
        given = values if all(row.output is not None for row in rows) else None
        return self._handed(Prediction(model, given, self._explained(model, rows)), asked)

    def _handed(self, prediction: Prediction, asked: Asked) -> Prediction:
        """Hand over the rows that the model should not answer.

        Raises:
            ProblemError: 409, where nobody answers them now, or the interface has no word for that.
        """
        to = self._settings.fallback.to if self._settings.fallback else HUMAN_REVIEW
        rows = []
        for row in prediction.rows:
            reasons = reasons_of(row.flags)
            for reason in reasons:
                HANDED.labels(self._settings.system, to, reason).inc()
            rows.append(replace(row, source=to, reasons=reasons) if reasons else row)
        handed = any(row.reasons for row in rows)
        if handed and (to != HUMAN_REVIEW or asked.api == V2):
            raise refusal(rows)
        return replace(prediction, rows=tuple(rows))

    def _plausible(self, model: ServedModel, values: NDArray[np.float64]) -> list[dict[str, Any]]:
        """Return one row's answer; none where it is not plausible, which is counted."""
        if wrong := model.output.outside(values, self._settings.output_range):
            self._count(model, "not_a_number" if math.isnan(wrong[0]) else "range")
            return []
        told: list[dict[str, Any]] = model.output.predictions(values)
        return told

    def _flags(self, model: ServedModel, instances: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
        if not self._looks:
            return [()] * len(instances)
        try:
            bounds = self._companion(model).bounds
            found = [bounds.flags(one) for one in instances]
        except Exception:  # noqa: BLE001 - no look at a prediction may cost it
            _log.exception("version %s of %s: its inputs are not looked at", model.version, self._settings.system)
            DROPPED.labels(self._settings.system, FLAGS).inc(len(instances))
            # Who declared a fallback relies on the look.
            return [(UNCHECKED,)] * len(instances)
        for flags in found:
            for kind in reasons_of(flags):
                FLAGGED.labels(self._settings.system, kind).inc()
        return found

    def _explained(self, model: ServedModel, rows: Sequence[Row]) -> tuple[Row, ...]:
        if (declared := self._settings.explain) is None:
            return tuple(rows)
        until, found = time.perf_counter() + declared.within_s, list[Explanation | None]()
        try:
            explainer = self._companion(model).explainer
            found = explainer.explain([row.inputs for row in rows], until) if explainer else [None] * len(rows)
        except Exception:  # noqa: BLE001 - nor may this one
            _log.exception("version %s of %s: no explanation", model.version, self._settings.system)
            found = [None] * len(rows)
        for one in found:
            if one is None:
                DROPPED.labels(self._settings.system, EXPLAINER).inc()
            else:
                EXPLAINED.labels(self._settings.system, one.method).inc()
        return tuple(replace(row, explanation=one) for row, one in zip(rows, found, strict=True))

    def _companion(self, model: ServedModel) -> Beside:
        """Return what is known beside a version: made once, when it is loaded."""
        if (known := self._beside.get(model.version)) is None or known.model is not model:
            known = self._beside[model.version] = Beside.of(model, self._settings)
        return known

    def _computed(self, model: ServedModel, instances: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
        values = self._asked(model, instances)
        if wrong := model.output.outside(values, self._settings.output_range):
            value, allowed = wrong
            self._count(model, "not_a_number" if math.isnan(value) else "range")
            raise ProblemError(500, IMPLAUSIBLE, f"the prediction is withheld: got {value}, allowed {allowed}")
        return values

    def _asked(self, model: ServedModel, instances: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
        try:
            return model.predict(instances)
        except OutputError as error:
            self._count(model, "shape")
            raise ProblemError(500, IMPLAUSIBLE, f"the prediction is withheld: {error}") from error
        except Exception as error:  # a model's code may raise anything
            _log.exception("version %s of %s failed", model.version, self._settings.system)
            raise ProblemError(
                500, "model_failed", "the model failed on this request; the log has the reason"
            ) from error

    def _count(self, model: ServedModel, reason: str) -> None:
        IMPLAUSIBLE_COUNT.labels(self._settings.system, model.version, reason).inc()
        _log.error("version %s of %s: implausible prediction (%s)", model.version, self._settings.system, reason)
