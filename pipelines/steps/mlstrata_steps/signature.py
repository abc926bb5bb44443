"""What a model says about its inputs and outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstrata_steps.columns import texts

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, TensorSpec


def signature(features: pd.DataFrame) -> ModelSignature:
    """Describe what the model takes: named and typed columns, optional where training saw gaps, and two probabilities.

    Args:
        features: Training features (`columns.feature_frame`).
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
    return ModelSignature(Schema(inputs), Schema([TensorSpec(np.dtype("float64"), (-1, 2))]))
