"""The steps as a wheel of their own: built, installed into a fresh environment, and run by another orchestrator."""

import ast
import json
import subprocess
import sys
import venv
import zipfile
from email.parser import Parser
from importlib.metadata import packages_distributions, version
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

from tests.support.wheels import build

PROJECT = Path(__file__).parents[3] / "pipelines/steps"

FLOW = '''
"""A flow in the style of Airflow's and Prefect's: decorated tasks, results passed on by value."""
import functools, json, sys
from pathlib import Path
import mlstrata_steps
from mlstrata_steps import StepRefused
from mlstrata_steps.evaluate import evaluate
from mlstrata_steps.gates import gate
from mlstrata_steps.ingest import ingest
from mlstrata_steps.quality import check_quality
from mlstrata_steps.search import search
from mlstrata_steps.split import split
from mlstrata_steps.train import train

history = []

def task(retries=0, name=None):
    def wrap(function):
        @functools.wraps(function)
        def run(*inputs, **settings):
            for attempt in range(retries + 1):
                try:
                    result = function(*inputs, **settings)
                    history.append([name or function.__name__, "success"])
                    return result
                except StepRefused as refused:
                    history.append([name or function.__name__, "refused: " + refused.reasons[0]])
                    raise
        return run
    return wrap

source, folder = sys.argv[1], Path(sys.argv[2])
columns = {"target": "y", "positive": "yes"}
paths = {name: str(folder / name) for name in ("train", "test", "model")}
data = task(retries=2)(ingest)(source, str(folder / "data"))
report = task()(check_quality)(data.path, columns, {})
task()(split)(data.path, paths["train"], paths["test"], columns)
found = task()(search)(paths["train"], columns, algorithm="logistic_regression", parameters={},
                       rules={"trials": 2, "processes": 1})
made = task(retries=1)(train)(paths["train"], paths["model"], columns, parameters=found["parameters"])
evaluation = task()(evaluate)(paths["test"], paths["model"], columns, answers=made.answers)
task()(gate)(evaluation, [{"metric": "auc", "at_least": 0.6}])
try:
    task(name="strict gate")(gate)(evaluation, [{"metric": "auc", "at_least": 1}])
except StepRefused:
    pass
print(json.dumps([mlstrata_steps.__file__, history]))
'''


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    wheels = build(tmp_path_factory.mktemp("dist"))
    return next(path for path in wheels if path.name.startswith("mlstrata_steps-"))


def test_the_wheel_holds_every_step_and_nothing_else(wheel):
    import mlstrata_steps

    assert wheel.name == f"mlstrata_steps-{mlstrata_steps.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    sources = {path.relative_to(PROJECT).as_posix() for path in (PROJECT / "mlstrata_steps").rglob("*.py")}
    assert names == {*sources, "mlstrata_steps/py.typed"}


def test_the_wheel_asks_for_what_its_steps_import_and_for_what_is_locked_here(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        wanted = [Requirement(one) for one in Parser().parsestr(archive.read(name).decode()).get_all("Requires-Dist")]
    for one in wanted:
        assert one.specifier.contains(version(one.name)), f"{one}: this environment has {version(one.name)}"
    imported = {
        name.partition(".")[0]
        for path in (PROJECT / "mlstrata_steps").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [alias.name for alias in node.names] if isinstance(node, ast.Import)
            else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        )
    } - {*sys.stdlib_module_names, "mlstrata_steps"}  # fmt: skip
    distributions = packages_distributions()
    asked = {one.name for one in wanted if one.marker is None}
    assert {"pandas", "sklearn", "mlflow"} <= imported
    for package in imported:
        assert {name.lower() for name in distributions[package]} & asked, f"{package} is imported and not asked for"


def test_another_orchestrator_runs_the_installed_steps(wheel, tmp_path):
    fresh = tmp_path / "fresh"
    venv.create(fresh, with_pip=False)
    python = fresh / "bin/python"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = fresh / "lib" / version / "site-packages"
    # Without dependencies and without a network: they are this environment's, after the fresh one's own packages.
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--no-deps",
            "--no-index",
            "--quiet",
            "--target",
            str(site),
            str(wheel),
        ],
        check=True,
    )
    rest = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "dependencies.pth").write_text(rest + "\n")
    random = np.random.default_rng(5)
    rows = [f"{x},{'yes' if x + random.normal() > 0 else 'no'}" for x in random.normal(size=700)]
    (tmp_path / "loans.csv").write_text("x,y\n" + "\n".join(rows) + "\n")
    (tmp_path / "flow.py").write_text(FLOW)
    done = subprocess.run(
        [str(python), str(tmp_path / "flow.py"), str(tmp_path / "loans.csv"), str(tmp_path)],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    used, history = json.loads(done.stdout.splitlines()[-1])
    assert Path(used).is_relative_to(site), "the wheel's steps, not the checkout's"
    assert [name for name, _ in history] == [
        "ingest", "check_quality", "split", "search", "train", "evaluate", "gate", "strict gate",
    ]  # fmt: skip
    assert [state for _, state in history[:-1]] == ["success"] * 7
    assert history[-1][1].startswith("refused: auc: 0.")


def test_the_steps_that_pipelines_run_are_this_distribution():
    from importlib.metadata import distribution

    installed = distribution("mlstrata-steps")
    origin = json.loads(installed.read_text("direct_url.json") or "{}")
    assert origin["url"] == PROJECT.as_uri()
    assert not any((name or "").startswith("mlstrata_steps") for name in map(str, distribution("mlstrata").files or ()))
