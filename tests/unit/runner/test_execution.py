"""The compiled training pipeline through kfp.local: every step runs, tells, is cached, and fails with its reason."""

import io
import json

import numpy as np
import pandas as pd
import pytest
import yaml

from mlstrata_steps.estimator import load

ENDED = "mlstrata-step-ended "
STEPS = [
    *("ingest", "privacy", "quality", "split", "leakage", "tune", "train", "evaluate", "signal", "fairness"),
    *("plausibility", "gates", "package", "served", "compare"),
]


def loans(path, rows=800, seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(size=rows)
    y = np.where(random.random(rows) < 1 / (1 + np.exp(1 - 2 * x)), "yes", "no")
    pd.DataFrame({"x": x, "n": random.integers(0, 9, rows), "group": random.choice(["a", "b"], rows), "y": y}).to_csv(
        path, index=False
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def run(folder, monkeypatch):
    """Run the pipeline; no registry answers, so a run ends at the step that asks for the champion at the latest."""
    from mlstrata.services.runner.contract import TrainingRequest
    from mlstrata.services.runner.execution import RunFailed, execute
    from mlstrata.services.runner.job import compiled, pipeline_arguments

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    def once(**change):
        request = TrainingRequest.model_validate(
            {
                "system": "loans", "environment": "local", "source": str(folder / "loans.csv"), "target": "y",
                "positive": "yes", "protected": ["group"], "tracking_uri": "http://127.0.0.1:1",
                "workdir": str(folder), **change,
            }
        )  # fmt: skip
        ir, log, told = compiled(request), io.StringIO(), []
        # The same file with less patience: a test does not wait for a registry to come back.
        document = yaml.safe_load(ir.read_text())
        for task in document["root"]["dag"]["tasks"].values():
            task["retryPolicy"]["maxRetryCount"] = 0
        hasty = folder / "hasty.yaml"
        hasty.write_text(yaml.safe_dump(document))
        with pytest.raises(RunFailed) as failed:
            execute(
                hasty, pipeline_arguments(request, "run"), root=folder / "artifacts", cache=folder / "cache", log=log,
                emit=told.append,
            )  # fmt: skip
        return told, str(failed.value), log.getvalue()

    return once


def test_every_step_runs_and_tells(run, folder):
    loans(folder / "loans.csv")
    told, error, log = run(settings={"workers": 2, "mitigation": {"method": "reweigh"}})
    order = [step.name for step in told[::2]]
    assert [(step.name, str(step.state)) for step in told] == [
        (name, state) for name in order for state in ("running", "failed" if name == "compare" else "succeeded")
    ]
    # Those that do not wait for each other come in any order.
    assert sorted(order) == sorted(STEPS)
    tasks = yaml.safe_load((folder / "hasty.yaml").read_text())["root"]["dag"]["tasks"]
    for name in order:
        assert set(tasks[name].get("dependentTasks", ())) <= set(order[: order.index(name)])
    assert error.startswith("compare: MLflow at http://127.0.0.1:1 refused")
    assert "Traceback" not in log
    ended = {step.name: step for step in told if step.state.ended}
    assert ended["ingest"].outputs["rows"] == 800
    assert ended["ingest"].artifacts[0].kind == "system.Dataset"
    assert ended["ingest"].artifacts[0].uri.startswith(str(folder / "data"))
    assert {artifact.kind for step in ended.values() for artifact in step.artifacts} == {
        "system.Dataset", "system.Artifact", "system.Model", "system.Metrics",
    }  # fmt: skip
    metrics = ended["evaluate"].artifacts[0].metadata
    assert metrics["auc_low"] <= metrics["auc"] <= metrics["auc_high"]
    made = ended["train"].artifacts[0].metadata
    assert made["rows"] == [300, 300], "two processes trained, on half of the training rows each"
    assert len(set(made["processes"])) == 2
    assert made["mitigation"] == {"method": "reweigh"}
    assert not any(step.cached for step in told)


def test_the_cache_holds_what_the_data_and_settings_still_say(run, folder):
    """Each run is refused at the gates: the registry has nothing to do with it."""
    high = {"source": str(folder / "cached.csv"), "kpis": [{"metric": "auc", "at_least": 1}]}

    loans(folder / "cached.csv", seed=4)
    told, error, _ = run(**high)
    assert not any(step.cached for step in told)
    assert told[-1].name == "gates"
    assert error.startswith("gates: auc: 0.")
    assert "at least 1 asked for" in error
    # The same rows in another order are the same data.
    pd.read_csv(folder / "cached.csv", float_precision="round_trip")[::-1].to_csv(folder / "cached.csv", index=False)
    told, _, _ = run(**high)
    assert {step.name for step in told if step.cached} == set(STEPS[1 : STEPS.index("gates")])
    # Another algorithm reuses what comes before it.
    forest = {"algorithm": "random_forest", "settings": {"parameters": {"n_estimators": 5, "max_features": 1.0}}}
    told, _, _ = run(**high, **forest)
    assert {step.name for step in told if step.cached} == {"privacy", "quality", "split", "leakage"}
    (model,) = next(step.artifacts for step in told if step.name == "train" and step.artifacts)
    chosen = load(model.uri).named_steps["classify"].get_params()
    # Numbers keep their kind on the way: 1 would mean one feature, 1.0 means all; 5.0 trees are refused.
    assert [type(chosen[name]) for name in ("n_estimators", "max_features")] == [int, float]
    # Other rows are other data; so few that the run ends early.
    loans(folder / "cached.csv", rows=80)
    told, error, _ = run(**high)
    assert told[-1].name == "quality"
    assert not any(step.cached for step in told)


def test_a_refusal_stops_the_run_with_its_reason(run, folder):
    loans(folder / "few.csv", rows=80)
    told, error, log = run(source=str(folder / "few.csv"))
    assert [step.name for step in told if step.state.ended] == ["ingest", "privacy", "quality"]
    assert error.startswith("quality: rows: 80 rows, at least 500 needed")
    assert told[-1].error == error.removeprefix("quality: ")
    assert "Traceback" not in log


def test_what_may_come_right_is_tried_again_and_a_gate_is_not(folder):
    """The source is not there at the first look, as on a disk that is mounted late; then it holds too few rows."""
    from mlstrata.services.runner.contract import TrainingRequest
    from mlstrata.services.runner.execution import RunFailed, execute
    from mlstrata.services.runner.job import compiled, pipeline_arguments

    late = folder / "late.csv"

    class Watched(io.StringIO):
        def write(self, text):
            if "there is no file" in text and not late.exists():
                loans(late, rows=80)
            return super().write(text)

    request = TrainingRequest.model_validate(
        {
            "system": "loans", "environment": "local", "source": str(late), "target": "y", "positive": "yes",
            "tracking_uri": "http://127.0.0.1:1", "workdir": str(folder),
        }
    )  # fmt: skip
    log, told = Watched(), []
    with pytest.raises(RunFailed, match="quality: rows: 80 rows, at least 500 needed"):
        execute(
            compiled(request), pipeline_arguments(request, "run"), root=folder / "artifacts", cache=folder / "cache",
            log=log, emit=told.append,
        )  # fmt: skip
    ended = {step.name: str(step.state) for step in told if step.state.ended}
    assert ended == {"ingest": "succeeded", "privacy": "succeeded", "quality": "failed"}
    tries = [json.loads(line.partition(ENDED)[2])["step"] for line in log.getvalue().splitlines() if ENDED in line]
    assert tries == ["ingest", "quality"], "each said once that it stopped: ingest was tried again, the gate was not"


def test_bad_settings_stop_at_the_step_that_meets_them(run, folder):
    told, error, _ = run(source=str(folder / "none.csv"))
    assert (told[-1].name, "no file" in error) == ("ingest", True)
    loans(folder / "fair.csv")
    _, error, _ = run(source=str(folder / "fair.csv"), settings={"parameters": {"depth": 3}})
    assert error.startswith("train: parameters.depth: logistic_regression has no such hyperparameter")


def test_steps_of_a_pipeline_come_in_order():
    from mlstrata.services.runner.execution import step_names

    tasks = {"c": {"dependentTasks": ["b"]}, "a": {}, "b": {"dependentTasks": ["a"]}}
    assert step_names({"root": {"dag": {"tasks": tasks}}}) == ["a", "b", "c"]


def test_a_log_finds_the_reason_in_pieces_of_lines():
    from mlstrata.services.runner.execution import Log

    line = "    mlstrata-step-ended " + json.dumps({"step": "x", "kind": "refused", "reasons": ["one", "two"]}) + "\n"
    target = io.StringIO()
    log = Log(target)
    for start in range(0, len(line), 7):
        log.write(line[start : start + 7])
    log.write("mlstrata-step-ended {broken\n")
    assert log.reason == "one; two"
    assert target.getvalue().startswith(line)
