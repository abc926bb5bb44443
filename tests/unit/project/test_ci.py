"""Every test belongs to a part, and GitHub and GitLab run every part, after the style was checked."""

import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
import yaml

ROOT = Path(__file__).parents[3]
GITHUB = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
GITLAB = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())


@pytest.fixture(scope="module")
def runner() -> ModuleType:
    """Give `tools/run_tests.py`, a script."""
    spec = spec_from_file_location("run_tests", ROOT / "tools/run_tests.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_file_of_tests_is_run_once(runner):
    run = [
        file
        for group in runner.groups()
        if group.environment == "mlstrata"
        for path in group.paths
        for file in ([ROOT / path] if path.endswith(".py") else (ROOT / path).rglob("test_*.py"))
        if not any(file.is_relative_to(ROOT / without) for without in group.without)
    ]
    kept = subprocess.check_output(
        ["git", "ls-files", "-co", "--exclude-standard", "test_*.py", "**/test_*.py"], cwd=ROOT
    )
    # A template's tests are run in the repository that it becomes.
    wanted = {ROOT / name for name in kept.decode().split() if "/template/" not in name and (ROOT / name).exists()}
    assert sorted(run) == sorted(wanted)


def test_what_the_groups_name_is_there(runner):
    named = [path for group in runner.groups() for path in (*group.paths, *group.without)]
    assert [path for path in named if not (ROOT / path).exists()] == []
    local = {path.stem for path in (ROOT / "tests/local").glob("test_*.py")}
    assert {name for names in runner.LOCAL.values() for name in names} <= local
    assert {group.part for group in runner.groups()} == set(runner.PARTS)


def test_both_run_every_part_after_the_style(runner):
    # A hosted runner is not asked for all that a node shows: `make test-node` is for a machine with root.
    without_engines = [part for part in runner.PARTS if part not in {runner.ENGINES, runner.NODE}]
    assert GITHUB["test"]["strategy"]["matrix"]["part"] == without_engines
    assert GITLAB["test"]["parallel"]["matrix"] == [{"PART": without_engines}]
    assert GITLAB["stages"].index("lint") < GITLAB["stages"].index("test")
    assert {name for name, job in GITHUB.items() if job.get("needs") != "lint"} == {"lint"}
    for name in ("lint", "engines", "mutation"):
        runs = [step["run"] for step in GITHUB[name]["steps"] if "run" in step]
        assert runs == GITLAB[name]["script"], name


def test_gitlab_keeps_what_its_jobs_install_where_its_cache_looks():
    kept = {name: told for name, told in GITLAB["variables"].items() if isinstance(told, str) and "CI_PROJECT" in told}
    assert set(kept) == {"UV_CACHE_DIR", "PIP_CACHE_DIR", "MLSTRATA_TOOLS"}
    assert all(folder.startswith("$CI_PROJECT_DIR/.cache/") for folder in kept.values())
    assert GITLAB["default"]["cache"]["paths"] == GITLAB["engines"]["cache"]["paths"] == [".cache"]
    assert ".cache/" in (ROOT / ".gitignore").read_text().splitlines()


@pytest.fixture
def checkout(tmp_path):
    """A checkout in which `make` and the engines' tool only write down what they were asked for, and fail on demand."""
    for folder in (".ci", "tools", "bin"):
        (tmp_path / folder).mkdir()
    script = '#!/bin/bash\nname="{name} $*"\necho "$name" >>calls\n[ -z "$(cat <&0)" ]\n[[ "$FAIL" != "$name;" ]]\n'
    for path, name in (("bin/make", "make"), ("tools/install-go-tools", "engines")):
        (tmp_path / path).write_text(script.format(name=name))
        (tmp_path / path).chmod(0o755)
    (tmp_path / ".ci/run").write_text((ROOT / ".ci/run").read_text())

    def run(fail: str) -> tuple[int, set[str]]:
        environ = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "FAIL": fail}
        done = subprocess.run(
            ["bash", tmp_path / ".ci/run"], env=environ, input=b"typed", check=False, capture_output=True
        )
        return done.returncode, set((tmp_path / "calls").read_text().splitlines())

    return run


@pytest.mark.parametrize(
    ("fail", "ran"),
    [
        ("none", {"make install-test", "engines ", "make test", "make test-engines"}),
        ("make test;", {"make install-test", "engines ", "make test", "make test-engines"}),
        ("make test-engines;", {"make install-test", "engines ", "make test", "make test-engines"}),
        ("engines ;", {"make install-test", "engines ", "make test"}),
        ("make install-test;", {"make install-test"}),
    ],
)
def test_one_script_runs_all_and_fails_when_any_part_fails(checkout, fail, ran):
    code, calls = checkout(fail)
    assert (code, calls) == (int(fail != "none"), ran)
