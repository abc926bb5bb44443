"""One version of a model in memory. The libraries it needs are imported when the first is loaded."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mlstrata.services.serving.admission import Admission, admit
from mlstrata.services.serving.converted import IMAGES, LENGTHS, MISSING, converted
from mlstrata.services.serving.example import read_example
from mlstrata.services.serving.requirements import require_installed
from mlstrata.services.serving.schema import Column, RequestSchema
from mlstrata_steps.apart import Apart
from mlstrata_steps.tasks.output import Output

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_DTYPES = {
    "boolean": "bool",
    "integer": "int32",
    "long": "int64",
    "float": "float32",
    "double": "float64",
    "string": "object",
    "datetime": "datetime64[ns]",
}


class ServedModel(Protocol):
    """A version that predicts, in this process or in another one.

    Attributes:
        version: the version.
        loaded_at: when it was loaded.
        schema: the check of its requests.
        output: what it answers.
        example: the instances that it was logged with; empty when there are none.
    """

    version: str
    loaded_at: datetime
    schema: RequestSchema
    output: Output
    example: list[dict[str, Any]]

    def predict(self, instances: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
        """Return what the model says of each of `instances`, in the form that its output contract reads."""


@dataclass(frozen=True)
class Facts:
    """What another process knows of a model that it loaded, as it can be sent.

    Attributes:
        loaded_at: when it was loaded.
        inputs: the signature's inputs, as MLflow writes them; None: it has none.
        missing: the texts that stood for a missing value where it learnt.
        lengths: column to the characters that its free text may have.
        images: column to the bytes that its image may have.
        output: what it answers.
        example: the instances that it was logged with; empty when there are none.
    """

    loaded_at: datetime
    inputs: list[dict[str, Any]] | None
    missing: tuple[str, ...]
    lengths: Mapping[str, int]
    images: Mapping[str, int]
    output: Output
    example: list[dict[str, Any]]


def load(version: str, folder: Path) -> ServedModel:
    """Load the model in `folder` and try it: in a process of its own where it may bring code, else by its ONNX form.

    Raises:
        Exception: as `LoadedModel`.
    """
    said = Admission.of(folder)
    if said and said.own_code:
        return ModelApart(version, folder)
    return converted(version, folder) or LoadedModel(version, folder)


class ModelApart:
    """A version in a process of its own, where no other version's modules are; as `ServedModel`."""

    def __init__(self, version: str, folder: Path) -> None:
        """Load the model in `folder` there, and try it on its own input example.

        Raises:
            Exception: as `LoadedModel`; what is of its own code, as OwnCodeError.
        """
        self._model = Apart(f"{LoadedModel.__module__}:{LoadedModel.__name__}", version, folder)
        try:
            facts: Facts = self._model.ask("facts")
            self.schema = RequestSchema(facts.inputs, facts.missing, facts.lengths, facts.images)
        except BaseException:
            self._model.close()
            raise
        self.version, self.loaded_at, self.output, self.example = version, facts.loaded_at, facts.output, facts.example

    def predict(self, instances: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
        """Return what the model says of each of `instances`, in the form that its output contract reads.

        Raises:
            OutputError: the model's output has another shape.
            OwnCodeError: it failed.
        """
        values: NDArray[np.float64] = self._model.ask("predict", instances)
        return values


class LoadedModel:
    """A model of MLflow's pyfunc flavour, with the check of its requests.

    Attributes:
        version: the version.
        loaded_at: when it was loaded.
        schema: the check of its requests.
        example: the instances that it was logged with; empty when there are none.
    """

    def __init__(self, version: str, folder: Path) -> None:
        """Load the model in `folder` and try it on its own input example.

        Raises:
            RefusedError: it may not be loaded; nothing of it ran.
            MissingRequirements: what the system's own lock brought where it learnt is not here; nothing of it ran.
            Exception: whatever the model's flavour raises; the caller says which version could not be loaded.
        """
        # Looked at as data before MLflow is even imported: it runs what the model names.
        admit(folder)
        require_installed(folder)
        # Nothing is compiled beside the code that a model brings: its digest is of all its files.
        sys.dont_write_bytecode = True
        import mlflow.pyfunc

        self.version = version
        self.loaded_at = datetime.now(UTC)
        self._model = mlflow.pyfunc.load_model(str(folder))
        signature = self._model.metadata.signature
        metadata = self._model.metadata.metadata or {}
        self.output, self._missing = Output.of(metadata), tuple(metadata.get(MISSING, ()))
        self._inputs = signature.inputs.to_dict() if signature and signature.inputs else None
        self._lengths, self._images = dict(metadata.get(LENGTHS, {})), dict(metadata.get(IMAGES, {}))
        self.schema = RequestSchema(self._inputs, self._missing, self._lengths, self._images)
        self.example = self.schema.check(example) if (example := read_example(folder)) else []
        # The first prediction imports and allocates; that is not for the first consumer to wait for.
        if self.example:
            self.predict(self.example)

    def predict(self, instances: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
        """Return what the model says of each of `instances`, in the form that its output contract reads.

        Raises:
            OutputError: the model's output has another shape.
        """
        values: NDArray[np.float64] = self.output.read(self._model.predict(self._frame(instances)), len(instances))
        return values

    def facts(self) -> Facts:
        """Return what is known of it without its code."""
        of_inputs = (self._inputs, self._missing, self._lengths, self._images)
        return Facts(self.loaded_at, *of_inputs, self.output, self.example)

    def _frame(self, instances: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame({column.name: _array(column, instances) for column in self.schema.columns}, copy=False)


def _array(column: Column, instances: Sequence[Mapping[str, Any]]) -> NDArray[Any]:
    import numpy as np

    values = [instance[column.name] for instance in instances]
    if column.type == "datetime":
        # NumPy's times have no zone: all are UTC, those sent without one as well.
        values = [value.astimezone(UTC).replace(tzinfo=None) if value and value.tzinfo else value for value in values]
    # To NumPy a missing truth value would be false.
    kind = "object" if column.type == "boolean" and not column.required else _DTYPES[column.type]
    return np.array(values, dtype=kind)
