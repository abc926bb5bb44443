"""A model that is an ONNX file, as an estimator: asked as scikit-learn's are, stored as it came.

Whatever reads a model reads this one by `estimator.load`. MLflow loads a packaged one by `_load_pyfunc`; serving reads
the file itself.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata_steps.converted.form import FILE, METADATA, Form, FormError, Session
from mlstrata_steps.converted.proof import instances
from mlstrata_steps.outcome import StepError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

SUFFIX = ".onnx"
LOADER = __name__
"""The module that MLflow loads a packaged one by."""
MAGIC = b"mlstrata-onnx "
_PLACE = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : |/onnxruntime_src/\S+ .*?\) (?=[A-Z])")
_AT_ONCE = 10_000
"""Rows that are asked about together: each is a mapping on its way in, which is a kilobyte."""


class OnnxModel:
    """An ONNX file, with what is known of its inputs and its output.

    Attributes:
        content: The file.
        form: Which columns it takes, and how its output is read.
        feature_names_in_: The columns, in the order that the model signs.
    """

    def __init__(self, content: bytes, form: Form) -> None:
        """Load the file.

        Raises:
            FormError: It has other inputs than `form` says.
            NotPlain: It needs something outside of itself.
            Exception: ONNX Runtime's own, of a file that it cannot compute.
        """
        import numpy as np

        self.content, self.form = content, form
        self._session = Session(content, form)
        self.feature_names_in_ = np.array([name for one in form.inputs for name in one.columns], dtype=object)

    def predict_proba(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Return a probability a class: shape (rows, classes); of one column the other class has the rest."""
        import numpy as np

        given = self._asked(features)
        if given.ndim == 1 or given.shape[1] == 1:
            positive = given.reshape(-1)
            return np.column_stack([1 - positive, positive])
        return given

    def predict(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Return a number a row: shape (rows,)."""
        return self._asked(features).reshape(-1)

    def _asked(self, features: pd.DataFrame) -> NDArray[np.float64]:
        import numpy as np

        return np.concatenate([np.asarray(self._session(rows), dtype="float64") for rows in _parts(features)])


def _parts(features: pd.DataFrame) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, max(1, len(features)), _AT_ONCE):
        yield instances(features.iloc[start : start + _AT_ONCE])


def save(model: OnnxModel, path: str) -> None:
    """Write a model: a line with its form, then the file."""
    head = json.dumps({METADATA: model.form.document()}).encode()
    Path(path).write_bytes(MAGIC + head + b"\n" + model.content)


def is_foreign(path: str) -> bool:
    """Whether a model was written by `save`."""
    with Path(path).open("rb") as stream:
        return stream.read(len(MAGIC)) == MAGIC


def load(path: str) -> OnnxModel:
    """Read a model that `save` wrote.

    Raises:
        StepError: It cannot be computed here.
    """
    head, _, content = Path(path).read_bytes().removeprefix(MAGIC).partition(b"\n")
    try:
        return OnnxModel(content, _form(json.loads(head)))
    except Exception as error:
        raise StepError(f"the model {path!r} cannot be computed here: {first_line(error)}") from error


def first_line(error: BaseException) -> str:
    """Say in one line what a runtime says in several, without the place in its source."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return _PLACE.sub("", line)[:300].strip()


class _Packaged:
    """As MLflow asks a model: `predict` gives what its output contract reads."""

    def __init__(self, model: OnnxModel) -> None:
        self._model = model

    def predict(self, features: pd.DataFrame) -> NDArray[np.float64]:
        return self._model._asked(features)


def _load_pyfunc(path: str) -> _Packaged:
    """Load a packaged model, as MLflow asks for it.

    Args:
        path: Its folder.

    Raises:
        FormError: Its metadata do not say which columns it takes.
    """
    from mlflow.models import Model

    return _Packaged(OnnxModel((Path(path) / FILE).read_bytes(), _form(Model.load(path).metadata)))


def _form(metadata: Mapping[str, Any] | None) -> Form:
    form = Form.of(metadata)
    if form is None:
        raise FormError(f"metadata.{METADATA}: does not say which columns it takes; package the model again")
    return form
