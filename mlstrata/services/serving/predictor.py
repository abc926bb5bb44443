"""From the body of a request to its predictions, apart from the server that carries them."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlstrata.services.serving.metrics import IMPLAUSIBLE, INSTANCES
from mlstrata.services.serving.model import ServedModel
from mlstrata.services.serving.problem import ProblemError
from mlstrata.services.serving.settings import ServingSettings
from mlstrata.services.serving.versions import Versions
from mlstrata_steps.tasks.output import OutputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_log = logging.getLogger(__name__)


class Predictor:
    """Checks, predicts and judges whether the prediction may be given out."""

    def __init__(self, settings: ServingSettings) -> None:
        self._settings = settings
        self.versions = Versions(settings)

    def answer(self, body: bytes, version: str | None) -> dict[str, Any]:
        """Return the answer to `body`, without its request id.

        Raises:
            ProblemError: the request or the prediction is not in order; `version` of it names the one that was asked.
        """
        model = self.versions.choose(version)
        try:
            values = self.values(model, model.schema.parse(body))
        except ProblemError as problem:
            problem.version = model.version
            raise
        return {
            "predictions": model.output.predictions(values),
            "model": {"system": self._settings.system, "version": model.version},
        }

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

    def _computed(self, model: ServedModel, instances: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
        try:
            values = model.predict(instances)
        except OutputError as error:
            self._count(model, "shape")
            raise ProblemError(500, "implausible", f"the prediction is withheld: {error}") from error
        except Exception as error:  # a model's code may raise anything
            _log.exception("version %s of %s failed", model.version, self._settings.system)
            raise ProblemError(
                500, "model_failed", "the model failed on this request; the log has the reason"
            ) from error
        if wrong := model.output.outside(values, self._settings.output_range):
            value, allowed = wrong
            self._count(model, "not_a_number" if math.isnan(value) else "range")
            raise ProblemError(500, "implausible", f"the prediction is withheld: got {value}, allowed {allowed}")
        return values

    def _count(self, model: ServedModel, reason: str) -> None:
        IMPLAUSIBLE.labels(self._settings.system, model.version, reason).inc()
        _log.error("version %s of %s: implausible prediction (%s)", model.version, self._settings.system, reason)
