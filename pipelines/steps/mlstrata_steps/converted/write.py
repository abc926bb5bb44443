"""Converts a fitted pipeline to ONNX, in the numbers that scikit-learn computes with.

The preparation that `estimator.build` makes and the shipped learners are written here, in double precision: the
converters of skl2onnx keep medians, coefficients and sums as float32, which is enough to send a row down the other side
of a split. What else scikit-learn has, skl2onnx converts; whether it may be served, `proof` finds out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlstrata_steps.columns import texts
from mlstrata_steps.converted.form import STRING, Form, Input, opened
from mlstrata_steps.converted.graph import Graph, NotConverted
from mlstrata_steps.converted.heads import HEADS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

NUMBERS, TEXTS, GIVEN = "numbers", "texts", "given"
_BARE = 20
"""Version of ONNX's operators for what skl2onnx converts, which it is tested with."""
_BARE_ML = 3


def convert(pipeline: Any, features: pd.DataFrame) -> tuple[bytes, Form]:
    """Convert a fitted pipeline.

    Args:
        pipeline: As `estimator.build` makes it, or another one of scikit-learn's.
        features: Some rows that it takes (`columns.feature_frame`); only names and types are read.

    Returns:
        The file, and what it takes and gives.

    Raises:
        NotConverted: Something in it has no form in ONNX.
    """
    steps = dict(getattr(pipeline, "steps", ()))
    if list(steps) != ["prepare", "classify"] or type(steps["prepare"]).__name__ != "ColumnTransformer":
        return _as_it_is(pipeline, features)
    graph, inputs = Graph(), []
    parts = []
    for name, transformer, columns in steps["prepare"].transformers_:
        if not len(columns) or (isinstance(transformer, str) and transformer == "drop"):
            continue
        if name not in {NUMBERS, TEXTS}:
            raise NotConverted(f"free text in {', '.join(map(str, columns))} has no form in ONNX here")
        names = tuple(map(str, columns))
        if name == NUMBERS:
            inputs.append(Input(NUMBERS, names))
            parts.append(_numbers(graph, transformer))
        else:
            inputs.append(Input(TEXTS, names, STRING, _fill(transformer)))
            parts.append(_texts(graph, transformer))
    if not parts:
        raise NotConverted("it takes no columns")
    width = sum(one for _, one in parts)
    matrix = parts[0][0] if len(parts) == 1 else graph.add("Concat", *(name for name, _ in parts), axis=1)
    head = HEADS.get(type(steps["classify"]).__name__)
    if head is None or not type(steps["classify"]).__module__.startswith("sklearn."):
        return _joined(graph, inputs, matrix, width, steps["classify"])
    graph.give(head(graph, matrix, steps["classify"]), GIVEN)
    return graph.file(inputs), Form(tuple(inputs), GIVEN)


def _numbers(graph: Graph, transformer: Any) -> tuple[str, int]:
    """Write medians for missing numbers, and the scale; return the result and its width."""
    import numpy as np

    imputer, *others = (step for _, step in transformer.steps)
    _require(type(imputer).__name__ == "SimpleImputer" and not imputer.add_indicator, "its numbers are prepared")
    medians: NDArray[np.float64] = np.asarray(imputer.statistics_, dtype="float64")
    known = ~np.isnan(medians)
    _require(bool(known.any()), "no column of numbers has a value")
    given = NUMBERS
    if not known.all():
        # A column that had no value in training: scikit-learn leaves it out.
        given = graph.add("Gather", given, graph.constant(np.flatnonzero(known)), axis=1)
    filled = graph.add("Where", graph.add("IsNaN", given), graph.constant(medians[known][None, :]), given)
    for other in others:
        _require(type(other).__name__ == "StandardScaler", "its numbers are prepared")
        if other.mean_ is not None:
            filled = graph.add("Sub", filled, graph.constant(other.mean_[None, :]))
        if other.scale_ is not None:
            filled = graph.add("Div", filled, graph.constant(other.scale_[None, :]))
    return filled, int(known.sum())


def _fill(transformer: Any) -> str:
    """Return the text that stands for a missing one: the caller of the file puts it there, as ONNX has no such."""
    imputer = transformer.steps[0][1]
    _require(
        type(imputer).__name__ == "SimpleImputer" and imputer.missing_values is None and imputer.strategy == "constant",
        "its texts are prepared",
    )
    return str(imputer.fill_value)


def _texts(graph: Graph, transformer: Any) -> tuple[str, int]:
    """Write a column for each text, rare ones together; return the result and its width."""
    import numpy as np

    _, encoder = (step for _, step in transformer.steps)
    _require(type(encoder).__name__ == "OneHotEncoder" and encoder.drop_idx_ is None, "its texts are prepared")
    rare = getattr(encoder, "infrequent_categories_", None) or [None] * len(encoder.categories_)
    count = len(encoder.categories_)
    columns = graph.split(TEXTS, count) if count > 1 else [TEXTS]
    blocks, width = [], 0
    for column, categories, seldom in zip(columns, encoder.categories_, rare, strict=True):
        words = [str(one) for one in categories]
        _require(all(isinstance(one, str) for one in categories), "a column of texts holds something else")
        # In an order: equal training has to give equal bytes.
        together = [] if seldom is None else sorted({str(one) for one in seldom})
        often = [one for one in words if one not in together]
        place = {one: at for at, one in enumerate(often)} | dict.fromkeys(together, len(often))
        # Rare ones share the last column, and an unknown text is one of them; without them it is none.
        unknown = len(often) if together else -1
        places = graph.add(
            "LabelEncoder", column, ml=True, keys_strings=list(place), values_int64s=list(place.values()),
            default_int64=unknown,
        )  # fmt: skip
        size = len(often) + bool(together)
        blocks.append(graph.add("Equal", places, graph.constant(np.arange(size)[None, :])))
        width += size
    found = blocks[0] if len(blocks) == 1 else graph.add("Concat", *blocks, axis=1)
    return graph.double(found), width


def _joined(graph: Graph, inputs: Sequence[Input], matrix: str, width: int, estimator: Any) -> tuple[bytes, Form]:
    """Put what skl2onnx makes of an estimator behind our preparation: in double precision where its converter can."""
    from onnx import compose
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    graph.give(matrix, "matrix", width)
    graph.give(matrix, "rounded", width, rounded=True)
    ours = graph.model(inputs, _BARE, _BARE_ML)

    def behind(given: str, kind: Any) -> tuple[bytes, Form]:
        theirs = _by_skl2onnx(estimator, [(given, kind([None, width]))])
        # It names the oldest version that has its operators; they are the same in the one that it was asked for.
        del theirs.opset_import[:]
        theirs.opset_import.extend(ours.opset_import)
        theirs.ir_version = ours.ir_version
        merged = compose.merge_models(ours, compose.add_prefix(theirs, "e_"), io_map=[(given, f"e_{given}")])
        return merged.SerializeToString(), Form(tuple(inputs), _last(merged))

    content, form = behind("matrix", DoubleTensorType)
    # Whether the other one is computed, `proof` finds out: there is no third.
    return (content, form) if _is_computed(content) else behind("rounded", FloatTensorType)


def _is_computed(content: bytes) -> bool:
    """Say whether ONNX Runtime takes a file: some converters mix single and double precision."""
    try:
        opened(content)
    except Exception:  # noqa: BLE001 - of a runtime's kind, with no common base
        return False
    return True


def _as_it_is(pipeline: Any, features: pd.DataFrame) -> tuple[bytes, Form]:
    """Have skl2onnx convert a pipeline of another shape, an input a column."""
    words, inputs, types = texts(features), [], []
    for name in map(str, features.columns):
        if name in words:
            _require(not bool(features[name].isna().any()), "a column of texts has gaps, which ONNX has no word for")
            inputs.append(Input(name, (name,), STRING))
            types.append((name, _string()))
        else:
            inputs.append(Input(name, (name,)))
            types.append((name, _double(1)))
    if not words and len(types) > 1 and type(pipeline).__name__ != "Pipeline":
        inputs, types = [Input(NUMBERS, tuple(map(str, features.columns)))], [(NUMBERS, _double(len(types)))]
    made = _by_skl2onnx(pipeline, types)
    return made.SerializeToString(), Form(tuple(inputs), _last(made))


def _by_skl2onnx(model: Any, types: list[tuple[str, Any]]) -> Any:
    from skl2onnx import convert_sklearn

    # Probabilities as a matrix, not as a list of mappings.
    options = {id(model): {"zipmap": False}} if hasattr(model, "predict_proba") else None
    try:
        return convert_sklearn(
            model,
            # A name of its own it would draw by chance.
            name="mlstrata",
            initial_types=types,
            options=options,
            target_opset={"": _BARE, "ai.onnx.ml": _BARE_ML},
        )
    except Exception as error:  # a converter raises whatever it meets
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise NotConverted(f"skl2onnx has no form of {type(model).__name__}: {first[:160]}") from error


def _last(model: Any) -> str:
    return str(model.graph.output[-1].name)


def _double(width: int) -> Any:
    from skl2onnx.common.data_types import DoubleTensorType

    return DoubleTensorType([None, width])


def _string() -> Any:
    from skl2onnx.common.data_types import StringTensorType

    return StringTensorType([None, 1])


def _require(fine: bool, what: str) -> None:
    if not fine:
        raise NotConverted(f"{what} in a way that is not written as ONNX here" if what.startswith("its") else what)
