"""Random graphs, random sequences of programs, failures and deaths at any point: the engine always converges."""

import json
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import pulumi_embedded
from pulumi_embedded.integrity import problems
from pulumi_embedded.secrets import SecretBox, SecretsManager
from pulumi_embedded.state import Snapshot

PROGRAM = Path(__file__).parent / "engine_program"
PASSPHRASE = pulumi_embedded.Passphrase("correct horse")
NAMES = "abcdefg"
SALT = SecretsManager(PASSPHRASE, None, "test")
SALT.encrypt("warm")
BUDGET = settings(
    max_examples=int(os.environ.get("ENGINE_EXAMPLES", "40")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)


@st.composite
def graphs(draw, *, delete_first=True):
    """A program: nodes in order, each needing some of the earlier ones."""
    names = draw(st.permutations(NAMES))[: draw(st.integers(0, len(NAMES)))]
    nodes = []
    for index, name in enumerate(names):
        earlier = nodes[:index]
        items = [node["name"] for node in earlier if not node["group"]]
        groups = [node["name"] for node in earlier if node["group"]]
        nodes.append(
            {
                "name": name,
                "group": draw(st.booleans()) and draw(st.booleans()),
                "kind": draw(st.sampled_from(["k1", "k2"])),
                "label": draw(st.sampled_from(["x", "y"])),
                "token": f"plaintext-{draw(st.integers(0, 2))}",
                "needs": draw(st.lists(st.sampled_from(items), unique=True, max_size=2)) if items else [],
                "after": draw(st.lists(st.sampled_from(items), unique=True, max_size=2)) if items else [],
                "parent": draw(st.sampled_from([None, *groups])),
                "depth": 0,
                "delete_first": delete_first and draw(st.booleans()) and draw(st.booleans()),
                "protect": False,
                "was": None,
            }
        )
        above = next((node["depth"] for node in earlier if node["name"] == nodes[-1]["parent"]), -1)
        nodes[-1]["depth"] = above + 1  # part of the URN (types of the parents), so part of an item's identity
    return nodes


def identity(node) -> str:
    return f"{node['name']}{node['depth']}-{node['kind']}"


class CheckedBackend(pulumi_embedded.Backend):
    """Holds the snapshot's rules and the secrecy of secrets to every single write."""

    def write(self, project, stack, text):
        assert "plaintext-" not in text
        raw = json.loads(text)["checkpoint"]["latest"]
        salt = raw["secrets_providers"]["state"]["salt"] if "secrets_providers" in raw else None
        snapshot = Snapshot.load(raw, SecretBox(SecretsManager(PASSPHRASE, salt, "test")))
        assert problems(snapshot.resources, snapshot.operations) == []
        self.die_at_write()
        super().write(project, stack, text)
        self.die_at_write()

    writes = 0

    def die_at_write(self) -> None:
        """Die just before or just after a write, when the test asks for it."""
        self.writes += 1
        if os.environ.get("KILL_AT_WRITE") == str(self.writes):
            os.kill(os.getpid(), signal.SIGKILL)


class World:
    """A folder with things, a graph to build, and a stack."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "world"
        self.folder.mkdir()
        self.backend = CheckedBackend(root / "state")
        self.program = pulumi_embedded.Program("world", "test", PROGRAM, settings=root / "Pulumi.test.yaml")
        (root / "Pulumi.test.yaml").write_text(f"encryptionsalt: {SALT.state}\n")
        os.environ["WORLD"] = str(self.folder)

    def run(self, operation, nodes=None, **options):
        if nodes is not None:
            (self.folder / "graph.json").write_text(json.dumps(nodes))
        (self.folder / "moments").unlink(missing_ok=True)
        return getattr(pulumi_embedded, operation)(
            self.program, self.backend, pulumi_embedded.Options(passphrase=PASSPHRASE, **options)
        )

    def up(self, nodes, **options):
        return self.run("up", nodes, **options)

    def killed(self, operation, nodes, moment: int) -> None:
        """Run in a child that dies at the given moment (or ends, when there are fewer); negative: at that write."""
        child = os.fork()
        if child == 0:
            try:
                self.backend.writes = 0
                os.environ["KILL_AT" if moment > 0 else "KILL_AT_WRITE"] = str(abs(moment))
                self.run(operation, nodes)
            finally:
                os._exit(0)
        os.waitpid(child, 0)

    def failing(self, operation, nodes, moment: int) -> None:
        os.environ["FAIL_AT"] = str(moment)
        said = "refused at before"
        try:
            self.run(operation, nodes)
        except pulumi_embedded.StepsFailed as error:
            said = str(error)
        finally:
            del os.environ["FAIL_AT"]
        assert "refused at before" in said

    def things(self):
        return {path.stem: json.loads(path.read_text()) for path in self.folder.glob("*.thing")}

    def check(self, nodes) -> None:
        """The world holds what the program says, each thing once, and the state says so too."""
        items = [node for node in nodes if not node["group"]]
        ids = {node["name"]: identity(node) for node in items}
        expected = {
            ids[node["name"]]: {
                **{key: node[key] for key in ("name", "depth", "kind", "label", "token")},
                "needs": [ids[need] for need in node["needs"]],
            }
            for node in items
        }
        assert self.things() == expected
        snapshot = pulumi_embedded.resources("world", "test", self.backend, PASSPHRASE)
        dynamic = [state for state in snapshot.resources if state.is_dynamic]
        assert sorted(state.id for state in dynamic) == sorted(expected)
        assert all(isinstance(state.outputs["grown"], pulumi_embedded.Secret) for state in dynamic)
        assert snapshot.operations == []
        assert not [state for state in snapshot.resources if state.delete or state.pending_replacement]

    def converge(self, nodes) -> None:
        """From whatever there is: up, up again without a change, refresh without drift."""
        result = self.up(nodes)
        self.check(nodes)
        for node in nodes:
            if not node["group"]:
                assert result.outputs[node["name"]] == identity(node)
                assert result.outputs[f"{node['name']}-token"] == pulumi_embedded.Secret(node["token"])
        again = self.up(nodes)
        assert again.changes == 0
        assert self.run("preview", refresh=True).drift == ()

    def end(self) -> None:
        self.run("destroy")
        assert self.things() == {}
        assert pulumi_embedded.resources("world", "test", self.backend, PASSPHRASE).resources == []
        complaints = self.folder / "complaints"
        assert not complaints.exists(), complaints.read_text()
        for path in self.folder.parent.rglob("*"):
            if path.is_file() and self.folder not in path.parents:
                assert b"plaintext-" not in path.read_bytes(), path


@pytest.fixture
def root():
    """Environment of the program, put back after."""
    before = dict(os.environ)
    folder = Path(tempfile.mkdtemp(prefix="engine-"))
    yield folder
    os.environ.clear()
    os.environ.update(before)
    shutil.rmtree(folder)


def fresh(root: Path) -> World:
    return World(Path(tempfile.mkdtemp(dir=root)))


def lenient(*programs) -> None:
    """Deleting before replacing leaves those alone that need not be replaced: they miss it for a moment."""
    os.environ["LENIENT"] = "yes" if any(node["delete_first"] for nodes in programs for node in nodes) else ""


@BUDGET
@given(programs=st.lists(graphs(), min_size=1, max_size=4))
def test_sequences_of_programs_converge(root, programs):
    world = fresh(root)
    lenient(*programs)
    for nodes in programs:
        planned = world.run("preview", nodes).counts
        done = world.up(nodes).counts
        assert {op: planned.get(op) for op in ("create", "delete")} == {op: done.get(op) for op in ("create", "delete")}
        world.check(nodes)
    world.converge(programs[-1])
    world.end()


@BUDGET
@given(
    programs=st.lists(graphs(), min_size=2, max_size=3), moments=st.lists(st.integers(1, 24), min_size=3, max_size=3)
)
def test_a_failure_at_any_step_is_made_good_by_the_next_up(root, programs, moments):
    world = fresh(root)
    lenient(*programs)
    for nodes, moment in zip(programs, moments, strict=False):
        world.failing("up", nodes, moment)
    world.converge(programs[-1])
    world.failing("destroy", None, moments[-1])
    world.end()


@BUDGET
@given(
    programs=st.lists(graphs(), min_size=2, max_size=3),
    moments=st.lists(st.integers(-12, 24).filter(bool), min_size=3, max_size=3),
)
def test_a_kill_at_any_step_is_made_good_by_the_next_up(root, programs, moments):
    world = fresh(root)
    os.environ["LENIENT"] = "yes"  # what a dead run left is adopted out of order
    for nodes, moment in zip(programs, moments, strict=False):
        world.killed("up", nodes, moment)
    world.converge(programs[-1])
    world.killed("destroy", None, moments[-1])
    world.end()


@BUDGET
@given(nodes=graphs(delete_first=False), data=st.data())
def test_drift_is_seen_and_repaired(root, nodes, data):
    items = [node for node in nodes if not node["group"]]
    assume(items)
    world = fresh(root)
    os.environ["LENIENT"] = "yes"
    world.up(nodes)
    victims = data.draw(st.lists(st.sampled_from([node["name"] for node in items]), unique=True, min_size=1))
    expected = {}
    for node in items:
        path = world.folder / f"{identity(node)}.thing"
        if node["name"] in victims:
            if data.draw(st.booleans()):
                path.unlink()
                expected[node["name"]] = "delete"
            else:
                path.write_text(json.dumps({**json.loads(path.read_text()), "label": "edited"}))
                expected[node["name"]] = "update"
    before = world.backend.path("world", "test").read_bytes()
    seen = world.run("preview", refresh=True)
    assert {step.name: step.op for step in seen.drift} == expected
    assert world.backend.path("world", "test").read_bytes() == before
    repaired = world.up(nodes, refresh=True)
    assert {step.name for step in repaired.steps if step.op == "create"} >= {
        name for name, op in expected.items() if op == "delete"
    }
    world.converge(nodes)
    world.end()


@BUDGET
@given(nodes=graphs(delete_first=False), data=st.data())
def test_an_alias_keeps_what_was_renamed(root, nodes, data):
    assume(nodes)
    world = fresh(root)
    world.up(nodes)
    chosen = data.draw(st.sampled_from(nodes))
    if not chosen["group"]:
        return  # an item's name is its identity; its URN alone is tested through its group
    children = [node["name"] for node in nodes if node["parent"] == chosen["name"] and not node["group"]]
    old, new = chosen["name"], "renamed"
    text = json.dumps(nodes).replace(f'"name": "{old}"', f'"name": "{new}", "was_": "{old}"')
    text = text.replace(f'"parent": "{old}"', f'"parent": "{new}"')
    renamed = json.loads(text)
    for node in renamed:
        node["after"] = [new if name == old else name for name in node["after"]]
        if node.pop("was_", None):
            node["was"] = old
    result = world.up(renamed)
    assert "create" not in result.counts
    assert "delete" not in result.counts
    assert all(step.op == "same" for step in result.steps if step.name in children)
    world.converge(renamed)
    world.end()
