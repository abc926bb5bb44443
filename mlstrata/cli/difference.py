"""`mlstrata plan ENV --against DIR`: what this checkout would make of an environment that another one would not."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from mlstrata.cli.console import say, say_json
from mlstrata.operations.comparison import compare

LONGEST = 80
_MARKS = {"create": "+", "change": "~", "delete": "-"}


def difference(name: str, against: str, *, as_json: bool) -> None:
    """Show what differs between two checkouts; neither state nor a running platform is asked."""
    found = compare.difference(name, Path(against))
    if as_json:
        say_json({"environment": name, "changes": [asdict(change) for change in found]})
        return
    for change in found:
        say(f" {_MARKS[change.op]} {change.resource}")
        for path, (old, new) in change.paths.items():
            say(f"     {path}: {_short(old)} -> {_short(new)}")
        if change.restarts:
            say(f"     restarts {change.restarts}")
    counts = {op: sum(change.op == op for change in found) for op in _MARKS}
    said = " · ".join(f"{count} to {op}" for op, count in counts.items() if count)
    if restarting := sum(bool(change.restarts) for change in found):
        said += f", of which {restarting} restart something"
    say(f" {name}: {said or 'no resource changes'}")


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False) if value is not None else "nothing"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
