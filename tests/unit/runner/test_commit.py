"""Lineage names the commit of the workspace, which holds the file and the data, not that of the installed code."""

import subprocess
from pathlib import Path

import pytest

from mlstrata.services.runner.commit import current_commit


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments/local.yaml").write_text("name: local\n")
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    return subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def test_it_is_the_workspaces(workspace: Path) -> None:
    git(workspace, "init", "--quiet")
    git(workspace, "add", "-A")
    git(workspace, "commit", "--quiet", "-m", "Begin")
    commit = git(workspace, "rev-parse", "HEAD").strip()
    (workspace / "untracked").touch()
    assert current_commit() == commit
    (workspace / "environments/local.yaml").write_text("name: other\n")
    assert current_commit() == f"{commit}-dirty"


def test_it_is_unknown_outside_a_repository_and_before_the_first_commit(workspace: Path) -> None:
    assert current_commit() == "unknown"
    git(workspace, "init", "--quiet")
    assert current_commit() == "unknown"


def test_it_is_unknown_without_a_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLSTRATA_WORKSPACE", raising=False)
    monkeypatch.chdir(tmp_path)
    assert current_commit() == "unknown"
