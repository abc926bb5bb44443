"""Shows a run of the engine: live on a terminal, quiet when piped, then what changed, line by line."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cli.console import err, out

if TYPE_CHECKING:
    from collections.abc import Callable

    import engine

SIGNS = {"create": "+", "update": "~", "replace": "±", "delete": "-", "read": "?", "same": " "}
COLOURS = {"create": "green", "update": "yellow", "replace": "magenta", "delete": "red", "read": "cyan", "same": "dim"}
SECRET = "[secret]"  # noqa: S105 - what is shown in place of one
SHOWN_CHANGES = 6
SHOWN_LENGTH = 60


@contextmanager
def progress(verb: str) -> Iterator[Callable[[Any], None]]:
    """Yield a listener of engine events; on a terminal, one line says what is under way.

    Args:
        verb: what the run does, in the form "starting".
    """
    import engine

    running: dict[str, str] = {}
    done = 0
    began = time.monotonic()
    console = err()
    status = console.status(f"{verb} …") if console.is_terminal else None

    def listen(event: Any) -> None:
        nonlocal done
        if isinstance(event, engine.StepStarted):
            running[event.urn] = event.name
        elif isinstance(event, engine.StepFinished):
            running.pop(event.step.urn, None)
            done += event.step.op != "same"
        elif isinstance(event, engine.StepFailed):
            running.pop(event.urn, None)
        elif isinstance(event, engine.Diagnostic) and event.severity in ("warning", "error"):
            console.print(f" {event.severity}: {event.message}", markup=False)
        if status is not None:
            names = ", ".join(sorted(running.values())[:4]) + (" …" if len(running) > 4 else "")  # noqa: PLR2004
            status.update(f"{verb} · {done} done · {time.monotonic() - began:.0f} s · {names}")

    if status is None:
        yield listen
        return
    with status:
        yield listen


def kind_of(step_type: str) -> str:
    """Return a resource type's own name: `pulumi-python:dynamic/mlstrata:Service` -> `Service`."""
    return step_type.rsplit(":", 1)[-1]


def show_step(step: engine.Step, *, detail: str = "", always: bool = False) -> None:
    """Print one step, with what it changes, unless it changes nothing."""
    from rich.text import Text

    if step.op == "same" and not always:
        return
    line = Text(" ")
    line.append(f"{SIGNS[step.op]} ", style=COLOURS[step.op])
    line.append(f"{kind_of(step.type).lower():<12} {step.name:<28}")
    line.append(detail, style="dim")
    out().print(line)
    if step.op in ("update", "replace"):
        for change in step.diff[:SHOWN_CHANGES]:
            out().print(Text(f"     {change.path}: {_short(change.old, change)} → {_short(change.new, change)}", "dim"))
        if len(step.diff) > SHOWN_CHANGES:
            out().print(Text(f"     and {len(step.diff) - SHOWN_CHANGES} more", style="dim"))


def counts_of(counts: Mapping[str, int], verbs: Mapping[str, str]) -> str:
    """Say a run's counts in one phrase, such as `3 created · 1 updated`; empty when nothing changed."""
    return " · ".join(f"{counts[op]} {verbs[op]}" for op in verbs if counts.get(op))


def as_json(step: engine.Step) -> dict[str, Any]:
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


def _plain(value: Any, change: engine.PropertyChange) -> Any:
    import engine

    if change.secret or isinstance(value, engine.Secret):
        return SECRET
    if value is engine.UNKNOWN:
        return "[known after up]"
    return value


def _short(value: Any, change: engine.PropertyChange) -> str:
    text = str(_plain(value, change)).replace("\n", "⏎")
    return text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 1] + "…"
