"""What a model says about its inputs and outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstrata_steps.columns import texts

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, TensorSpec

    from mlstrata_steps.tasks.output import Output


def signature(features: pd.DataFrame, output: Output) -> ModelSignature:
    """Describe what the model takes and gives: named and typed columns, optional where training saw gaps, and numbers.

    Args:
        features: Training features (`columns.feature_frame`).
        output: What it answers.
    """
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec

    types = {"i": DataType.long, "f": DataType.double, "b": DataType.boolean, "O": DataType.boolean}
    words = texts(features)
    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(
            DataType.string if name in words else types[features[name].dtype.kind],
            name,
            required=not bool(features[name].isna().any()),
        )
        for name in map(str, features.columns)
    ]
    return ModelSignature(Schema(inputs), Schema([TensorSpec(np.dtype("float64"), output.shape)]))
