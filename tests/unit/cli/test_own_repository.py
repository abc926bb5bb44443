"""The command in somebody else's repository: it plans what is there, and leaves no secret for git to take."""

import json
import os
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


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for folder in ("environments", "src/deep"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "environments/prod.yaml").write_text(FILE)
    (tmp_path / "Pulumi.yaml").write_text("name: acme\nruntime: python\n")
    return tmp_path


def mlstrata(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MLSTRATA_", "PULUMI_"))}
    return subprocess.run([COMMAND, *arguments], cwd=folder, env=environ, capture_output=True, text=True, check=False)


def test_its_own_environment_is_planned_from_any_folder_of_it(repository: Path) -> None:
    done = mlstrata(repository / "src/deep", "plan", "prod", "--json")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["target"] == "local"
    urns = [step["urn"] for step in plan["steps"]]
    assert 0 < len(urns) < 40, "its own few resources, not those of an environment that is shipped"
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
