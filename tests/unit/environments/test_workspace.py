"""Where environments and what they own live."""

import stat
from pathlib import Path

import pytest

from mlstrata.environments import Workspace


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLSTRATA_WORKSPACE", raising=False)


def test_the_variable_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "Pulumi.yaml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLSTRATA_WORKSPACE", "here")
    assert Workspace.find() == Workspace(tmp_path / "here")


def test_the_nearest_parent_with_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "Pulumi.yaml").touch()
    (tmp_path / "a" / "Pulumi.yaml").touch()
    monkeypatch.chdir(inner)
    assert Workspace.find() == Workspace(tmp_path / "a")


def test_else_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Workspace.find() == Workspace(Workspace.code)
    assert (Workspace.code / "environments" / "workspace.py").is_file()


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
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    workspace = Workspace(tmp_path / ("x" * 90))
    folder = workspace.socket("prod").parent
    if how == "a link":
        folder.rmdir()
        (tmp_path / "theirs").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "theirs")
    else:
        folder.chmod(0o777)
    with pytest.raises(PermissionError, match="is not yours alone; remove it, or set TMPDIR"):
        workspace.socket("prod")
