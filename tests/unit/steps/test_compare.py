"""Against the base rate and the champion on the same rows, in a real MLflow store (no server)."""

import numpy as np
import pandas as pd
import pytest

from mlstrata_steps import StepError
from mlstrata_steps.compare import compare
from mlstrata_steps.intervals import differences
from mlstrata_steps.package import package
from mlstrata_steps.tables import canonical, write_table
from mlstrata_steps.tasks.metrics import Metric, auc
from mlstrata_steps.train import train

COLUMNS = {"target": "y", "positive": "yes"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Rows, a model that sees what matters, a model that does not, and a store in which the former is champion."""
    import mlflow

    folder, random = tmp_path_factory.mktemp("made"), np.random.default_rng(4)
    x = random.normal(size=(600, 2))
    y = np.where(random.random(600) < 1 / (1 + np.exp(-2 * x[:, 0])), "yes", "no")
    rows = str(folder / "rows.parquet")
    write_table(canonical(pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": y})), rows)
    good, poor = str(folder / "good"), str(folder / "poor")
    train(rows, good, COLUMNS)
    train(rows, poor, {**COLUMNS, "features": ["b"]})
    store = f"sqlite:///{folder}/mlflow.db"
    mlflow.set_tracking_uri(store)
    package(good, rows, str(folder / "package"), COLUMNS)
    # Without a place of its own the store keeps artifacts in `mlruns` beneath wherever pytest was started.
    experiment = mlflow.create_experiment("loans", artifact_location=f"file://{folder}/artifacts")
    with mlflow.start_run(experiment_id=experiment) as run:
        mlflow.log_params({"seed": 0, "test_fraction": 0.25})
        mlflow.log_artifacts(str(folder / "package"), "model")
    mlflow.register_model(f"runs:/{run.info.run_id}/model", "loans", tags={"data_version": "sha256:1"})
    mlflow.MlflowClient().set_registered_model_alias("loans", "champion", "1")
    return rows, {"good": good, "poor": poor}, store


def against(made, model, system="loans", version="sha256:1", **rules):
    rows, models, store = made
    return compare(
        rows, models[model], COLUMNS, answers={"share": 0.5}, system=system, tracking_uri=store, rules=rules,
        settings={"seed": 0, "test_fraction": 0.25}, data_version=version,
    )  # fmt: skip


def test_the_same_model_differs_by_nothing(made):
    found = against(made, "good")
    assert found["champion"]["difference"]["auc"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert found["champion"]["kept_from_these_rows"] is True
    assert found["baseline"]["difference"]["auc"]["low"] > 0.2
    assert found["baseline"]["difference"]["log_loss"]["high"] < 0
    assert "to champion 1 on the same 600 rows" in found["headline"]
    assert "may have been trained on" in against(made, "good", version="sha256:2")["headline"]


def test_a_clearly_worse_model_warns_and_refuses_when_asked_to(made):
    warned = against(made, "poor")
    assert warned["passed"]
    assert [(check["passed"], check["warns"]) for check in warned["checks"]] == [(False, True)]
    assert warned["champion"]["difference"]["auc"]["high"] < -0.2
    assert not against(made, "poor", enforce=True)["passed"]
    assert against(made, "good", enforce=True)["passed"]


def test_without_a_champion_the_base_rate_remains(made):
    found = against(made, "poor", system="nobody", enforce=True)
    assert (found["champion"], found["passed"]) == ({}, True)
    assert found["headline"].endswith("no champion yet")


def test_pairing_makes_the_interval_narrow():
    random = np.random.default_rng(0)
    labels = (random.random(500) < 0.5).astype("int64")
    ours = np.clip(0.5 + 0.2 * (labels - 0.5) + random.normal(0, 0.2, 500), 0.01, 0.99)
    other = np.clip(ours + random.normal(0, 0.005, 500), 0.01, 0.99)
    found = differences({"auc": Metric("auc", auc)}, labels, ours, {"auc": other}, labels, resamples=200)
    assert found["auc"].low <= found["auc"].value <= found["auc"].high
    assert found["auc"].high - found["auc"].low < 0.01, "each AUC alone is known to 0.07"


@pytest.mark.parametrize("rules", [{"metric": "profit"}, {"margin": 1}])
def test_bad_rules(made, rules):
    with pytest.raises(StepError, match="comparison"):
        against(made, "good", **rules)


def test_a_champion_is_asked_of_rows_without_the_gaps_that_it_learnt_of(made, tmp_path):
    import mlflow

    store = made[2]
    mlflow.set_tracking_uri(store)
    random = np.random.default_rng(5)
    count = random.integers(0, 9, size=200)
    y = np.where(random.random(200) < 1 / (1 + np.exp(4.0 - count)), "yes", "no")
    whole = pd.DataFrame({"a": count, "b": random.normal(size=200), "y": y})
    gaps = whole.assign(a=whole["a"].astype("Int64").where(whole.index > 20))
    paths = {}
    for name, table in (("whole", whole), ("gaps", gaps)):
        paths[name] = str(tmp_path / f"{name}.parquet")
        write_table(canonical(table), paths[name])
    train(paths["gaps"], str(tmp_path / "model"), COLUMNS)
    package(str(tmp_path / "model"), paths["gaps"], str(tmp_path / "package"), COLUMNS)
    experiment = mlflow.create_experiment("counts", artifact_location=f"file://{tmp_path}/artifacts")
    with mlflow.start_run(experiment_id=experiment) as run:
        mlflow.log_artifacts(str(tmp_path / "package"), "model")
    mlflow.register_model(f"runs:/{run.info.run_id}/model", "counts")
    mlflow.MlflowClient().set_registered_model_alias("counts", "champion", "1")
    found = compare(
        paths["whole"], str(tmp_path / "model"), COLUMNS, answers={"share": 0.5}, system="counts", tracking_uri=store,
        rules={}, settings={},
    )  # fmt: skip
    assert found["champion"]["difference"]["auc"]["value"] == 0.0, found["headline"]
