"""Somebody else's ONNX file matched with what the environment's file declares: looked at, tried on rows, and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlstrata_steps.columns import Columns, feature_frame
from mlstrata_steps.converted.file import NotPlain, require_plain
from mlstrata_steps.converted.form import Form, Input, opened
from mlstrata_steps.converted.proof import ROWS, instances
from mlstrata_steps.foreign.inputs import inputs_of, shown
from mlstrata_steps.foreign.model import OnnxModel, first_line
from mlstrata_steps.foreign.outputs import answering, classes_of, order_of
from mlstrata_steps.outcome import StepError
from mlstrata_steps.tasks import Task

if TYPE_CHECKING:
    import pandas as pd


def matched(content: bytes, table: pd.DataFrame, roles: Columns, task: Task) -> OnnxModel:
    """Take an ONNX file as the model of a system.

    Args:
        content: The file.
        table: The rows that it is judged on.
        roles: The roles of the columns.
        task: What is asked of them.

    Raises:
        StepError: It needs something outside of itself, cannot be computed here, or takes or gives something else than
            the file declares; with the graph's names and shapes.
    """
    try:
        require_plain(content)
    except NotPlain as error:
        raise StepError(f"model: {error}") from error
    session = _opened(content)
    inputs = inputs_of(session.get_inputs(), table, roles)
    output, labels = answering(session.get_outputs(), task)
    features = feature_frame(table.head(ROWS), [name for one in inputs for name in one.columns])
    given = _tried(session, [output, *([labels] if labels else [])], inputs, features)
    order = order_of(classes_of(task, table[roles.target]), given[0], given[1] if labels else None, len(features))
    return OnnxModel(content, Form(inputs, output, order=order))


def in_words(model: OnnxModel) -> str:
    """Say which columns its inputs are and how its output is read."""
    taken = "; ".join(f"{one.name} is {', '.join(one.columns)}" for one in model.form.inputs)
    order = f", in the order {', '.join(map(str, model.form.order))}" if model.form.order else ""
    return f"input {taken}; output {model.form.output}{order}"


def _opened(content: bytes) -> Any:
    try:
        return opened(content)
    except ImportError as error:
        raise StepError(f"model: {error.name} is not installed here, which computes ONNX files") from error
    except Exception as error:  # of a runtime's kind, with no common base
        import onnxruntime

        raise StepError(
            f"model: ONNX Runtime {onnxruntime.__version__} does not take the graph: {first_line(error)}; export it "
            "for an older opset"
        ) from error


def _tried(session: Any, outputs: list[str], inputs: tuple[Input, ...], features: pd.DataFrame) -> list[Any]:
    rows = instances(features)
    try:
        found: list[Any] = session.run(outputs, {one.name: one.array(rows) for one in inputs})
    except Exception as error:  # of a runtime's kind, with no common base
        takes = shown(session.get_inputs())
        raise StepError(f"model: the graph takes {takes}, and fails on the rows: {first_line(error)}") from error
    return found
