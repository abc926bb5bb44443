"""What a newer version asks of a repository is read from the dated list, and found in its files."""

import re
from datetime import date
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
import yaml

from mlstrata.cli.repository import upgrade as command
from mlstrata.environments import Workspace
from mlstrata.operations.errors import UsageError
from mlstrata.operations.repository import upgrade
from mlstrata.operations.repository.scaffold import create

LIST = """
- {version: 0.0.2, date: 2026-01-02, changes: [{what: b, do: mend b, in: "*.txt", pattern: "^old"}]}
- {version: 0.0.10, date: 2026-01-03, changes: [{what: c, do: mend c, in: "*.txt", pattern: "never"}]}
- {version: 0.0.1, date: 2026-01-01, changes: [{what: a, do: mend a, in: "*.txt", pattern: "old"}]}
- {version: 99.0.0, date: 2030-01-01, changes: [{what: z, do: mend z, in: "*.txt", pattern: "old"}]}
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    (tmp_path / "list.yaml").write_text(LIST)
    monkeypatch.setattr(upgrade, "CHANGES", tmp_path / "list.yaml")
    root = tmp_path / "repository"
    (root / "environments").mkdir(parents=True)
    (root / "notes.txt").write_text("new\nold\n")
    (root / ".mlstrata-version").write_text("0.0.1\n")
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(root))
    return Workspace(root)


def test_what_lies_between_is_told_newest_first_with_its_places(repository: Workspace) -> None:
    found = upgrade.check(repository)
    assert (found.recorded, found.installed) == ("0.0.1", version("mlstrata"))
    assert [(one.version, one.what, one.places) for one in found.changes] == [
        ("0.0.10", "c", ()),
        ("0.0.2", "b", ("notes.txt:2",)),
    ]
    assert [one.what for one in found.open] == ["b"]


def test_it_is_recorded_when_nothing_waits_any_more(repository: Workspace) -> None:
    with pytest.raises(typer.Exit) as ended:
        command(check=False, as_json=False)
    assert ended.value.exit_code == 1
    assert (repository.root / ".mlstrata-version").read_text() == "0.0.1\n"
    (repository.root / "notes.txt").write_text("new\n")
    command(check=True, as_json=False)
    assert (repository.root / ".mlstrata-version").read_text() == "0.0.1\n", "a check records nothing"
    command(check=False, as_json=False)
    assert (repository.root / ".mlstrata-version").read_text() == f"{version('mlstrata')}\n"
    assert upgrade.check(repository).changes == ()


def test_the_record_of_a_project_is_kept_in_it(tmp_path: Path) -> None:
    create(tmp_path / "demo")
    project = tmp_path / "demo/pyproject.toml"
    new = project.read_text()
    project.write_text(
        new.replace(f'[tool.mlstrata]\nversion = "{version("mlstrata")}"', '[tool.mlstrata]\nversion = "0.0.1"')
    )
    assert project.read_text() != new
    assert upgrade.record(Workspace(tmp_path / "demo")) == project
    assert project.read_text() == new


@pytest.mark.parametrize(("noted", "said"), [(None, "records no version"), ("soon", "got 'soon'; allowed a version")])
def test_a_repository_that_says_no_version_is_told_how(noted: str | None, said: str, repository: Workspace) -> None:
    record = repository.root / ".mlstrata-version"
    record.write_text(noted) if noted else record.unlink()
    with pytest.raises(UsageError, match=said):
        upgrade.check(repository)


def test_the_shipped_list_is_sound_and_asks_nothing_of_a_new_repository(tmp_path: Path) -> None:
    entries = yaml.safe_load(upgrade.CHANGES.read_text())
    assert version("mlstrata") in [entry["version"] for entry in entries]
    for entry in entries:
        assert isinstance(entry["date"], date)
        for change in entry["changes"]:
            assert {"what", "do", "in", "pattern"} == set(change)
            re.compile(change["pattern"])
    create(tmp_path / "demo")
    project = tmp_path / "demo/pyproject.toml"
    project.write_text(re.sub(r'(\[tool\.mlstrata\]\nversion = )"[^"]+"', r'\1"0.0.1"', project.read_text()))
    found = upgrade.check(Workspace(tmp_path / "demo"))
    assert found.changes
    assert found.open == ()


def test_the_shipped_list_finds_what_it_is_about(tmp_path: Path) -> None:
    create(tmp_path / "demo")
    root = tmp_path / "demo"
    (root / ".mlstrata-version").write_text("0.0.1")
    (root / "pyproject.toml").unlink()
    (root / "own.py").write_text("from components.registry.kubernetes import Registry\n")
    (root / "policies/exemptions.yaml").write_text('exemptions:\n  - {policy: x, match: "*"}\n')
    (root / "environments/old.yaml").write_text("model: {pipeline: text-training}\n")
    (root / "Pulumi.yaml").write_text("name: x\nmain: stacks/\n")
    places = {place for change in upgrade.check(Workspace(root)).open for place in change.places}
    assert places == {"own.py:1", "policies/exemptions.yaml:2", "environments/old.yaml:1", "Pulumi.yaml:2"}


@pytest.mark.parametrize("check", [True, False])
def test_an_older_version_than_the_repositorys_is_refused_and_records_nothing(
    repository: Workspace, check: bool
) -> None:
    note = repository.root / ".mlstrata-version"
    note.write_text("98.0.0\n")
    with pytest.raises(UsageError, match=r"records version 98\.0\.0 of mlstrata, and the older .* is installed"):
        command(check=check, as_json=False)
    assert note.read_text() == "98.0.0\n"
