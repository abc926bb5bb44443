"""`mlstrata loop`: the whole learning loop once, each event as it happens."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict

from mlstrata.cli.console import duration, say
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.loop.run import Looped, Options
from mlstrata.operations.loop.run import loop as operation
from mlstrata.operations.loop.watch import Event


def loop(name: str, system: str, options: Options, *, as_json: bool) -> None:
    """Run the loop and tell it; exit 1 where a phase does not come."""
    done = operation(Deployment.open(name), system, options, _as_json if as_json else _as_text)
    if as_json:
        summary = {name: value for name, value in asdict(done).items() if name != "events"}
        _line({"kind": "summary", **summary})
    else:
        _summary(done, name, bad=options.bad)


def _as_text(event: Event) -> None:
    clock = time.strftime("%H:%M:%S", time.localtime(event.at))
    say(f" {clock}  {event.seconds:>7.1f} s  {event.kind:<14} {event.text}")


def _as_json(event: Event) -> None:
    _line(asdict(event))


def _line(document: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def _summary(done: Looped, name: str, *, bad: bool) -> None:
    say()
    if bad:
        say(f" {done.system}: the bad version was taken back; version {done.after} goes on answering")
    else:
        say(f" {done.system}: version {done.after} answers in place of {done.before}")
    said = "taken back" if bad else "released"
    say(f"   from the first alert until it was {said}: {duration(done.alert_to_end)}; in all {duration(done.seconds)}")
    answers = ", ".join(f"version {version} {count}" for version, count in sorted(done.answers.items()))
    say(f"   answers to the consumer: {answers}; truths told: {done.labelled}")
    say(f"   `mlstrata status {name}` · `mlstrata audit {name} {done.system}`")
