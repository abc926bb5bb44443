"""What the programs of the agreement are made of: a provider that logs what it is asked, and a component."""

from pathlib import Path

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

HERE = Path(__file__).parent
DIFFED = ("size", "kind", "of", "tags", "token")
REPLACED = ("kind", "of")

prefix = ""


def named(name):
    """Return a name of the case that speaks: several of them share a stack."""
    return name if "/" in name else f"{prefix}{name}"


def begin(case):
    """Let the resources that follow belong to a case."""
    global prefix  # noqa: PLW0603 - the program runs once in its process
    prefix = f"{case}/"


def log(text):
    with (HERE / "calls").open("a") as file:
        file.write(f"{text}\n")


class ThingProvider(ResourceProvider):
    """Another kind, or another thing that it is of, is another thing, by another id; the rest is updated."""

    serialize_as_secret_always = False

    def check(self, olds, news):
        wrong = [CheckFailure("size", "must not be negative")] if _is_negative(news.get("size")) else []
        return CheckResult(news, wrong)

    def diff(self, id_, olds, news):
        changed = [key for key in DIFFED if olds.get(key) != news.get(key)]
        first = bool(news.get("first"))
        replaces = [key for key in changed if key in REPLACED]
        return DiffResult(changes=bool(changed), replaces=replaces, delete_before_replace=first)

    def create(self, props):
        log(f"create {props['name']} {props['kind']}")
        if props.get("bad"):
            raise RuntimeError("no room")
        return CreateResult(f"{props['name']}-{props['kind']}-{_generation(props['name'])}", _made(props))

    def update(self, id_, olds, news):
        log(f"update {id_}")
        if news.get("bad"):
            raise RuntimeError("no way")
        return UpdateResult(_made(news))

    def read(self, id_, props):
        gone = HERE / "gone"
        if gone.exists() and id_ in gone.read_text().split():
            return ReadResult("", {})
        changed = HERE / "changed"
        if changed.exists() and id_ in changed.read_text().split():
            return ReadResult(id_, {**props, "size": 77})
        return ReadResult(id_, props)

    def delete(self, id_, props):
        log(f"delete {id_}")
        if props.get("stays"):
            raise RuntimeError("in use")


class PlainProvider(ThingProvider):
    """One that leaves the comparison to the engine, and completes what it is given."""

    def check(self, olds, news):
        return CheckResult({"region": "here", **news}, [])

    def diff(self, id_, olds, news):
        return DiffResult()


def _is_negative(size):
    return isinstance(size, int | float) and size < 0


def _generation(name):
    """Count how often this thing was made: another one has another id, whatever it is like."""
    made = HERE / "made"
    with made.open("a") as file:
        file.write(f"{name}\n")
    return made.read_text().splitlines().count(name)


def _made(props):
    return {**props, "made": f"{props['name']}:{props['kind']}:{props['size']}", "serial": f"serial-{props['kind']}"}


class Thing(Resource, module="test", name="Thing"):
    made: pulumi.Output[str]
    serial: pulumi.Output[str]

    def __init__(self, name, size=1, kind="a", opts=None, provider=None, **more):
        name = named(name)
        props = {"name": name, "size": size, "kind": kind, "made": None, "serial": None, **more}
        super().__init__(provider or ThingProvider(), name, props, opts)


class Bare(pulumi.ComponentResource):
    """A component that registers no outputs."""

    def __init__(self, name, opts=None, **inputs):
        super().__init__("unit:index:Bare", named(name), inputs, opts)


class Group(pulumi.ComponentResource):
    """A component with things of its own, and groups in it."""

    def __init__(self, name, opts=None, things=("thing",), inner=(), kind="unit:index:Group", **inputs):
        name = named(name)
        super().__init__(kind, name, inputs, opts)
        own = pulumi.ResourceOptions(parent=self)
        self.things = [Thing(f"{name}-{one}", opts=own) for one in things]
        self.groups = [Group(f"{name}-{one}", opts=own) for one in inner]
        self.register_outputs({"made": [one.made for one in self.things]})
