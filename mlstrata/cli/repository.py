"""What the commands for a repository print."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path

from mlstrata.cli.console import out, say, say_json


def init(folder: Path) -> None:
    """Write a repository and say what to do next."""
    from mlstrata.operations.repository.scaffold import create

    written = create(folder)
    for path in written:
        say(f" + {path}")
    enter = "" if folder == Path() else f"cd {shlex.quote(str(folder))} && "
    say(f" {len(written)} files; next: {enter.replace('cd -', 'cd ./-')}mlstrata up local --train")


def doctor(target: str, *, as_json: bool) -> None:
    """Show what each target needs; exit 1 when the one that was asked for cannot work."""
    import typer

    from mlstrata.operations.repository.doctor import examine

    found = examine(target)
    broken = [one for one in found if not one.fine and one.needed]
    if as_json:
        say_json({"target": target or None, "works": not broken, "findings": [asdict(one) for one in found]})
    for one in () if as_json else found:
        mark = "[green]ok  [/green]" if one.fine else "[red]lack[/red]" if one.needed else "[yellow]warn[/yellow]"
        out().print(f" {mark} ", end="")
        say(f"{one.what:<24} {one.detail} · {', '.join(one.targets)}")
        if one.fix:
            say(f"      {one.fix}")
    if target and broken:
        raise typer.Exit(1)


def schema() -> None:
    """Print the schema."""
    import sys

    from mlstrata.environments.schema import text

    sys.stdout.write(text())


def upgrade(*, check: bool, as_json: bool) -> None:
    """Show what changed since the version that the repository records; exit 1 where something still waits."""
    import typer

    from mlstrata.environments import Workspace
    from mlstrata.operations.repository.upgrade import check as compared
    from mlstrata.operations.repository.upgrade import record

    workspace = Workspace.find()
    found = compared(workspace)
    if as_json:
        say_json(asdict(found) | {"open": len(found.open)})
    else:
        say(f" recorded {found.recorded} · installed {found.installed} · {len(found.changes)} changes between")
        for change in found.changes:
            say(f" {change.version} ({change.date}): {change.what}")
            for place in change.places:
                say(f"   {place}")
            say(f"   {change.do if change.places else 'nothing here needs it'}")
    if found.open:
        raise typer.Exit(1)
    if not check:
        path = record(workspace)
        if not as_json:
            say(f" {path}: records {found.installed} now")
