"""`python -m services.scoring --settings FILE`: the champion of a system over a dataset, kept as a run of MLflow.

The run holds `predictions.parquet` (row number, probability, label), and says by which version and from which data:
what was predicted, from what, by which version stays answerable.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from services.rollout.errors import RolloutError
from services.rollout.registry import Registry
from services.scoring.settings import ScoringSettings
from services.serving.problem import ProblemError

if TYPE_CHECKING:
    import pandas as pd

    from services.serving.model import LoadedModel

FILE = "predictions.parquet"


class ScoringError(Exception):
    """The dataset could not be scored; the message says what is missing or wrong."""


def score(settings: ScoringSettings, uri: str) -> dict[str, Any]:
    """Score a dataset and keep the result.

    Args:
        settings: What to score.
        uri: Address of MLflow.

    Returns:
        The run's id, the version that scored, the data's stamp and the number of rows.

    Raises:
        ScoringError: nothing is released, or the data do not fit the model.
        RolloutError: the registry does not answer.
    """
    from mlstrata_steps.outcome import StepError
    from mlstrata_steps.source import read_source, source_stamp

    from services.serving.model import LoadedModel

    registry = Registry(uri)
    version = registry.champion(settings.system)
    if version is None:
        raise ScoringError(f"no version of {settings.system} is released yet; release one, then score again")
    folder = settings.workdir / "models" / version
    folder.parent.mkdir(parents=True, exist_ok=True)
    registry.download(registry.candidate(settings.system, version), folder)
    try:
        table, stamp = read_source(settings.source), source_stamp(settings.source)
    except StepError as error:
        raise ScoringError(str(error)) from error
    predictions = predict(LoadedModel(version, folder), table, settings)
    run = _keep(predictions, settings, uri, {"model_version": version, "data_stamp": stamp})
    return {"run": run, "version": version, "data_stamp": stamp, "rows": len(predictions)}


def predict(model: LoadedModel, table: pd.DataFrame, settings: ScoringSettings) -> pd.DataFrame:
    """Return row number, probability and label of each row of a table.

    Raises:
        ScoringError: a column is missing, a value is none of its type, or a prediction is implausible.
    """
    import pandas as pd

    wanted = [column.name for column in model.schema.columns]
    if missing := [name for name in wanted if name not in table.columns]:
        raise ScoringError(f"{settings.source} has no column {', '.join(map(repr, missing))}; the model needs {wanted}")
    low, high = settings.probability_range
    parts = []
    for start in range(0, len(table), settings.rows_at_once):
        rows = table.iloc[start : start + settings.rows_at_once][wanted]
        try:
            instances = model.schema.check(json.loads(rows.to_json(orient="records")))
        except ProblemError as problem:
            raise ScoringError(f"rows {start} to {start + len(rows) - 1} of {settings.source}: {problem}") from problem
        probability = model.predict(instances)
        if ((probability < low) | (probability > high)).any():
            raise ScoringError(f"a prediction lies outside [{low}, {high}]; nothing was kept, as the model is not well")
        labels = (probability >= settings.threshold).astype(int)
        numbers = range(start, start + len(rows))
        parts.append(pd.DataFrame({"row": numbers, "probability": probability, "label": labels}))
    if not parts:
        raise ScoringError(f"{settings.source} has no rows")
    return pd.concat(parts, ignore_index=True)


def _keep(predictions: pd.DataFrame, settings: ScoringSettings, uri: str, tags: dict[str, str]) -> str:
    import mlflow

    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment(settings.system)
    said = {**tags, "mlstrata.kind": "scoring", "mlstrata.source": settings.source}
    with mlflow.start_run(run_name="scoring", tags=said) as run, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FILE
        predictions.to_parquet(path, index=False)
        mlflow.log_metric("rows", len(predictions))
        mlflow.log_metric("positive_share", float(predictions["label"].mean()))
        mlflow.log_artifact(str(path))
        return str(run.info.run_id)


def main() -> int:
    """Score what the settings name; 0 fine, 1 it could not be, 2 the settings are wrong."""
    parser = argparse.ArgumentParser(prog="python -m services.scoring", description="Score a dataset.")
    parser.add_argument("--settings", type=Path, required=True, help="JSON file of ScoringSettings")
    given = parser.parse_args()
    try:
        settings = ScoringSettings.model_validate_json(given.settings.read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        sys.stderr.write(f"{given.settings}: {error}\n")
        return 2
    try:
        done = score(settings, os.environ["MLFLOW_TRACKING_URI"])
    except (ScoringError, RolloutError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(done) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
