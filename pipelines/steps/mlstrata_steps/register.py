"""Step 7: put the model into the registry with everything that made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from mlstrata_steps.columns import Columns, feature_frame
from mlstrata_steps.estimator import TRUSTED, load
from mlstrata_steps.gates import gate
from mlstrata_steps.outcome import StepError, require
from mlstrata_steps.tables import read_table
from mlstrata_steps.versioning import code_version, fingerprint, settings_hash

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature
    from sklearn.pipeline import Pipeline

EXAMPLE_ROWS = 3
IDENTITY = ("data_version", "code_version", "settings_hash")
"""Version tags that say "the same model would come out": a version that has all three is not made twice."""

SERVED_WITH = ("mlflow", "numpy", "pandas", "scikit-learn", "scipy", "skops")
"""Distributions whose versions the model asks for when it is served."""


@dataclass(frozen=True)
class Lineage:
    """What made a model version; every field becomes a tag.

    Attributes:
        data_version: `sha256:…` of the data's content.
        commit: Of the repository, with `-dirty` when it had changes.
        code_version: Of the step package.
        settings_hash: Of everything chosen by a person.
        fingerprint: Of source, settings and code before anything ran.
        pipeline_run: The run's id.
        environment: The environment that trained it.
        source: The data source.
        data_path: The snapshot, for the dataset's entry.
    """

    data_version: str
    commit: str
    code_version: str
    settings_hash: str
    fingerprint: str
    pipeline_run: str
    environment: str
    source: str
    data_path: str = field(default="", repr=False)

    @classmethod
    def of(cls, settings: Mapping[str, object], stamp: str, data_version: str, **made: str) -> Lineage:
        """Fill in what the running code knows best: its own version and the hashes of the settings.

        Args:
            settings: Everything chosen by a person.
            stamp: Hash of the source's raw bytes, from `ingest`.
            data_version: Hash of the data's content, from `ingest`.
            made: commit, pipeline_run, environment, source and data_path.
        """
        hashes = {"settings_hash": settings_hash(settings), "fingerprint": fingerprint(settings, stamp)}
        return cls(data_version=data_version, code_version=code_version(), **hashes, **made)

    def tags(self) -> dict[str, str]:
        """Give the tags of the run and of the version; empty ones are left out."""
        values = {name: str(value) for name, value in asdict(self).items() if name != "data_path"}
        return {name: value for name, value in values.items() if value}


def register(
    system: str,
    model: str,
    train: str,
    evaluation: Mapping[str, object],
    lineage: Lineage,
    *,
    columns: Mapping[str, object],
    settings: Mapping[str, object],
    kpis: Sequence[Mapping[str, object]] = (),
    quality: Mapping[str, object] | None = None,
    outcomes: Mapping[str, object] | None = None,
    tracking_uri: str,
) -> dict[str, object]:
    """Register a model version under the system's name, or return the one that is there already.

    Args:
        system: Name of the experiment and of the registered model.
        model: The model that `train` wrote.
        train: The training rows, for the signature and the input example.
        evaluation: What `evaluate` returned.
        lineage: What made the model.
        columns: The roles of the columns (`Columns`).
        settings: Algorithm, hyperparameters and seed: the run's parameters.
        kpis: Compared first; a model that fails one never reaches the registry.
        quality: The data-quality report, kept with the run.
        outcomes: What `gates.gate` found with the reports of all gates, kept with the run and its headlines with the
            version; None: there were no others, and the KPIs are all there is.
        tracking_uri: Address of MLflow.

    Returns:
        `version`, `run_id`, `created` (False: the registry had it already).

    Raises:
        StepRefused: A gate failed.
        StepError: MLflow does not answer or refuses.
    """
    gates = gate(evaluation, kpis)
    if outcomes is not None:
        require(outcomes)
        gates = dict(outcomes)
    import mlflow
    from mlflow.exceptions import MlflowException

    mlflow.set_tracking_uri(tracking_uri)
    client = mlflow.MlflowClient()
    try:
        known = registered(client, system, lineage)
        if known:
            return {**known, "created": False}
        roles, table = Columns.parse(columns), read_table(train)
        pipeline = load(model)
        features = feature_frame(table, [str(name) for name in pipeline.feature_names_in_])
        mlflow.set_experiment(system)
        with mlflow.start_run(run_name=lineage.pipeline_run or None, tags=lineage.tags()) as run:
            _log_data(lineage, table, roles.target)
            mlflow.log_params(_flat(settings))
            mlflow.log_metrics({**numbers(evaluation), **_measured(gates)})
            for name, report in {"evaluation": evaluation, "gates": gates, "quality": quality or {}}.items():
                mlflow.log_dict(dict(report), f"{name}.json")
            uri = _log_model(pipeline, features, lineage)
        # One request makes the version with its tags: a crash never leaves one that its identity cannot find.
        version = mlflow.register_model(uri, system, tags={**lineage.tags(), **_headline(evaluation, gates)})
    except MlflowException as error:
        raise StepError(f"MLflow at {tracking_uri} refused: {error.message}") from error
    return {"version": str(version.version), "run_id": run.info.run_id, "created": True}


def registered(client: MlflowClient, system: str, lineage: Lineage) -> dict[str, object] | None:
    """Find the version that the same data, code and settings made."""
    wanted = lineage.tags()
    for found in client.search_model_versions(f"name = '{system}'", order_by=["version_number DESC"]):
        if all(found.tags.get(name) == wanted.get(name) for name in IDENTITY):
            return {"version": str(found.version), "run_id": found.run_id}
    return None


def signature(features: pd.DataFrame) -> ModelSignature:
    """Describe what the model takes: named and typed columns, optional where training saw gaps, and two probabilities.

    Args:
        features: Training features (`columns.feature_frame`).
    """
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec

    types = {"i": DataType.long, "f": DataType.double, "b": DataType.boolean, "O": DataType.string}
    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(types[features[name].dtype.kind], name, required=not bool(features[name].isna().any()))
        for name in features.columns
    ]
    return ModelSignature(Schema(inputs), Schema([TensorSpec(np.dtype("float64"), (-1, 2))]))


def _log_data(lineage: Lineage, table: pd.DataFrame, target: str) -> None:
    import mlflow
    from mlflow.data.pandas_dataset import from_pandas

    dataset = from_pandas(
        table,
        source=lineage.data_path or lineage.source,
        targets=target,
        name=lineage.source.rpartition("/")[2] or lineage.source,
        # MLflow keeps 36 characters; the whole hash is the tag.
        digest=lineage.data_version.removeprefix("sha256:")[:32],
    )
    mlflow.log_input(dataset, context="training", tags={"data_version": lineage.data_version})


def _log_model(pipeline: Pipeline, features: pd.DataFrame, lineage: Lineage) -> str:
    from importlib.metadata import version

    import mlflow.sklearn

    info = mlflow.sklearn.log_model(
        pipeline,
        name="model",
        signature=signature(features),
        input_example=features.head(EXAMPLE_ROWS),
        serialization_format="skops",
        skops_trusted_types=list(TRUSTED),
        pyfunc_predict_fn="predict_proba",
        pip_requirements=[f"{name}=={version(name)}" for name in SERVED_WITH],
        metadata={"data_version": lineage.data_version, "commit": lineage.commit},
    )
    return str(info.model_uri)


def numbers(evaluation: Mapping[str, Any]) -> dict[str, float]:
    """Flatten an evaluation into metrics: `auc`, `auc_low`, `auc_high`, `baseline_auc`, `parity_gap_<column>`, …."""
    found: dict[str, float] = {"test_rows": float(evaluation["rows"])}
    for name, estimate in evaluation["metrics"].items():
        found |= {name: estimate["value"], f"{name}_low": estimate["low"], f"{name}_high": estimate["high"]}
    found |= {f"baseline_{name}": value for name, value in evaluation["baseline"].items()}
    gaps = {name: groups["gap"] for name, groups in evaluation["parity"].items()}
    return found | {f"parity_gap_{name}": gap for name, gap in gaps.items() if gap is not None}


def _measured(gates: Mapping[str, Any]) -> dict[str, float]:
    return {str(name): float(value) for name, value in gates["numbers"].items()}


def _headline(evaluation: Mapping[str, object], gates: Mapping[str, Any]) -> dict[str, str]:
    """Give the tags that say how good a version is (`metric.…`) and what each gate found (`gate.…`)."""
    metrics = {**numbers(evaluation), **_measured(gates)}
    said = {f"gate.{name}": f"passed: {headline}" for name, headline in gates["headlines"].items() if headline}
    return {**{f"metric.{name}": f"{value:.6g}" for name, value in metrics.items()}, **said}


def _flat(settings: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
