"""Writes an ONNX graph, a node at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlstrata_steps.converted.form import STRING, Input

if TYPE_CHECKING:
    from numpy.typing import NDArray

ML = "ai.onnx.ml"
OPSET, OPSET_ML, IR = 21, 5, 10
"""Versions of the operators and of the file: the first that has trees in double precision (ai.onnx.ml 5, 2024)."""


class NotConverted(Exception):
    """A model has no form in ONNX; the message says why."""


class Graph:
    """Nodes and constants; each method adds one and returns the name of what it gives."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._outputs: list[Any] = []

    def add(self, operator: str, *inputs: str, ml: bool = False, **attributes: Any) -> str:
        """Add a node with one output; `ml` says that the operator is one of ONNX's for machine learning."""
        return self._node(operator, inputs, 1, ml=ml, **attributes)[0]

    def split(self, name: str, count: int) -> list[str]:
        """Split a matrix into its columns."""
        return self._node("Split", (name,), count, axis=1, num_outputs=count)

    def double(self, name: str) -> str:
        """Write numbers in double precision."""
        from onnx import TensorProto

        return self.add("Cast", name, to=TensorProto.DOUBLE)

    def single(self, name: str) -> str:
        """Round numbers to single precision, and write them in double precision."""
        from onnx import TensorProto

        return self.double(self.add("Cast", name, to=TensorProto.FLOAT))

    def constant(self, array: NDArray[Any]) -> str:
        """Add a constant."""
        self._constants.append(tensor(f"c{len(self._constants)}", array))
        return f"c{len(self._constants) - 1}"

    def give(self, name: str, called: str, width: int | None = None, *, rounded: bool = False) -> None:
        """Make something an output, in double precision, or rounded to single: shape (rows, width)."""
        from onnx import TensorProto, helper

        kind = TensorProto.FLOAT if rounded else TensorProto.DOUBLE
        self._nodes.append(helper.make_node("Cast", [name], [called], to=kind))
        self._outputs.append(helper.make_tensor_value_info(called, kind, [None, width]))

    def model(self, inputs: Sequence[Input], opset: int = OPSET, opset_ml: int = OPSET_ML) -> Any:
        """Return it as ONNX's library has it."""
        from onnx import TensorProto, helper

        kinds = {STRING: TensorProto.STRING, "float64": TensorProto.DOUBLE}
        taken = [helper.make_tensor_value_info(one.name, kinds[one.kind], [None, len(one.columns)]) for one in inputs]
        graph = helper.make_graph(self._nodes, "mlstrata", taken, self._outputs, self._constants)
        imports = [helper.make_opsetid("", opset), helper.make_opsetid(ML, opset_ml)]
        return helper.make_model(graph, opset_imports=imports, ir_version=IR, producer_name="mlstrata")

    def file(self, inputs: Sequence[Input]) -> bytes:
        """Return it as a file."""
        content: bytes = self.model(inputs).SerializeToString()
        return content

    def _node(
        self, operator: str, inputs: Sequence[str], count: int, *, ml: bool = False, **attributes: Any
    ) -> list[str]:
        from onnx import helper

        names = [f"n{len(self._nodes)}_{at}" for at in range(count)]
        domain = ML if ml else ""
        self._nodes.append(helper.make_node(operator, list(inputs), names, domain=domain, **attributes))
        return names


def tensor(name: str, array: NDArray[Any]) -> Any:
    """Write an array as a tensor of its own type."""
    import numpy as np
    from onnx import numpy_helper

    return numpy_helper.from_array(np.ascontiguousarray(array), name)
