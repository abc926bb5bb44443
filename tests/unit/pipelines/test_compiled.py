"""The compiled file: the same bytes each time, every step with its needs, nothing of this machine in it."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

STEPS = [
    *("ingest", "privacy", "quality", "split", "leakage", "tune", "train", "evaluate"),
    *("signal", "fairness", "plausibility", "gates", "package", "served", "compare", "register"),
]

GATES = ["privacy", "leakage", "signal", "fairness", "plausibility"]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    from mlstrata.pipelines.compile import compile_pipeline

    return compile_pipeline("training", tmp_path_factory.mktemp("ir") / "training.yaml")


@pytest.fixture(scope="module")
def document(compiled):
    return yaml.safe_load(compiled.read_text())


def test_two_processes_compile_to_the_same_bytes(compiled, tmp_path):
    command = [sys.executable, "-m", "pipelines", "compile", "training", "-o", str(tmp_path / "again.yaml")]
    subprocess.run(command, check=True, env={"PYTHONHASHSEED": "7"})
    assert (
        hashlib.sha256((tmp_path / "again.yaml").read_bytes()).digest()
        == hashlib.sha256(compiled.read_bytes()).digest()
    )
    assert [path.name for path in tmp_path.iterdir()] == ["again.yaml"]


def test_steps_and_their_order(document):
    tasks = document["root"]["dag"]["tasks"]
    assert set(tasks) == set(STEPS)
    assert tasks["split"]["dependentTasks"] == ["ingest", "quality"]
    assert "privacy" in tasks["quality"]["dependentTasks"]
    assert "leakage" in tasks["tune"]["dependentTasks"]
    assert "tune" in tasks["train"]["dependentTasks"]
    assert {*GATES} <= set(tasks["gates"]["dependentTasks"])
    assert "gates" in tasks["package"]["dependentTasks"]
    assert "package" in tasks["served"]["dependentTasks"]
    assert {"gates", "served", "compare"} <= set(tasks["register"]["dependentTasks"])


def test_a_gate_is_asked_once():
    from mlstrata.pipelines.resources import TRAINING

    assert {step: TRAINING[step].retries for step in (*GATES, "quality", "gates", "served")} == dict.fromkeys(
        (*GATES, "quality", "gates", "served"), 0
    )


@pytest.mark.parametrize("step", STEPS)
def test_each_step_declares_its_needs(document, step):
    from mlstrata.pipelines.resources import TRAINING

    container = document["deploymentSpec"]["executors"][f"exec-{step}"]["container"]
    resources, needs = container["resources"], TRAINING[step]
    for limit in ("resourceCpuRequest", "resourceCpuLimit"):
        assert resources[limit] == needs.cpu
    for limit in ("resourceMemoryRequest", "resourceMemoryLimit"):
        assert resources[limit] == needs.memory
    assert resources["accelerator"] == {
        "type": "nvidia.com/gpu",
        "resourceType": "nvidia.com/gpu",
        "resourceCount": "0",
    }
    variables = {one["name"]: one["value"] for one in container["env"]}
    threads = 2 if step in {"tune", "train", "signal"} else 1
    assert (variables["OMP_NUM_THREADS"], variables["OMP_WAIT_POLICY"]) == (str(threads), "PASSIVE")
    task = document["root"]["dag"]["tasks"][step]
    assert task["retryPolicy"].get("maxRetryCount", 0) == needs.retries
    assert task["cachingOptions"].get("enableCache", False) is needs.cached


def test_the_registry_and_the_source_are_never_taken_from_a_cache(document):
    tasks = document["root"]["dag"]["tasks"]
    always = [step for step in STEPS if not tasks[step]["cachingOptions"].get("enableCache")]
    assert always == ["ingest", "compare", "register"]


def test_only_training_gets_the_accelerators(tmp_path):
    from mlstrata.pipelines.compile import compile_pipeline

    executors = yaml.safe_load(compile_pipeline("training", tmp_path / "g.yaml", gpus=2).read_text())["deploymentSpec"][
        "executors"
    ]
    counts = {name: spec["container"]["resources"]["accelerator"]["resourceCount"] for name, spec in executors.items()}
    assert counts.pop("exec-train") == "2"
    assert set(counts.values()) == {"0"}


def test_each_step_names_package_and_code(document):
    from mlstrata.components.upstream.runtime import RUNTIME
    from mlstrata_steps.versioning import code_version

    for spec in document["deploymentSpec"]["executors"].values():
        container = spec["container"]
        assert container["image"] == str(RUNTIME), "the image that is built, listed and mirrored"
        assert {"name": "MLSTRATA_STEPS", "value": code_version()} in container["env"]
        assert "pip install" not in " ".join(container["command"])


def test_a_step_in_a_container_needs_the_steps_package_and_nothing_else_of_ours(document):
    """What Kubeflow copies into the compiled file imports `mlstrata_steps`; neither this checkout nor a service."""
    import ast

    for name, spec in document["deploymentSpec"]["executors"].items():
        source = next(text for text in spec["container"]["command"] if f"def {name.removeprefix('exec-')}(" in text)
        names = set()
        for node in ast.walk(ast.parse(source[source.index("import kfp") :])):
            names |= {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
            names |= {node.module or ""} if isinstance(node, ast.ImportFrom) else set()
        roots = {one.partition(".")[0] for one in names}
        assert "mlstrata_steps" in roots, name
        assert roots <= {"mlstrata_steps", "kfp", *sys.stdlib_module_names}, name


def test_the_version_is_the_package_s():
    import tomllib

    import mlstrata_steps

    project = Path(mlstrata_steps.__file__).parents[1] / "pyproject.toml"
    assert tomllib.loads(project.read_text())["project"]["version"] == mlstrata_steps.__version__


def test_the_file_holds_nothing_of_this_machine(compiled):
    text = compiled.read_text()
    assert str(Path(__file__).parents[3]) not in text
    assert "127.0.0.1" not in text


def test_unknown_pipelines_are_named():
    from mlstrata.pipelines.compile import compile_pipeline

    with pytest.raises(ValueError, match="got 'baking'; allowed training"):
        compile_pipeline("baking", Path("/nowhere.yaml"))
