"""The embedded engine and the Pulumi CLI plan the same steps for the same program, and come to the same state.

Each case is a sequence of programs over one stack. Before each is carried out, both plan it; then each carries it out
on a stack of its own, and the two states, what the provider was asked and whether it failed are compared.
"""

from __future__ import annotations

import os
import shutil
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import pulumi_embedded
from tests.support.command import Done
from tests.support.pulumi_cli import Cli
from tests.support.states import compared, differences

HERE = Path(__file__).parent / "agreement"
PROJECT, STACK, PASSPHRASE = "agree", "test", "the same for both"
HEAD = """\
import pulumi
from pulumi import Alias, CustomTimeouts, ResourceOptions as O
from things import Bare, Group, PlainProvider, Thing, begin, named

URN = "urn:pulumi:test::agree::pulumi-python:dynamic/test:Thing::"
"""
# The CLI's words for parts of a replacement, each of the same resource.
OPS = {
    "create-replacement": "replace",
    "replace": "replace",
    "delete-replaced": "replace",
    "refresh": "",
    "discard": "",
    "remove-pending-replace": "",
    "discard-replaced": "",
}


@dataclass(frozen=True)
class Stage:
    """One program of a case.

    Attributes:
        program: Its text, without the imports.
        fails: Whether carrying it out fails, under both.
        refused: Whether planning it fails already, under both.
        refresh: Whether what is there is read first.
        files: What to write beside it.
    """

    program: str
    fails: bool = False
    refused: bool = False
    refresh: bool = False
    files: dict[str, str] = field(default_factory=dict)


Case = tuple[str, list[Stage]]


def case(name: str, *stages: str | Stage) -> Case:
    return name, [one if isinstance(one, Stage) else Stage(one) for one in stages]


CASES = [
    case(
        "component-trees",
        "a = Group('a', things=('x', 'y'), inner=('i', 'j'), size=1)\npulumi.export(named('made'), a.things[0].made)",
        "a = Group('a', things=('x', 'z'), inner=('j',), size=2)\npulumi.export(named('made'), a.things[0].made)",
        "pulumi.export(named('made'), 'nothing')",
    ),
    case(
        "renamed",
        "Group('a', inner=('i',))\nThing('t')\nThing('u')\nThing('v')",
        """
        Group('b', O(aliases=[Alias(name=named('a'))]), inner=('i',))
        Thing('t2', opts=O(aliases=[Alias(name=named('t'))]))
        Thing('u2', kind='b', opts=O(aliases=[URN + named('u')]))
        Thing('w')
        """,
        """
        Group('b', inner=('i',), kind='unit:index:Other', opts=O(aliases=[Alias(type_='unit:index:Group')]))
        Thing('t2')
        """,
    ),
    case(
        "parent-moved",
        "a = Group('a')\nb = Group('b')\nThing('t', opts=O(parent=a))\nThing('u', opts=O(parent=a))\nThing('free')",
        """
        a = Group('a')
        b = Group('b')
        Thing('t', opts=O(parent=b, aliases=[Alias(parent=a)]))
        Thing('u', opts=O(parent=b))
        Thing('free', opts=O(parent=a, aliases=[Alias(parent=pulumi.ROOT_STACK_RESOURCE)]))
        """,
        "a = Group('a')\nb = Group('b', O(parent=a, aliases=[Alias(parent=pulumi.ROOT_STACK_RESOURCE)]))",
    ),
    case(
        "delete-before-replace",
        """
        a = Thing('a', opts=O(delete_before_replace=True))
        b = Thing('b', of=a.made)
        c = Thing('c', size=a.serial, opts=O(depends_on=[b]))
        Thing('d', opts=O(depends_on=[a]))
        Thing('e', first=True)
        Thing('f', first=True, opts=O(delete_before_replace=False))
        """,
        """
        a = Thing('a', kind='b', opts=O(delete_before_replace=True))
        b = Thing('b', of=a.made)
        c = Thing('c', size=a.serial, opts=O(depends_on=[b]))
        Thing('d', opts=O(depends_on=[a]))
        Thing('e', first=True, kind='b')
        Thing('f', first=True, kind='b', opts=O(delete_before_replace=False))
        """,
    ),
    case(
        "replace-with-dependents",
        "a = Thing('a')\nb = Thing('b', of=a.serial)\nThing('c', size=a.made)\nThing('d', tags={'x': a.id})",
        "a = Thing('a', kind='b')\nb = Thing('b', of=a.serial)\nThing('c', size=a.made)\nThing('d', tags={'x': a.id})",
        "a = Thing('a', kind='b', size=2)\nb = Thing('b', of=a.serial)\nThing('c', size=a.made)",
    ),
    case(
        "replace-on-changes",
        "Thing('a', tags={'x': 1, 'y': [1, 2]})\nThing('b', tags={'x': 1})\nThing('c')\nThing('d', tags={'x': 1})",
        """
        Thing('a', tags={'x': 1, 'y': [1, 3]}, opts=O(replace_on_changes=['tags.y[1]']))
        Thing('b', tags={'x': 2}, opts=O(replace_on_changes=['*']))
        Thing('c', size=2, opts=O(replace_on_changes=['tags']))
        Thing('d', tags={'x': 2}, opts=O(replace_on_changes=['tags.*'], delete_before_replace=True))
        """,
    ),
    case(
        "ignore-changes",
        "Thing('a', tags={'x': 1, 'y': {'z': 1}})\nThing('b')\nThing('c', tags={'x': 1})\nGroup('g', size=1)",
        """
        Thing('a', size=2, tags={'x': 2, 'y': {'z': 2}}, opts=O(ignore_changes=['tags.x', 'tags.y.z', 'size']))
        Thing('b', size=2, kind='b', opts=O(ignore_changes=['size', 'nothing']))
        Thing('c', opts=O(ignore_changes=['tags']))
        Thing('new', opts=O(ignore_changes=['size']))
        """,
        "Thing('a', size=2, tags={'x': 2, 'y': {'z': 3}}, opts=O(ignore_changes=['*']))\nThing('b')\nThing('c')",
    ),
    case(
        "protect",
        "Thing('a', opts=O(protect=True))\nGroup('g', O(protect=True))\nThing('free')",
        Stage("Thing('a', opts=O(protect=True))\nThing('free')", refused=True),
        Stage("Thing('a', kind='b', opts=O(protect=True))\nGroup('g', O(protect=True))", refused=True),
        "Thing('a', size=2)\nGroup('g')\nThing('free')",
        "Thing('free', kind='b')",
    ),
    case(
        "retain-on-delete",
        "Thing('a', opts=O(retain_on_delete=True))\nGroup('g', O(retain_on_delete=True))\nThing('b')",
        "Thing('a', kind='b', opts=O(retain_on_delete=True))\nThing('b', opts=O(retain_on_delete=True))",
        "",
    ),
    case(
        "depends-on",
        "a = Thing('a')\ng = Group('g', O(depends_on=[a]))\nThing('b', opts=O(depends_on=[g]))\nThing('c')",
        "c = Thing('c')\ng = Group('g', O(depends_on=[c]))\nThing('b', opts=O(depends_on=[g]))",
        "",
    ),
    case(
        "secrets",
        """
        s = pulumi.Output.secret('hush')
        Thing('a', token=s)
        Thing('b', token='open', tags={'in': s, 'out': 'x'})
        Thing('c', opts=O(additional_secret_outputs=['serial']))
        Group('g', token=s)
        pulumi.export(named('token'), s)
        """,
        """
        s = pulumi.Output.secret('hush2')
        a = Thing('a', token=s)
        Thing('b', token=pulumi.Output.secret('open'), tags={'in': 'hush', 'out': 'x'})
        Thing('c', size=2, token=a.made, opts=O(additional_secret_outputs=['serial', 'made']))
        Group('g', token=s)
        pulumi.export(named('token'), a.token if hasattr(a, 'token') else s)
        """,
        "Thing('a', token='hush2')\nThing('c')\npulumi.export(named('token'), 'open')",
    ),
    case(
        "default-provider",
        "Thing('a', provider=PlainProvider(), size=1)\nThing('b')",
        "Thing('a', provider=PlainProvider(), size=2)\nThing('b', provider=PlainProvider())",
        "Group('g', things=())",
        "Thing('a')",
    ),
    case(
        "known-after-apply",
        """
        a = Thing('a')
        b = Thing('b', size=a.made.apply(len))
        inner = named('inner')
        b.made.apply(lambda made: Thing(inner, tags={'made': made}))
        pulumi.export(named('all'), pulumi.Output.all(a=a.made, b=b.id))
        """,
        """
        a = Thing('a', size=22)
        b = Thing('b', size=a.made.apply(len))
        inner = named('inner')
        b.made.apply(lambda made: Thing(inner, tags={'made': made}))
        pulumi.export(named('all'), pulumi.Output.all(a=a.made, b=b.id))
        """,
    ),
    case(
        "fails-half-way",
        "Thing('a')\nThing('z')",
        Stage("a = Thing('a', size=2)\nThing('b', opts=O(depends_on=[a]))\nraise ValueError('half-way')", refused=True),
        Stage("a = Thing('a', size=3)\nThing('b', bad=True, opts=O(depends_on=[a]))\nThing('z')", fails=True),
        Stage("a = Thing('a', size=3, bad=True)\nThing('z')", fails=False),
        Stage("a = Thing('a', size=4, bad=True)\nThing('z')", fails=True),
        Stage("Thing('a', size=-1)\nThing('z')", refused=True),
        "a = Thing('a', size=5)\nThing('b', opts=O(depends_on=[a]))",
    ),
    case(
        "a-replacement-fails",
        "Thing('a', opts=O(delete_before_replace=True))\nThing('b')",
        Stage("Thing('a', kind='b', bad=True, opts=O(delete_before_replace=True))\nThing('b')", fails=True),
        "Thing('a', kind='b', opts=O(delete_before_replace=True))\nThing('b', stays=True)",
        "Thing('a')\nThing('b', size=2, stays=True)",
        Stage("Thing('a')\nThing('b', kind='c', size=2)", fails=True),
        Stage("Thing('a')", fails=True),
    ),
    case(
        "deleted-with",
        "a = Thing('a')\nThing('b', opts=O(deleted_with=a))\ng = Group('g')\nThing('c', opts=O(deleted_with=g))",
        "a = Thing('a', kind='b')\nThing('b', opts=O(deleted_with=a))\nThing('d', opts=O(deleted_with=a))",
        "",
    ),
    case(
        "deleted-first-with",
        """
        a = Thing('a', opts=O(delete_before_replace=True))
        b = Thing('b', opts=O(deleted_with=a))
        Thing('c', opts=O(deleted_with=b))
        Thing('d', of=b.serial)
        """,
        """
        a = Thing('a', kind='b', opts=O(delete_before_replace=True))
        b = Thing('b', opts=O(deleted_with=a))
        Thing('c', opts=O(deleted_with=b))
        Thing('d', of=b.serial)
        """,
    ),
    case(
        "replaced-with",
        "a = Thing('a')\nb = Thing('b', opts=O(replace_with=[a]))\nGroup('g', O(replace_with=[a]))\nThing('c')",
        """
        a = Thing('a', kind='b')
        b = Thing('b', opts=O(replace_with=[a]))
        Group('g', O(replace_with=[a]))
        Thing('c', opts=O(replace_with=[b]))
        """,
        """
        a = Thing('a', kind='c', opts=O(delete_before_replace=True))
        b = Thing('b', opts=O(replace_with=[a]))
        Group('g', O(replace_with=[a]))
        Thing('c', opts=O(replace_with=[b]))
        """,
    ),
    case(
        "values",
        """
        a = Thing('a', tags={'none': None, 'no': {}, 'list': [], 'deep': [{'x': [1, 2.5, True, 'é']}]})
        Thing('ref', tags={'thing': a, 'id': a.id})
        Bare('c', list=[1, 2], none=None, deep={'x': {'y': 1}})
        Thing('slow', opts=O(custom_timeouts=CustomTimeouts(create='1h30m', update='90s')))
        """,
        """
        a = Thing('a', tags={'list': [0], 'deep': [{'x': [1, 2.5, 1, 'é'], 'y': ''}, 3]})
        Thing('ref', tags={'thing': a, 'id': a.id})
        Bare('c', list=[2, 1], deep={'x': {'y': None}})
        Thing('slow', opts=O(custom_timeouts=CustomTimeouts(delete='5m')))
        """,
    ),
    case(
        "the-same-twice",
        "Thing('a')",
        Stage(
            "Thing('b', opts=O(aliases=[Alias(name='a')]))\nThing('c', opts=O(aliases=[Alias(name='a')]))", refused=True
        ),
        Stage("Thing('a')\nThing('b', opts=O(aliases=[Alias(name='a')]))", refused=True),
        Stage("Thing('a')\nThing('a')", refused=True),
    ),
    case(
        "drift",
        "Thing('a')\nThing('b')\nGroup('g')",
        Stage(
            "Thing('a')\nThing('b')\nGroup('g')", refresh=True, files={"gone": "a-a-1", "changed": "b-a-1 g-thing-a-1"}
        ),
    ),
]


def together(cases: list[Case]) -> Case:
    """Make one case of those whose programs all succeed: the CLI takes seconds a run, however much there is to do.

    A case with fewer stages than another stays as it ended.
    """
    stages = []
    for number in range(max(len(stages) for _, stages in cases)):
        parts = []
        for name, own in cases:
            program = textwrap.dedent(own[min(number, len(own) - 1)].program).strip() or "pass"
            parts.append(f"begin({name!r})\n\ndef case():\n{textwrap.indent(program, '    ')}\n\ncase()\n")
        stages.append(Stage("\n".join(parts)))
    return "together", stages


def _succeeds(stages: list[Stage]) -> bool:
    return not any(stage.fails or stage.refused or stage.refresh for stage in stages)


RUNS = [
    together([one for one in CASES if _succeeds(one[1])]),
    *(one for one in CASES if not _succeeds(one[1])),
]


class Side:
    """One of the two, with a stack of its own."""

    def __init__(self, folder: Path, bin_: Path) -> None:
        self.folder = folder
        shutil.copytree(HERE, folder)
        (folder / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n", encoding="utf-8")
        self.cli = Cli(bin_, folder, passphrase=PASSPHRASE)
        self.program = pulumi_embedded.Program(PROJECT, STACK, folder)
        self.backend = pulumi_embedded.Backend(folder)
        self.said, self.failed = Done(0, "", ""), pulumi_embedded.EngineError()
        self.write(Stage(""))
        self.cli.do("stack", "init", STACK)

    def write(self, stage: Stage) -> None:
        text = HEAD + textwrap.dedent(stage.program)
        (self.folder / "__main__.py").write_text(text, encoding="utf-8")
        for name in ("gone", "changed"):
            (self.folder / name).unlink(missing_ok=True)
        for name, content in stage.files.items():
            (self.folder / name).write_text(content, encoding="utf-8")

    @property
    def state(self) -> dict[str, Any]:
        return compared(self.backend.path(PROJECT, STACK), PASSPHRASE)

    def calls(self) -> dict[str, int]:
        """Take how often the provider was asked for what, in no order: both ask for several things at once."""
        calls = self.folder / "calls"
        found = Counter(calls.read_text(encoding="utf-8").splitlines()) if calls.exists() else {}
        calls.unlink(missing_ok=True)
        return dict(found)

    # -- the CLI ----------------------------------------------------------------------------------------------

    def cli_plan(self, stage: Stage) -> dict[str, str] | None:
        done = self.cli.run("preview", "-s", STACK, "--json", "--show-sames", *(["--refresh"] if stage.refresh else []))
        self.said = done
        if done.code:
            return None
        found: dict[str, str] = {}
        for step in done.json["steps"]:
            op = OPS.get(step["op"], step["op"])
            if op and "::pulumi:providers:" not in step["urn"]:
                found[step["urn"]] = op
        return found

    def cli_up(self, stage: Stage) -> bool:
        refresh = ["--refresh"] if stage.refresh else []
        self.said = self.cli.run("up", "-s", STACK, "--yes", "--skip-preview", *refresh)
        return self.said.code == 0

    # -- the embedded engine ----------------------------------------------------------------------------------

    def _options(self, stage: Stage) -> pulumi_embedded.Options:
        return pulumi_embedded.Options(passphrase=pulumi_embedded.Passphrase(PASSPHRASE), refresh=stage.refresh)

    def embedded_plan(self, stage: Stage) -> dict[str, str] | None:
        try:
            result = pulumi_embedded.preview(self.program, self.backend, self._options(stage))
        except pulumi_embedded.EngineError as error:
            self.failed = error
            return None
        return {step.urn: step.op for step in result.steps if "::pulumi:providers:" not in step.urn}

    def embedded_up(self, stage: Stage) -> bool:
        try:
            pulumi_embedded.up(self.program, self.backend, self._options(stage))
        except pulumi_embedded.EngineError as error:
            self.failed = error
            return False
        return True


@pytest.fixture
def sides(tmp_path: Path, pulumi_bin: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Side, Side]:
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE", raising=False)
    monkeypatch.setenv("PATH", f"{pulumi_bin}{os.pathsep}{os.environ['PATH']}")
    return Side(tmp_path / "cli", pulumi_bin), Side(tmp_path / "embedded", pulumi_bin)


@pytest.mark.parametrize("stages", [stages for _, stages in RUNS], ids=[name for name, _ in RUNS])
def test_the_same_steps_and_the_same_state(sides: tuple[Side, Side], stages: list[Stage]) -> None:
    theirs, ours = sides
    for number, stage in enumerate(stages, 1):
        theirs.write(stage)
        ours.write(stage)
        found = [*planned(ours, theirs, stage), *carried_out(ours, theirs, stage)]
        assert not found, "\n".join([f"stage {number} of {len(stages)}", *found, stage.program])


def planned(ours: Side, theirs: Side, stage: Stage) -> Iterator[str]:
    """Plan under both, and by the embedded engine from the CLI's state too: what one wrote, the other reads."""
    wanted = theirs.cli_plan(stage)
    if (wanted is None) != stage.refused:
        yield f"the CLI's plan: {theirs.said.text}"
    for label, found in (("plan", ours.embedded_plan(stage)), ("plan from theirs", theirs.embedded_plan(stage))):
        yield from differences({label: found}, {label: wanted})
    if ours.calls() or theirs.calls():
        yield "a plan has changed something"


def carried_out(ours: Side, theirs: Side, stage: Stage) -> Iterator[str]:
    """Carry it out under both: the same end, the same requests to the provider, the same state."""
    if stage.refused:
        return
    succeeded = not stage.fails
    if theirs.cli_up(stage) != succeeded:
        yield f"the CLI: {theirs.said.text}"
    if ours.embedded_up(stage) != succeeded:
        yield f"the embedded engine: {ours.failed}"
    yield from differences({"calls": ours.calls()}, {"calls": theirs.calls()})
    yield from differences(ours.state, theirs.state)
