"""A version answered by its ONNX form: no library that it learnt with is imported, and a row costs a hundredth.

The form lies in the model's folder, under its digest, and was compared with the model when it was packaged. A version
without one, or whose form cannot be computed here, is answered by the pipeline itself.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata.services.serving.admission import RefusedError, admit, document
from mlstrata.services.serving.example import read_example
from mlstrata.services.serving.metrics import FALLBACKS
from mlstrata.services.serving.requirements import MissingRequirements, require_installed
from mlstrata.services.serving.schema import RequestSchema
from mlstrata_steps.converted.form import FILE, Form, Session
from mlstrata_steps.tasks.output import Output

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LENGTHS = "lengths"
"""What a model's metadata call the characters that a free text of a request may have, by its column."""
IMAGES = "images"
"""What a model's metadata call the bytes that an image of a request may have, by its column."""
MISSING = "missing"
"""What a model's metadata call the texts that stood for a missing value where it learnt."""
_log = logging.getLogger(__name__)


class ConvertedModel:
    """A version in its ONNX form; as `ServedModel`."""

    def __init__(self, version: str, folder: Path, form: Form, about: Mapping[str, Any]) -> None:
        """Load the form in `folder` and try it on the model's own input example.

        Args:
            version: The version.
            folder: The model.
            form: What its file takes and gives.
            about: Its MLmodel file.

        Raises:
            RefusedError: The model may not be loaded; nothing of it ran.
            MissingRequirements: What the system's own lock brought where it learnt is not here; nothing of it ran.
            Exception: The form cannot be computed here.
        """
        admit(folder, loaded=False)
        require_installed(folder)
        metadata = about.get("metadata") or {}
        self.version, self.loaded_at = version, datetime.now(UTC)
        self.output = Output.of(metadata)
        limits = (tuple(metadata.get(MISSING, ())), metadata.get(LENGTHS), metadata.get(IMAGES))
        self.schema = RequestSchema(_inputs(about), *limits)
        self._session = Session((folder / FILE).read_bytes(), form)
        self.example = self.schema.check(example) if (example := read_example(folder)) else []
        if self.example:
            self.predict(self.example)

    def predict(self, instances: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
        """Return what the model says of each of `instances`, in the form that its output contract reads.

        Raises:
            OutputError: the model's output has another shape.
        """
        values: NDArray[np.float64] = self.output.read(self._session(instances), len(instances))
        return values


def converted(version: str, folder: Path) -> ConvertedModel | None:
    """Load a version's ONNX form; None where it has none, or none that can be computed here, which the log says.

    Raises:
        RefusedError: The model may not be loaded; nothing of it ran.
        MissingRequirements: What the system's own lock brought where it learnt is not here; nothing of it ran.
    """
    if not (folder / FILE).is_file():
        return None
    try:
        about = document(folder)
        if (form := Form.of(about.get("metadata"))) is None:
            return None
        return ConvertedModel(version, folder, form, about)
    except (RefusedError, MissingRequirements):
        raise
    except Exception:  # noqa: BLE001 - of a runtime's kind, with no common base; the pipeline itself is there
        FALLBACKS.labels(version).inc()
        _log.exception("version %s: its ONNX form cannot be computed here; the pipeline itself answers", version)
        return None


def _inputs(about: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return the signature's inputs as MLflow writes them: a text of JSON."""
    signed = (about.get("signature") or {}).get("inputs")
    return list(json.loads(signed)) if signed else None
