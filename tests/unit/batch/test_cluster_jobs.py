"""What a pod does that has no disk: its version from the registry, its output back to MLflow, the registry's tables."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlstrata.clients.mlflow.access import of
from mlstrata.services.registry.cluster import address, migrate
from tests.support.registry import PASSWORD, serving


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry with one model in two versions, the first of them the champion; its password is where a pod's is."""
    folder = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch, serving(folder) as uri:
        for name, value in of(PASSWORD).items():
            patch.setenv(name, value)
        _register(uri)
        yield uri


def _register(uri: str) -> None:
    import mlflow
    import pandas as pd
    from mlflow.models import infer_signature
    from sklearn.linear_model import LogisticRegression

    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("nightly")
    data = pd.DataFrame({"pirat": [0.1, 0.2, 0.8, 0.9], "lvrat": [0.3, 0.5, 0.9, 1.2]})
    model = LogisticRegression().fit(data, [0, 0, 1, 1])
    for _ in range(2):
        with mlflow.start_run():
            mlflow.sklearn.log_model(
                model,
                name="model",
                registered_model_name="nightly",
                signature=infer_signature(data, model.predict_proba(data)),
                input_example=data.head(1),
                pyfunc_predict_fn="predict_proba",
                serialization_format="skops",
            )
    mlflow.MlflowClient(uri).set_registered_model_alias("nightly", "champion", "1")


def test_tables_are_made_once_and_then_upgraded(tmp_path):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    assert [migrate(uri), migrate(uri)] == ["made", "upgraded"]


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("postgresql://u:p@database-rw:5432/mlflow", "postgresql+pg8000://u:p@database-rw:5432/mlflow"),
        ("postgres://u:p@h/m", "postgresql+pg8000://u:p@h/m"),
        ("sqlite:////tmp/x.db", "sqlite:////tmp/x.db"),
    ],
)
def test_the_driver_is_the_one_in_the_image(given, taken):
    assert address(given) == taken


@pytest.mark.parametrize(("wanted", "version"), [("champion", "1"), ("2", "2")])
def test_a_pod_takes_the_version_that_it_is_told(registry, tmp_path, wanted, version):
    from mlstrata.clients.mlflow import Registry
    from mlstrata.services.serving.fetch import fetch
    from mlstrata.services.serving.releases import Releases

    assert fetch(Registry(registry), "nightly", wanted, tmp_path) == version
    assert Releases.read(tmp_path).champion == version
    assert (tmp_path / "models" / version / "MLmodel").is_file()


def test_what_a_registry_knows_of_a_version_made_by_hand(registry):
    from mlstrata.clients.mlflow import Registry

    asked = Registry(registry)
    found = asked.candidate("nightly", None)
    assert (found.version, found.metrics, asked.latest("nightly")) == ("2", {}, "2")
    assert asked.input_types(found) == {"pirat": "double", "lvrat": "double"}
    assert asked.checks(found.run) is None
    assert asked.reports(found.run) == {}


def test_with_nothing_released_a_pod_starts_all_the_same(registry, tmp_path):
    import mlflow

    from mlstrata.clients.mlflow import Registry
    from mlstrata.services.serving.fetch import fetch

    mlflow.MlflowClient(registry).create_registered_model("unreleased")
    assert fetch(Registry(registry), "unreleased", "champion", tmp_path) is None
    assert not (tmp_path / "releases.json").exists()


def test_scores_and_their_manifest_are_kept_in_a_run(registry, tmp_path):
    import mlflow

    from mlstrata.services.batch.cluster_job import run
    from mlstrata.services.batch.settings import ScoringJob

    rows = tmp_path / "rows.csv"
    rows.write_text("pirat,lvrat\n0.1,0.3\n0.9,1.1\n0.5,0.6\n")
    job = ScoringJob(system="nightly", directory=tmp_path / "s", workdir=tmp_path / "w", input=str(rows))
    kept, manifest = run(job, registry)
    assert (manifest.version, manifest.rows, manifest.scored) == ("1", 3, 3)
    client = mlflow.MlflowClient(registry)
    assert client.get_run(kept).data.tags["model_version"] == "1"
    names = [Path(one.path).name for one in client.list_artifacts(kept)]
    assert sorted(names) == sorted([manifest.output, f"{manifest.output}.manifest.json"])
    text = Path(client.download_artifacts(kept, f"{manifest.output}.manifest.json", str(tmp_path))).read_text()
    assert json.loads(text) == manifest.model_dump(mode="json")
    lines = Path(client.download_artifacts(kept, manifest.output, str(tmp_path))).read_text().splitlines()
    assert len(lines) == 4


def test_scores_that_were_kept_long_enough_are_removed_with_their_files_and_nothing_else(
    registry, tmp_path, monkeypatch
):
    import mlflow

    from mlstrata.services.batch.cluster_job import forget, run
    from mlstrata.services.batch.settings import ScoringJob

    rows = tmp_path / "rows.csv"
    rows.write_text("pirat,lvrat\n0.1,0.3\n")
    client = mlflow.MlflowClient(registry)
    experiment = client.get_experiment_by_name("nightly").experiment_id
    trained = {found.info.run_id for found in client.search_runs([experiment], "tags.`mlstrata.kind` != 'scoring'")}

    def scored(name: str) -> str:
        folders = {"directory": tmp_path / "s", "workdir": tmp_path / name}
        return run(ScoringJob(system="nightly", input=str(rows), keep=3600.0, **folders), registry)[0]

    first = scored("first")
    between = time.time()
    assert client.get_run(first).info.lifecycle_stage == "active"
    time.sleep(0.01)
    second = scored("second")
    assert forget("nightly", registry, between) >= 1
    assert client.get_run(first).info.lifecycle_stage == "deleted"
    assert (client.list_artifacts(first), len(client.list_artifacts(second))) == ([], 2)
    assert forget("nightly", registry, between) == 0
    left = {found.info.run_id for found in client.search_runs([experiment])}
    assert left >= {*trained, second}
    assert forget("unknown", registry, between) == 0
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert forget("nightly", "http://127.0.0.1:1", between) == 0, "it has scored all the same"


def test_nothing_is_scored_before_a_release(registry, tmp_path):
    import mlflow

    from mlstrata.services.batch.cluster_job import run
    from mlstrata.services.batch.settings import ScoringJob
    from mlstrata.services.batch.table import BatchError

    mlflow.MlflowClient(registry).create_registered_model("waiting")
    job = ScoringJob(system="waiting", directory=tmp_path / "s", workdir=tmp_path / "w", input="rows.csv")
    with pytest.raises(BatchError, match="no version of waiting is released yet"):
        run(job, registry)
