"""What `mlstrata init` writes is whole: it validates, compiles, has a policy that holds, and touches nothing else."""

import tomllib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from mlstrata.cli.repository import init
from mlstrata.environments import Workspace, load
from mlstrata.environments.guests import missing
from mlstrata.operations.errors import UsageError
from mlstrata.operations.repository.scaffold import create, project_name
from mlstrata.policies.guests import guest_rules


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("of") / "Our Demo"
    create(folder)
    return folder


def test_it_says_what_it_wrote(tmp_path: Path) -> None:
    written = create(tmp_path / "a/b")
    assert set(written) == {path for path in (tmp_path / "a/b").rglob("*") if path.is_file()}
    assert {".gitignore", ".github", "README.md"} <= {path.name for path in (tmp_path / "a/b").iterdir()}


def test_its_environments_are_valid_and_name_what_is_there(demo: Path) -> None:
    workspace = Workspace(demo)
    for name, kind in (("local", "local"), ("dev", "kubernetes")):
        spec = load(workspace.environment_file(name))
        assert (spec.name, spec.target.kind) == (name, kind)
        assert list(missing(spec, workspace)) == []


def test_its_policy_is_loaded_with_its_fixtures(demo: Path) -> None:
    assert [rule.id for rule in guest_rules(demo / "policies")] == ["org-cost-centre"]


def test_its_exemptions_name_exact_environments_and_systems_and_end(demo: Path) -> None:
    today = datetime.now(tz=UTC).date()
    for one in yaml.safe_load((demo / "policies/exemptions.yaml").read_text())["exemptions"]:
        assert one["environments"] == ["dev"]
        assert not [match for match in one["match"] if "*" in match]
        assert today < date.fromisoformat(str(one["expires"])) < today + timedelta(days=365)


def test_its_pipeline_compiles_with_its_own_step(demo: Path, tmp_path: Path) -> None:
    from mlstrata.pipelines.compile import compile_pipeline

    found = compile_pipeline("churn:pipeline", tmp_path / "ir.yaml", workspace=Workspace(demo))
    assert "tidied" in yaml.safe_load(found.read_text())["root"]["dag"]["tasks"]


def test_no_placeholder_is_left(demo: Path) -> None:
    project = tomllib.loads((demo / "pyproject.toml").read_text())
    assert project["project"]["name"] == "our-demo"
    assert project["project"]["dependencies"] == [f"mlstrata=={project['tool']['mlstrata']['version']}"]
    assert Workspace(demo).project == "our-demo"
    assert Workspace(demo).program == demo / "program"
    for file in (path for path in demo.rglob("*") if path.is_file()):
        assert not {"$name", "$version", "$until"} & set(file.read_text().replace("-dev", " ").split())


def test_its_workflow_keeps_the_expressions_of_github(demo: Path) -> None:
    text = (demo / ".github/workflows/mlstrata.yml").read_text()
    assert "${{ github.event.pull_request.base.sha }}" in text
    steps = yaml.safe_load(text)["jobs"]["check"]["steps"]
    commands = " ".join(step.get("run", "") for step in steps)
    for command in ("mlstrata validate", "mlstrata plan", "--against", "--format sarif"):
        assert command in commands


@pytest.mark.parametrize("held", ["file", "folder"])
def test_what_is_not_empty_is_refused_and_left_alone(held: str, tmp_path: Path) -> None:
    if held == "file":
        (tmp_path / "notes.txt").touch()
    else:
        (tmp_path / "environments").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match=r"is not empty \((notes.txt|environments)\); name a new or empty folder"):
        create(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_file_is_refused_and_a_fresh_clone_is_empty(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file"):
        create(tmp_path / "file")
    (tmp_path / "clone/.git").mkdir(parents=True)
    assert create(tmp_path / "clone")


@pytest.mark.parametrize(
    ("folder", "name"), [("Demo", "demo"), ("3 rivers", "ml-3-rivers"), ("__", "ml"), ("a" * 50, "a" * 30)]
)
def test_a_folder_gives_a_name_that_all_take(folder: str, name: str) -> None:
    assert project_name(folder) == name


@pytest.mark.parametrize(
    ("folder", "enter"),
    [(Path("demo"), "cd demo && "), (Path("Our Demo"), "cd 'Our Demo' && "), (Path("-x"), "cd ./-x && "), (Path(), "")],
)
def test_what_to_do_next_is_a_command_that_runs(folder: Path, enter: str, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    init(folder)
    assert capsys.readouterr().out.splitlines()[-1] == f" 12 files; next: {enter}mlstrata up local --train"


@pytest.mark.parametrize("folder", ["mlstrata", "mlstrata_steps", "Pulumi Embedded"])
def test_a_repository_is_never_named_as_what_it_installs(folder: str) -> None:
    assert project_name(folder).startswith("ml-")
