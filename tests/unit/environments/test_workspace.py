"""Where environments and what they own live."""

import stat
import subprocess
from pathlib import Path

import pytest

from mlstrata.environments import Workspace, WorkspaceError
from mlstrata.environments.installation import room


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLSTRATA_WORKSPACE", raising=False)


def folder_of_environments(folder: Path, *names: str) -> Path:
    (folder / "environments").mkdir(parents=True)
    for name in names:
        (folder / "environments" / f"{name}.yaml").touch()
    return folder


def test_the_variable_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of_environments(tmp_path, "local")
    folder_of_environments(tmp_path / "here")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLSTRATA_WORKSPACE", "here")
    assert Workspace.find() == Workspace(tmp_path / "here")


def test_a_variable_that_names_no_workspace_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    with pytest.raises(WorkspaceError, match=f"MLSTRATA_WORKSPACE: got '{tmp_path}', and there is no folder"):
        Workspace.find()


def test_the_nearest_folder_above_with_environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of_environments(tmp_path, "local")
    inner = folder_of_environments(tmp_path / "a", "local") / "b/c"
    inner.mkdir(parents=True)
    (inner / "Pulumi.yaml").touch()
    monkeypatch.chdir(inner)
    assert Workspace.find() == Workspace(tmp_path / "a")


def test_a_python_package_of_that_name_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of_environments(tmp_path)
    inner = folder_of_environments(tmp_path / "src")
    (inner / "environments/__init__.py").touch()
    monkeypatch.chdir(inner)
    assert Workspace.find() == Workspace(tmp_path)


def test_none_is_told_with_what_was_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WorkspaceError, match=f"folder environments/ in {tmp_path} and .*`mlstrata init DIR`"):
        Workspace.find()


def test_it_is_handed_to_what_this_process_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLSTRATA_WORKSPACE", "")
    folder_of_environments(tmp_path / "here")
    Workspace(tmp_path / "here").hand_on()
    monkeypatch.chdir("/")
    assert Workspace.find() == Workspace(tmp_path / "here")


def test_its_project_is_that_of_its_pulumi_file(tmp_path: Path) -> None:
    assert Workspace(tmp_path).project == "mlstrata"
    (tmp_path / "Pulumi.yaml").write_text("name: acme\nruntime: python\n")
    assert Workspace(tmp_path).project == "acme"


@pytest.mark.parametrize(
    "text", ["runtime: python", "name: [a]", "- name", "name: {", "name: ..", "name: a/../../b", "name: Our Demo"]
)
def test_a_pulumi_file_that_names_no_project_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text(text)
    with pytest.raises(WorkspaceError, match=r"^[^\n]*Pulumi\.yaml: [^\n]+$"):
        _ = Workspace(tmp_path).project


def test_its_program_is_its_own_where_it_has_one(tmp_path: Path) -> None:
    installed = room("stacks")
    assert Workspace(tmp_path).program == installed
    (tmp_path / "Pulumi.yaml").write_text("name: acme\nmain: program\n")
    assert Workspace(tmp_path).program == installed
    (tmp_path / "program").mkdir()
    (tmp_path / "program/__main__.py").touch()
    assert Workspace(tmp_path).program == tmp_path / "program"


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def test_git_takes_neither_state_nor_secrets(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    workspace = Workspace(tmp_path)
    secret = workspace.home("local") / "passphrase"
    assert workspace.is_taken_by_git(secret)
    workspace.keep_from_git()
    for file in (secret, workspace.pulumi / "stacks/mlstrata/local.json", tmp_path / "ours"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
    git(tmp_path, "add", "-A")
    assert git(tmp_path, "ls-files").split() == ["ours"]
    assert not workspace.is_taken_by_git(secret)


def test_an_ignore_file_of_the_users_own_is_kept_and_seen(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / ".mlstrata").mkdir()
    (tmp_path / ".mlstrata/.gitignore").write_text("*\n!*/\n!passphrase\n")
    workspace = Workspace(tmp_path)
    workspace.keep_from_git()
    assert workspace.is_taken_by_git(workspace.home("local") / "passphrase")
    assert not workspace.is_taken_by_git(workspace.home("local") / "token")


def test_outside_a_repository_git_takes_nothing(tmp_path: Path) -> None:
    assert not Workspace(tmp_path).is_taken_by_git(tmp_path / "passphrase")


def test_its_places(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    assert workspace.environment_file("prod") == tmp_path / "environments" / "prod.yaml"
    assert workspace.home("prod") == tmp_path / ".mlstrata" / "prod"
    assert workspace.pulumi == tmp_path / ".pulumi"


def test_a_short_home_holds_its_socket() -> None:
    workspace = Workspace(Path("/srv/ml"))
    assert workspace.socket("prod") == Path("/srv/ml/.mlstrata/prod/run/supervisor.sock")


def test_a_long_home_has_its_socket_in_a_private_folder(tmp_path: Path) -> None:
    first = Workspace(tmp_path / ("x" * 90)).socket("prod")
    second = Workspace(tmp_path / ("y" * 90)).socket("prod")
    try:
        assert first == Workspace(tmp_path / ("x" * 90)).socket("prod")
        assert first != second
        assert len(str(first)) < 90
        assert stat.S_IMODE(first.parent.stat().st_mode) == 0o700
    finally:
        first.parent.rmdir()
        second.parent.rmdir()


@pytest.mark.parametrize("how", ["open to others", "a link"])
def test_a_folder_that_is_not_ours_alone_is_refused(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlstrata.environments.workspace.SHARED", tmp_path)
    workspace = Workspace(tmp_path / ("x" * 90))
    folder = workspace.socket("prod").parent
    if how == "a link":
        folder.rmdir()
        (tmp_path / "theirs").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "theirs")
    else:
        folder.chmod(0o777)
    with pytest.raises(PermissionError, match="is not yours alone; remove it, or move"):
        workspace.socket("prod")


@pytest.mark.parametrize(
    ("name", "right"), [("dev.yml", "dev.yaml"), ("dev.YAML", "dev.yaml"), ("a.b.yml", "a.b.yaml")]
)
def test_a_file_that_ends_otherwise_is_named_and_not_passed_over(tmp_path: Path, name: str, right: str) -> None:
    workspace = Workspace(folder_of_environments(tmp_path, "other"))
    assert list(workspace.environment_files()) == ["other"]
    (workspace.environments / name).touch()
    with pytest.raises(WorkspaceError, match=f"{name}: is not read: .* call it {right}"):
        workspace.environment_files()
