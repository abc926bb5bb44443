"""A model's ONNX form: which inputs its file has, what they are made of, and the session that computes it.

Serving reads it: at module level only the standard library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mlstrata_steps.converted.file import require_plain

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FILE = "model.onnx"
"""The file in a model's folder: under its digest, and so under its seal."""
METADATA = "onnx"
"""The key in a model's metadata: `Form.document`, or why there is none (`REASON`)."""
REASON = "reason"
STRING = "string"
KINDS: Mapping[str, str] = {
    "tensor(double)": "float64",
    "tensor(float)": "float32",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
    "tensor(string)": STRING,
}
"""Types of an input that cells of a table can be given as: ONNX's name to NumPy's."""
_QUIET = 3
"""Errors only: a model's author knows of its optimisations, a caller need not."""


class FormError(ValueError):
    """What a model says of its ONNX form is not in order."""


@dataclass(frozen=True)
class Input:
    """One input of the file: a matrix with a row for each instance.

    Attributes:
        name: Its name in the file.
        columns: The columns that it is made of, in their order.
        kind: NumPy's name of its type, or `STRING`.
        missing: Text that stands for a missing one.
        flat: Whether it is no matrix but a list, of its only column.
    """

    name: str
    columns: tuple[str, ...]
    kind: str = "float64"
    missing: str = ""
    flat: bool = False

    def array(self, instances: Sequence[Mapping[str, Any]]) -> NDArray[Any]:
        """Make it of checked instances, in which a missing value is None."""
        import numpy as np

        rows = [[one[name] for name in self.columns] for one in instances]
        if self.kind != STRING:
            numbers = np.array(rows, dtype=self.kind)
            return numbers[:, 0] if self.flat else numbers
        # ONNX Runtime reads a text up to its first zero byte: no other text may become a known one by that.
        texts = [[self.missing if cell is None else cell.replace("\0", "\ufffd") for cell in row] for row in rows]
        words = np.array(texts, dtype=object)
        return words[:, 0] if self.flat else words


@dataclass(frozen=True)
class Form:
    """What a file takes and gives.

    Attributes:
        inputs: Its inputs.
        output: The output with what the model's contract reads.
        rows: How many rows it was compared on with the model that it was converted from; 0: it is the model itself.
        gap: The largest difference there, of a number over 1 relative to it.
        order: Columns of the output in the order of the contract's classes, or keys where a row of it is a mapping;
            empty: it is read as it is.
    """

    inputs: tuple[Input, ...]
    output: str
    rows: int = 0
    gap: float = 0.0
    order: tuple[int | str, ...] = ()

    def document(self) -> dict[str, Any]:
        """Give it as plain JSON values."""
        inputs = [{**asdict(one), "columns": list(one.columns)} for one in self.inputs]
        return {**asdict(self), "inputs": inputs, "order": list(self.order)}

    @classmethod
    def of(cls, metadata: Mapping[str, Any] | None) -> Form | None:
        """Read it from a model's metadata; None where it has none.

        Raises:
            FormError: It is none that this code knows.
        """
        document = (metadata or {}).get(METADATA)
        if not document or REASON in document:
            return None
        try:
            inputs = tuple(
                Input(
                    str(one["name"]),
                    tuple(map(str, one["columns"])),
                    str(one["kind"]),
                    str(one["missing"]),
                    bool(one.get("flat", False)),
                )
                for one in document["inputs"]
            )
            order = tuple(document.get("order", ()))
            form = cls(inputs, str(document["output"]), int(document["rows"]), float(document["gap"]), order)
        except (KeyError, TypeError, ValueError) as error:
            raise FormError(f"metadata.{METADATA}: got {document!r}; package the model again") from error
        if not inputs or any(one.kind not in KINDS.values() for one in inputs):
            raise FormError(f"metadata.{METADATA}.inputs: kind: allowed {', '.join(KINDS.values())}")
        return form


class Session:
    """A loaded file. Threads may ask it at once; each computes in its own."""

    def __init__(self, content: bytes, form: Form) -> None:
        """Load it, on the processor alone.

        Args:
            content: The file.
            form: What it takes and gives.

        Raises:
            FormError: It names data or operators elsewhere, or has other inputs than `form` says.
            ImportError: ONNX Runtime is not installed here.
            Exception: ONNX Runtime's own, of a file that it cannot compute.
        """
        require_plain(content)
        self.form, self._session = form, opened(content)
        there = {one.name: KINDS.get(one.type, one.type) for one in self._session.get_inputs()}
        if there != (said := {one.name: one.kind for one in form.inputs}):
            raise FormError(f"{FILE} takes {there}, and the model's metadata say {said}; package the model again")

    def __call__(self, instances: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
        """Return the output for checked instances, in which a missing value is None."""
        given = {one.name: one.array(instances) for one in self.form.inputs}
        found = self._session.run([self.form.output], given)[0]
        return ordered(found, self.form.order)


def ordered(found: Any, order: Sequence[int | str]) -> NDArray[np.float64]:
    """Choose what is read of an output (`Form.order`): of a matrix its columns, of a list of mappings their values."""
    import numpy as np

    if isinstance(found, list):
        return np.array([[one[key] for key in order] for one in found], dtype="float64")
    array: NDArray[np.float64] = found
    return array[:, [int(place) for place in order]] if order else array


def opened(content: bytes) -> Any:
    """Load a file that was looked at, to be computed in the thread that asks.

    Raises:
        ImportError: ONNX Runtime is not installed here.
        Exception: ONNX Runtime's own, of a file that it cannot compute.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # A request holds a few rows: a pool of threads below each would only take the cores from the others.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = _QUIET
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
