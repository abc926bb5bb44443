"""Capabilities of a workspace are registered from its folder, once, and leave with it."""

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from mlstrata.components import capability, guests
from mlstrata.environments import SpecErrors, Workspace, WorkspaceError, loads

MODULE = """
from mlstrata.components.capability import Declaration, LocalBuilder, register
from mlstrata.environments import Stage, stages

register(
    Declaration("greeting", local=LocalBuilder("acme_chat:build")),
    stages.Entry("greeting", Stage.SCALE, "People like to be greeted."),
)

def build(site):
    return None
"""
FILE = b"name: own\ntarget: {kind: local}\nstage: prerequisites\ncapabilities: {on: [greeting]}\nsystems: []\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "one/capabilities").mkdir(parents=True)
    (tmp_path / "one/capabilities/acme_chat.py").write_text(MODULE)
    (tmp_path / "one/capabilities/_shared.py").write_text("1 / 0")
    (tmp_path / "two/environments").mkdir(parents=True)
    return tmp_path


@pytest.fixture(autouse=True)
def _nobodys() -> None:
    yield
    guests.load(Workspace(Path("/nobody")))


def names() -> set[str]:
    return {str(one.name) for one in capability.known()}


def test_it_is_known_while_its_workspace_is(folder: Path) -> None:
    guests.load(Workspace(folder / "one"))
    guests.load(Workspace(folder / "one"))
    assert "greeting" in loads(FILE, "own.yaml", "own").spec.capabilities
    guests.load(Workspace(folder / "two"))
    assert "greeting" not in names()
    with pytest.raises(SpecErrors, match=r"own\.yaml:4: capabilities\.on\[0\]: got "):
        loads(FILE, "own.yaml", "own")
    guests.load(Workspace(folder / "one"))
    assert "greeting" in names()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("broken", "x = 1\nx.nothing", r"broken.py:2: cannot be loaded: AttributeError: "),
        ("broken", "def (", r"broken.py:1: cannot be loaded: SyntaxError: "),
        ("json", "", "another module is called 'json'; give the file another name"),
        ("pytest", "", "another module is called 'pytest'"),
        (
            "own",
            MODULE.replace("greeting", "parting").replace("acme_chat:build", "own:biuld"),
            r"own.py: capability 'parting': got builder 'own:biuld'; did you mean 'build'\?",
        ),
        ("taken", MODULE.replace('"greeting"', '"registry"'), "capability 'registry': is declared already"),
    ],
)
def test_what_does_not_load_is_one_line_with_its_place(name: str, text: str, said: str, folder: Path) -> None:
    (folder / "one/capabilities" / f"{name}.py").write_text(text)
    with pytest.raises(WorkspaceError, match=said) as caught:
        guests.load(Workspace(folder / "one"))
    assert "\n" not in str(caught.value)
    assert "greeting" not in names(), "all or nothing"


def test_an_entry_point_brings_one_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(folder / "one/capabilities"))
    point = EntryPoint("greeting", "acme_chat", guests.GROUP)
    monkeypatch.setattr(guests, "entry_points", lambda group: [point] if group == guests.GROUP else [])
    monkeypatch.delitem(__import__("sys").modules, "acme_chat", raising=False)
    guests.load(Workspace(folder / "two"))
    assert "greeting" in names()
