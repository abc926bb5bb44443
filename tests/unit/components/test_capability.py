"""Capabilities declare themselves: what is built is derived, a new one is a folder and a row, guests have a door."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path

import pulumi
import pytest
import yaml

from mlstrata.components import capability
from mlstrata.components.capability import (
    TARGETS,
    Builder,
    ClusterBuilder,
    Declaration,
    LocalBuilder,
    built,
    known,
    planned,
    register,
    withdraw,
)
from mlstrata.components.errors import PlanError
from mlstrata.components.programs import find
from mlstrata.components.site import Outputs, Site
from mlstrata.environments import Capability, EnvironmentSpec, SpecErrors, Stage, Workspace, loads, stages
from mlstrata.stacks.preconditions import problems
from mlstrata.stacks.program import plan
from tests.support.recorded import Graph, made, record

ROOT = Path(__file__).parents[3]
ROW = stages.Entry("greeting", Stage.SCALE, "People like to be greeted.", (Capability.REGISTRY,), ports={"greeting": 0})
BUILDER = '''
"""Greets people, and knows where the registry is."""

from dataclasses import dataclass

from mlstrata.components.base import Component
from mlstrata.components.local_host import loopback
from mlstrata.components.registry.outputs import RegistryOutputs
from mlstrata.components.site import Outputs


class Greeting(Component):
    def __init__(self, name, url, registry):
        super().__init__("greeting", name, {"words": "hello"})
        self.register_outputs({"url": url, "registry": registry})


@dataclass(frozen=True)
class GreetingOutputs(Outputs):
    url: object

    @property
    def urls(self):
        return {"greeting": self.url}


def build(site):
    url = loopback(site.ports["greeting"].port("greeting"))
    Greeting("greeting", url, site.require(RegistryOutputs).uri)
    return GreetingOutputs(url)
'''


def declaration(module: str = "acme_greeting") -> Declaration:
    return Declaration("greeting", local=LocalBuilder(f"{module}:build", ports={"greeting": ("greeting",)}))


@pytest.fixture
def guest(tmp_path, monkeypatch):
    (tmp_path / "acme_greeting.py").write_text(BUILDER)
    monkeypatch.syspath_prepend(str(tmp_path))
    register(declaration(), ROW)
    yield "greeting"
    withdraw("greeting")


def text(stage: str = "prerequisites", target: str = "{kind: local}", **switches: list[str]) -> bytes:
    return (
        f"name: small\ntarget: {target}\nstage: {stage}\ncapabilities: {json.dumps(switches)}\nsystems: []\n".encode()
    )


def spec(**given) -> EnvironmentSpec:
    return loads(text(**given), "small.yaml").spec


def graph_of(environment: EnvironmentSpec, workspace: Workspace) -> Graph:
    def program() -> None:
        for name, value in plan(environment, workspace).items():
            pulumi.export(name, value)

    return record(program, stack=environment.name, respond=made)


def test_a_guests_capability_is_built_where_the_file_switches_it_on(guest, tmp_path):
    workspace = Workspace(tmp_path)
    assert guest not in spec().capabilities
    graph = graph_of(spec(on=[guest]), workspace)
    assert graph.one("Greeting", "greeting").inputs == {"words": "hello"}
    assert graph.one("Ports", "greeting-ports").inputs["wanted"] == {"greeting": 0}
    assert graph.exports["urls"]["greeting"].startswith("http://127.0.0.1:")
    assert graph.one("SwitchedOn", "greeting")
    assert not graph_of(spec(), workspace).all("Greeting")


def test_a_guests_port_is_the_files_to_choose(guest, tmp_path):
    target = "{kind: local, ports: {greeting: 18099}}"
    graph = graph_of(spec(target=target, on=[guest]), Workspace(tmp_path))
    assert graph.exports["urls"]["greeting"] == "http://127.0.0.1:18099"


def test_a_guests_stage_brings_it(guest):
    assert guest in spec(stage="scale").capabilities
    assert guest not in spec(stage="foundation").capabilities


def test_a_guests_capability_is_refused_where_its_target_is_not_built(guest):
    target = "{kind: kubernetes, context: a}"
    (said,) = problems(spec(target=target, on=[guest]))
    assert said.startswith("capabilities.on[0]: capability 'greeting' is not built for target 'kubernetes' yet")


def test_a_name_that_nothing_declares_is_refused_with_the_nearest(guest):
    with pytest.raises(
        SpecErrors, match=r"small.yaml:4: capabilities.on\[0\]: got 'greetin'; .*did you mean 'greeting'"
    ):
        loads(text(on=["greetin"]), "small.yaml")
    withdraw(guest)
    with pytest.raises(SpecErrors, match=r"small.yaml:4: capabilities.on\[0\]: got .*; allowed registry, training"):
        loads(text(on=["greeting"]), "small.yaml")


def test_the_same_capability_twice_is_no_other_and_another_of_its_name_is_refused(guest):
    register(declaration(), ROW)
    with pytest.raises(ValueError, match="'greeting': is declared already"):
        register(declaration("other"), ROW)


@pytest.mark.parametrize(
    ("name", "row", "said"),
    [
        ("registry", stages.Entry("registry", None, "R."), "is declared already"),
        ("cost", stages.Entry("cost", None, "R."), "is known already"),
        ("No Name", stages.Entry("No Name", None, "R."), "allowed 2 to 40 of a-z"),
        ("greeter", stages.Entry("greeter", None, "R.", ("hearing",)), "needs 'hearing', which is not known"),
        ("greeter", stages.Entry("greeter", None, "R.", ports={"mlflow": 0}), "port 'mlflow' is another capability's"),
        ("greeter", stages.Entry("greeting", None, "R."), "its row is called 'greeting'"),
    ],
)
def test_what_cannot_be_a_capability_is_refused_and_leaves_nothing(name, row, said):
    before = dict(stages.ENTRIES), known()
    with pytest.raises(ValueError, match=said):
        register(Declaration(name, local=LocalBuilder()), row)
    assert (dict(stages.ENTRIES), known()) == before


def test_a_builder_is_handed_only_outputs_that_were_built_before(tmp_path):
    site = Site(spec(), Workspace(tmp_path), {})
    with pytest.raises(LookupError, match="no Outputs yet; declare the builder `after`"):
        site.require(Outputs)
    with pytest.raises(TypeError, match="a builder returned dict"):
        site.take({"url": "x"})


def test_builders_that_wait_for_each_other_are_named(monkeypatch, tmp_path):
    two = (
        Declaration("one", local=LocalBuilder(after=("two",), when=lambda *_: True)),
        Declaration("two", local=LocalBuilder(after=("one",), when=lambda *_: True)),
    )
    monkeypatch.setattr(capability, "known", lambda: two)
    with pytest.raises(ValueError, match=r"built after one another: (one after two after one|two after one after two)"):
        planned(spec(), Workspace(tmp_path))


def test_every_builder_is_there_and_every_row_that_a_declaration_names():
    parts = {str(one.name) for one in known()} - set(stages.ENTRIES)
    for one in known():
        assert all(provided in stages.ENTRIES for provided in one.provides)
        for builder in filter(None, map(one.on, TARGETS)):
            assert all(str(name) in {*stages.ENTRIES, *parts} for name in builder.after or ())
            if builder.build:
                module, _, function = builder.build.partition(":")
                assert callable(getattr(import_module(module), function))
            # A part is no row of the table, so nothing but itself can say when it is built.
            upstream = isinstance(builder, ClusterBuilder) and builder.upstream
            assert one.name in stages.ENTRIES or builder.when or upstream


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_built_has_all_that_it_needs(target):
    lacking = [(one, needed) for one, needed in stages.missing_needs(built(target)) if one in built(target)]
    assert lacking == []


def test_declarations_load_nothing_that_builds():
    code = (
        "import sys; from mlstrata.components.capability import built; built('local'); print('pulumi' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_no_module_of_the_program_hides_a_library():
    """Pulumi puts the program's folder on the path first: `import kubernetes` there must find the client."""
    names = {path.stem for path in (ROOT / "stacks").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert names & {"program", "local", "cluster"} == {"program", "local", "cluster"}
    assert not names & ({*packages_distributions()} - {"__init__"} | sys.stdlib_module_names)


def _copy(folder: Path) -> Path:
    """Copy our packages below one folder, as a wheel lays them out, with the page that is generated."""
    skipped = shutil.ignore_patterns("__pycache__", "steps", "node_modules")
    package = folder / "mlstrata"
    shutil.copytree(ROOT / "mlstrata", package, ignore=skipped)
    for room in ("components", "environments", "pipelines", "policies", "stacks", "locks"):
        shutil.copytree(ROOT / room, package / room, ignore=skipped)
    (package / "docs").mkdir()
    shutil.copy(ROOT / "docs/environments.md", package / "docs")
    return package


def _digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_a_new_capability_is_its_folder_and_a_row(tmp_path):
    package = _copy(tmp_path / "copy")
    before = _digests(package)

    own = package / "components/greeting"
    own.mkdir()
    (own / "__init__.py").write_text('"""Greets people."""\n')
    (own / "local.py").write_text(BUILDER)
    (own / "capability.py").write_text(
        "from mlstrata.components.capability import Declaration, LocalBuilder\n"
        "DECLARATIONS = (\n"
        "    Declaration(\n"
        "        'greeting',\n"
        "        local=LocalBuilder('mlstrata.components.greeting.local:build', ports={'greeting': ('greeting',)}),\n"
        "    ),\n"
        ")\n"
    )
    table = package / "environments/stages.py"
    row = '    Entry("greeting", _P, "People like to be greeted.", (_C.REGISTRY,), ports={"greeting": 0}),\n'
    head = "TABLE: tuple[Entry, ...] = (\n"
    table.write_text(table.read_text().replace(head, head + row))

    environment = {**os.environ, "PYTHONPATH": str(package.parent), "MLSTRATA_WORKSPACE": str(tmp_path)}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    for generated in ("schema", "docs"):
        done = run("-m", "mlstrata.environments", generated)
        assert done.returncode == 0, done.stderr
    touched = sorted(name for name, digest in _digests(package).items() if before.get(name, digest) != digest)
    assert touched == ["docs/environments.md", "environments/environment.schema.json", "environments/stages.py"]

    (tmp_path / "environments").mkdir()
    (tmp_path / "environments/small.yaml").write_bytes(text())
    command = ("-c", "import sys; from mlstrata.cli.main import main; sys.exit(main(sys.argv[1:]))")
    shown = run(*command, "plan", "small", "--json")
    assert shown.returncode == 0, shown.stderr
    assert "mlstrata:greeting:Greeting::greeting" in shown.stdout
    assert (
        "greeting"
        in yaml.safe_load((package / "environments/environment.schema.json").read_text())["$defs"]["Switches"][
            "properties"
        ]["on"]["items"]["anyOf"][0]["enum"]
    )


def test_a_builder_without_a_function_builds_nothing():
    assert Builder()(None) is None


def test_a_program_of_a_guests_is_found_on_the_path_or_named(monkeypatch, tmp_path):
    monkeypatch.setenv("MLSTRATA_TOOLS", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PlanError, match="missing tools greeter: neither on PATH nor in"):
        find(["greeter"])
    (tmp_path / "greeter").write_text("#!/bin/sh\n")
    (tmp_path / "greeter").chmod(0o755)
    assert find(["greeter"])["greeter"] == tmp_path / "greeter"
