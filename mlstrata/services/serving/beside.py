"""What is known of a version beside itself: what it was trained on, and how to explain it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from mlstrata.services.serving.explain import Explainer, explainer_of
from mlstrata.services.serving.flags import Bounds, read_reference
from mlstrata.services.serving.model import ServedModel
from mlstrata.services.serving.settings import ServingSettings

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Beside:
    """What the observers of a version's predictions need.

    Attributes:
        model: The version.
        bounds: What training saw.
        explainer: Explains its answers; None: it is not asked to, or cannot.
    """

    model: ServedModel
    bounds: Bounds
    explainer: Explainer | None

    @classmethod
    def of(cls, model: ServedModel, settings: ServingSettings) -> Beside:
        """Read and build it; a version without a reference has fewer of these, and answers all the same."""
        reference = None
        try:
            reference = read_reference(settings.directory / "models" / model.version)
        except (OSError, ValueError) as error:
            _log.error("version %s of %s: %s", model.version, settings.system, error)
        explainer = None
        if settings.explain is not None and reference is None:
            _log.warning("version %s of %s has no reference: nothing explains it", model.version, settings.system)
        elif settings.explain is not None and reference is not None:
            try:
                explainer = explainer_of(model, reference, settings.explain.within_s)
            except Exception:  # noqa: BLE001 - a model's code may raise anything
                _log.exception("version %s of %s cannot be explained", model.version, settings.system)
        return cls(model, Bounds(reference, settings.ranges), explainer)
