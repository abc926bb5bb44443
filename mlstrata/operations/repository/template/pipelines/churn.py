"""The training pipeline with a step of our own, between reading the data and judging them."""

from collections.abc import Callable
from typing import Any

from kfp import dsl

from mlstrata.pipelines.kfp_components.base import component
from mlstrata.pipelines.training import training_pipeline


@component
def tidied(data: dsl.Input[dsl.Dataset], prepared: dsl.Output[dsl.Dataset]) -> int:
    """Leave out rows that are there twice, and charges, which are minutes at a fixed price; gives the number of rows.

    Kubeflow copies the source of this function alone into the step: it imports what it needs itself.
    """
    import pandas as pd

    table = pd.read_parquet(data.path)
    table = table.drop(columns=[name for name in table.columns if name.endswith("_charge")]).drop_duplicates()
    table.to_parquet(prepared.path, index=False)
    return len(table)


def pipeline(gpus: int = 0) -> Callable[..., Any]:
    """Build the pipeline; `model.pipeline: churn:pipeline` names it."""
    return training_pipeline(gpus, name="churn", prepare=tidied)
