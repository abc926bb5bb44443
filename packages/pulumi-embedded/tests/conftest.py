"""A small world for engine tests: programs written in place, a provider that logs what it is asked."""

import json
import os
import signal
import textwrap
from pathlib import Path

import pytest

import pulumi_embedded
from pulumi_embedded.state import ResourceState

PASSPHRASE = pulumi_embedded.Passphrase("a passphrase")

PROVIDER = """
import json, os, time
from pathlib import Path
import pulumi
from pulumi.dynamic import *

HOME = Path(__file__).parent

def log(text, name="log"):
    with (HOME / name).open("a") as file:
        file.write(text + "\\n")

class Refused(Exception):
    pass

class ThingProvider(ResourceProvider):
    serialize_as_secret_always = False
    def check(self, olds, news):
        return CheckResult(news, [CheckFailure("size", "must not be negative")] if news.get("size", 0) < 0 else [])
    def diff(self, id_, olds, news):
        changed = [k for k in ("size", "kind", "of") if olds.get(k) != news.get(k)]
        return DiffResult(changes=bool(changed), replaces=[k for k in changed if k in ("kind", "of")])
    def create(self, props):
        log(f"create {props['name']} {props['kind']} {props['size']!r}")
        log("begin", "creates")
        while "until" in props and not (HOME / props["until"]).exists():
            time.sleep(0.01)
        if props.get("bad"):
            raise Refused("no room")
        log("end", "creates")
        return CreateResult(f"{props['name']}-{props['kind']}", {**props, "made": f"by-{props['name']}"})
    def update(self, id_, olds, news):
        log(f"update {id_}")
        return UpdateResult({**news, "made": f"by-{news['name']}"})
    def delete(self, id_, props):
        log(f"delete {id_}")
    def read(self, id_, props):
        gone = (HOME / "gone").exists() and id_ in (HOME / "gone").read_text().split()
        return ReadResult("" if gone else id_, props)

class LooseProvider(ThingProvider):
    # Leaves the comparison to the engine.
    def diff(self, id_, olds, news):
        return DiffResult()

class Thing(Resource, module="test", name="Thing"):
    made: pulumi.Output[str]
    def __init__(self, name, size=1, kind="a", opts=None, provider=None, **more):
        props = {"name": name, "size": size, "kind": kind, "made": None, **more}
        super().__init__(provider or ThingProvider(), name, props, opts)
"""


class Stack:
    """One stack whose program is given as text with each run."""

    def __init__(self, root: Path, name: str = "test") -> None:
        self.root = root
        self.root.mkdir(exist_ok=True)
        (root / "things.py").write_text(PROVIDER)
        self.backend = pulumi_embedded.Backend(root / "state")
        self.program = pulumi_embedded.Program("unit", name, root)
        self.events: list[pulumi_embedded.Event] = []

    def write(self, text: str) -> None:
        head = "import pulumi\nfrom pulumi import ResourceOptions as O\nfrom things import LooseProvider, Thing\n"
        (self.root / "__main__.py").write_text(head + textwrap.dedent(text))

    def run(self, operation: str, text: str | None = None, **options) -> pulumi_embedded.Result:
        if text is not None:
            self.write(text)
        self.events.clear()
        options = {"passphrase": PASSPHRASE, "on_event": self.events.append, **options}
        return getattr(pulumi_embedded, operation)(self.program, self.backend, pulumi_embedded.Options(**options))

    def up(self, text: str | None = None, **options) -> pulumi_embedded.Result:
        return self.run("up", text, **options)

    def preview(self, text: str | None = None, **options) -> pulumi_embedded.Result:
        return self.run("preview", text, **options)

    def log(self) -> list[str]:
        """What the providers did since the last look."""
        path = self.root / "log"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines

    def state(self, name: str) -> ResourceState:
        snapshot = pulumi_embedded.resources("unit", self.program.stack, self.backend, PASSPHRASE)
        return next(state for state in snapshot.resources if state.name == name)

    @property
    def checkpoint(self) -> Path:
        return self.backend.path("unit", self.program.stack)

    def latest(self) -> dict:
        return json.loads(self.checkpoint.read_text())["checkpoint"]["latest"]


def pytest_configure() -> None:
    """Heed interrupts although pytest was started to ignore them, as by nohup: some tests send one."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    for name in list(os.environ):
        if name.startswith("PULUMI_"):
            monkeypatch.delenv(name)
    return Stack(tmp_path / "program")
