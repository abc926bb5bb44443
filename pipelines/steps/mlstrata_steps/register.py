"""Step 7: put the model into the registry with everything that made it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from mlstrata_steps.columns import Columns
from mlstrata_steps.gates import gate
from mlstrata_steps.outcome import StepError, require
from mlstrata_steps.package import package as package_model
from mlstrata_steps.seal import DIGEST, TAG, Made, folder_digest, is_sealed, key
from mlstrata_steps.several import OUTPUTS
from mlstrata_steps.tables import read_table
from mlstrata_steps.tasks.conformal import MEASURED
from mlstrata_steps.tasks.output import INTERVAL
from mlstrata_steps.versioning import code_commit, code_version, fingerprint, settings_hash

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import Run

IDENTITY = ("data_version", "evaluation_data_version", "origin_digest", "code_version", "settings_hash")
"""Version tags that say "the same model would come out": a version that has all three is not made twice."""


@dataclass(frozen=True)
class Lineage:
    """What made a model version; every field becomes a tag.

    Attributes:
        data_version: `sha256:…` of the data's content.
        commit: Of the repository that declares the system, with `-dirty` when it had changes.
        code_version: Of the step package.
        settings_hash: Of everything chosen by a person.
        fingerprint: Of source, settings and code before anything ran.
        pipeline_run: The run's id.
        environment: The environment that trained it.
        source: The data source.
        recorded: How the truth of rows that were recorded from live traffic came to be known; empty: there are none.
        data_pointer: `md5:…` of the file, where the source is a DVC pointer.
        code_commit: Of the code, where it runs from an image.
        origin: Where the model is from, if it was trained elsewhere: then the data are what it was judged on, and what
            it was trained on, with which code and settings, is not known.
        origin_digest: Of the files that were fetched from there.
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
    recorded: str = ""
    data_pointer: str = ""
    code_commit: str = ""
    origin: str = ""
    origin_digest: str = ""
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
        code = {"code_version": code_version(), "code_commit": code_commit()}
        return cls(data_version=data_version, **code, **hashes, **made)

    def tags(self) -> dict[str, str]:
        """Give the tags of the run and of the version; empty ones are left out."""
        values = {name: str(value) for name, value in asdict(self).items() if name != "data_path"}
        if self.origin:
            # Nobody knows the data that it learnt of: no tag says so.
            values["evaluation_data_version"] = values.pop("data_version")
            values["unknown"] = "training data, training code, hyperparameters"
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
    package: str | None = None,
    search: Mapping[str, object] | None = None,
    comparison: Mapping[str, object] | None = None,
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
        package: The folder that `package.package` wrote; None: it is made here, with no lock.
        search: What `search.search` returned; each trial becomes a child of the run.
        comparison: What `compare.compare` returned, kept with the run.
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
        tried = dict(search or {})
        with tempfile.TemporaryDirectory() as folder:
            if package is None:
                package = f"{folder}/model"
                package_model(model, train, package, columns, metadata=_about(lineage))
            mlflow.set_experiment(system)
            with mlflow.start_run(run_name=lineage.pipeline_run or None, tags=lineage.tags()) as run:
                _log_data(lineage, table, roles.targets[0])
                chosen = {f"chosen.{name}": value for name, value in dict(tried.get("parameters") or {}).items()}  # type: ignore[call-overload]
                mlflow.log_params({**_flat(settings), **(chosen if tried.get("trials") else {})})
                mlflow.log_metrics({**numbers(evaluation), **_measured(gates)})
                kept = {"evaluation": evaluation, "gates": gates, "quality": quality, "tuning": search}
                for name, report in {**kept, "comparison": comparison}.items():
                    mlflow.log_dict(dict(report or {}), f"{name}.json")
                mlflow.log_artifacts(package, "model")
            if tried.get("trials"):
                _log_trials(client, run, tried, lineage.tags())
            sealed = _sealed(system, run.info.run_id, package, gates)
        uri = f"runs:/{run.info.run_id}/model"
        # One request makes the version with its tags: a crash never leaves one that its identity cannot find.
        tags = {**lineage.tags(), **_headline(evaluation, gates), **sealed}
        version = mlflow.register_model(uri, system, tags=tags)
    except MlflowException as error:
        raise StepError(f"MLflow at {tracking_uri} refused: {error.message}") from error
    return {"version": str(version.version), "run_id": run.info.run_id, "created": True}


def registered(client: MlflowClient, system: str, lineage: Lineage) -> dict[str, object] | None:
    """Find the version that the same data, code and settings made; where there is a key, only one that it sealed.

    Tags are for whoever has the registry's password to write: a version is the platform's own by its seal alone.
    """
    wanted = lineage.tags()
    for found in client.search_model_versions(f"name = '{system}'", order_by=["version_number DESC"]):
        if not all(found.tags.get(name) == wanted.get(name) for name in IDENTITY):
            continue
        if is_sealed(client, system, found):
            return {"version": str(found.version), "run_id": found.run_id}
    return None


def _sealed(system: str, run: str, package: str, gates: Mapping[str, object]) -> dict[str, str]:
    digest, secret = folder_digest(package), key()
    return {DIGEST: digest, **({TAG: Made(system, run, digest, gates).sealed(secret)} if secret else {})}


def _about(lineage: Lineage) -> dict[str, str]:
    return {"data_version": lineage.data_version, "commit": lineage.commit}


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
    context = "evaluation" if lineage.origin else "training"
    mlflow.log_input(dataset, context=context, tags={"data_version": lineage.data_version})


def _log_trials(client: MlflowClient, parent: Run, search: Mapping[str, Any], tags: Mapping[str, str]) -> None:
    """Show each trial as a child of the run: its hyperparameters and how it did on the validation folds."""
    from mlflow.entities import Metric, Param

    for trial in search["trials"]:
        name = f"trial {trial['number']}"
        named = {**tags, "mlflow.parentRunId": parent.info.run_id, "trial": str(trial["number"])}
        named["chosen"] = str(trial["number"] == search["best"]).lower()
        child = client.create_run(parent.info.experiment_id, tags=named, run_name=name).info.run_id
        now = int(time.time() * 1000)
        measured = {f"validation_{search['metric']}": trial.get("score"), "validation_spread": trial.get("spread"),
                    "trial_seconds": trial["seconds"]}  # fmt: skip
        client.log_batch(
            child,
            metrics=[Metric(key, value, now, 0) for key, value in measured.items() if value is not None],
            params=[Param(key, str(value)) for key, value in trial["parameters"].items()],
        )
        client.set_terminated(child, "FAILED" if trial.get("error") else "FINISHED")


def numbers(evaluation: Mapping[str, Any]) -> dict[str, float]:
    """Flatten an evaluation into metrics: `auc`, `auc_low`, `auc_high`, `baseline_auc`, `parity_gap_<column>`, …."""
    found: dict[str, float] = {"test_rows": float(evaluation["rows"])}
    for name, estimate in evaluation["metrics"].items():
        found |= {name: estimate["value"], f"{name}_low": estimate["low"], f"{name}_high": estimate["high"]}
    found |= {f"baseline_{name}": value for name, value in evaluation["baseline"].items()}
    each = evaluation.get(OUTPUTS) or {"": evaluation}
    for name, one in each.items():
        around, mark = one.get(INTERVAL) or {}, f"{name}." if name else ""
        found |= {f"{mark}interval_{key}": around[key] for key in MEASURED if key in around}
    gaps = {name: groups.get("gap") for name, groups in evaluation["parity"].items()}
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
