"""Shows a run of the engine: live on a terminal, quiet when piped, then what changed, line by line."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mlstrata.cli.console import err, out

if TYPE_CHECKING:
    from collections.abc import Callable

    import pulumi_embedded

SIGNS = {"create": "+", "update": "~", "replace": "±", "delete": "-", "read": "?", "same": " "}
COLOURS = {"create": "green", "update": "yellow", "replace": "magenta", "delete": "red", "read": "cyan", "same": "dim"}
SECRET = "[secret]"  # noqa: S105 - what is shown in place of one
UNKNOWN = "[unknown]"  # what is shown of a value that only the deployment knows
NAMED = frozenset({"Service", "AISystem", "Supervisor"})  # what a person thinks of by name
GROUND = frozenset(  # and in a cloud, by its type: a cluster's objects have kinds of the same names
    {
        *("aws:ec2/vpc:Vpc", "aws:ec2/natGateway:NatGateway", "aws:eks/cluster:Cluster", "aws:eks/nodeGroup:NodeGroup"),
        *("aws:s3/bucket:Bucket", "aws:rds/instance:Instance", "aws:kms/key:Key", "aws:ecr/repository:Repository"),
    }
)
WAITING = frozenset({"Ready"})  # follows what it waits for
SHOWN_CHANGES = 6
SHOWN_LENGTH = 60
SHOWN_NAMES = 4


@contextmanager
def progress(verb: str) -> Iterator[Callable[[pulumi_embedded.Event], None]]:
    """Yield a listener of engine events; on a terminal, one line says what is under way.

    Args:
        verb: what the run does, in the form "starting".
    """
    import pulumi_embedded

    running: dict[str, str] = {}
    done = 0
    began = time.monotonic()
    console = err()
    status = console.status(f"{verb} …") if console.is_terminal else None

    def listen(event: pulumi_embedded.Event) -> None:
        nonlocal done
        if isinstance(event, pulumi_embedded.StepStarted):
            running[event.urn] = event.name
        elif isinstance(event, pulumi_embedded.StepFinished):
            running.pop(event.step.urn, None)
            done += event.step.op != "same"
        elif isinstance(event, pulumi_embedded.StepFailed):
            running.pop(event.urn, None)
        elif isinstance(event, pulumi_embedded.Diagnostic) and event.severity in ("warning", "error"):
            console.print(f" {event.severity}: {event.message}", markup=False)
        if status is not None:
            names = sorted(name.removesuffix("-ready") for name in running.values())
            waiting = ", ".join(names[:SHOWN_NAMES]) + (" …" if len(names) > SHOWN_NAMES else "")
            status.update(f"{verb} · {done} done · {time.monotonic() - began:.0f} s · {waiting}")

    if status is None:
        yield listen
        return
    with status:
        yield listen


def kind_of(step_type: str) -> str:
    """Return a resource type's own name: `pulumi-python:dynamic/mlstrata:Service` -> `Service`."""
    return step_type.rsplit(":", 1)[-1]


def show_step(step: pulumi_embedded.Step, *, detail: str = "") -> None:
    """Print one step, with what it changes."""
    from rich.text import Text

    line = Text(" ")
    line.append(f"{SIGNS[step.op]} ", style=COLOURS[step.op])
    line.append(f"{kind_of(step.type).lower():<11} {step.name:<28}")
    line.append(detail, style="dim")
    out().print(line)
    if step.op in ("update", "replace"):
        for change in step.diff[:SHOWN_CHANGES]:
            out().print(Text(f"     {change.path}: {_shown(change)}", style="dim"))
        if len(step.diff) > SHOWN_CHANGES:
            out().print(Text(f"     and {len(step.diff) - SHOWN_CHANGES} more", style="dim"))


def show_steps(steps: Iterable[pulumi_embedded.Step], details: Mapping[str, str]) -> None:
    """Print the steps that change something: those a person thinks of by name, the others counted by kind.

    Args:
        steps: of one run.
        details: what to say behind a resource's name.
    """
    from rich.text import Text

    others: dict[str, Counter[str]] = {}
    for step in steps:
        kind = kind_of(step.type)
        if step.op == "same":
            continue
        if kind in NAMED or step.type in GROUND or (step.op in ("update", "replace") and kind not in WAITING):
            show_step(step, detail=details.get(step.name, "") if step.op != "delete" else "")
        else:
            others.setdefault(step.op, Counter())[kind.lower()] += 1
    for op, kinds in others.items():
        line = Text(" ")
        line.append(f"{SIGNS[op]} ", style=COLOURS[op])
        line.append(", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())), style="dim")
        out().print(line)


def counts_of(counts: Mapping[str, int], verbs: Mapping[str, str]) -> str:
    """Say a run's counts in one phrase, such as `3 created · 1 updated`; empty when nothing changed."""
    return " · ".join(f"{counts[op]} {verbs[op]}" for op in verbs if counts.get(op))


def as_json(step: pulumi_embedded.Step) -> dict[str, Any]:
    """Return a step for machines; secret values are named, never shown."""
    return {
        "op": step.op,
        "name": step.name,
        "type": step.type,
        "urn": step.urn,
        "diff": [
            {"path": change.path, "old": _plain(change.old, change), "new": _plain(change.new, change)}
            for change in step.diff
        ],
    }


def resource_as_json(one: pulumi_embedded.GraphResource) -> dict[str, Any]:
    """Return a resource for machines, as the program registered it; what is secret or not known yet is a marker."""
    return {
        "urn": one.urn,
        "type": one.type,
        "name": one.name,
        "parent": one.parent,
        "inputs": {key: _marked(value) for key, value in one.inputs.items() if key != "__provider"},
        "dependencies": list(one.dependencies),
        "options": _marked(one.options),
    }


def _marked(value: object) -> Any:
    import pulumi_embedded

    if isinstance(value, pulumi_embedded.Secret):
        return SECRET
    if value is pulumi_embedded.UNKNOWN:
        return UNKNOWN
    if isinstance(value, Mapping):
        return {str(key): _marked(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_marked(inner) for inner in value]
    return value


def _plain(value: object, change: pulumi_embedded.PropertyChange) -> object:
    import pulumi_embedded

    if change.secret or isinstance(value, pulumi_embedded.Secret):
        return SECRET
    if value is pulumi_embedded.UNKNOWN:
        return "[known after up]"
    return value


def _shown(change: pulumi_embedded.PropertyChange) -> str:
    old, new = (str(_plain(value, change)) for value in (change.old, change.new))
    if "\n" in old and "\n" in new:
        return f"{_changed_lines(old, new)} lines change"
    return f"{_short(old)} → {_short(new)}"


def _changed_lines(old: str, new: str) -> int:
    before, after = Counter(old.splitlines()), Counter(new.splitlines())
    return max((after - before).total(), (before - after).total())


def _short(text: str) -> str:
    text = text.replace("\n", "⏎")
    return text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 1] + "…"
