"""`mlstrata validate`: are the environment files in shape?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlstrata.cli.console import complain, out, say, say_json
from mlstrata.cli.errors import EXIT_USAGE
from mlstrata.environments import EnvironmentSpec, SpecErrors, Workspace
from mlstrata.environments.not_yet_active import dormant, untrained
from mlstrata.environments.spec.base import choice
from mlstrata.operations.errors import UsageError
from mlstrata.operations.validation import validated


def validate(names: list[str], *, as_json: bool) -> None:
    """Load every named environment, all of them when none is named; show every error and all that a plan would refuse.

    Raises:
        UsageError: there is no environment, or a name is not one.
    """
    import typer

    report = [_examined(name, path, quiet=as_json) for name, path in _chosen(names).items()]
    if as_json:
        say_json(report)
    if not all(one["valid"] for one in report):
        raise typer.Exit(EXIT_USAGE)


def _chosen(names: list[str]) -> dict[str, Path]:
    workspace = Workspace.find()
    folder, known = workspace.environments, workspace.environment_files()
    if not known:
        raise UsageError(f"{folder}: no environments (*.yaml) here")
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"no environment '{unknown[0]}' in {folder}; {choice(unknown[0], known)}")
    return {name: known[name] for name in names or known}


def _examined(name: str, path: Path, *, quiet: bool) -> dict[str, Any]:
    try:
        spec = validated(path)
    except SpecErrors as errors:
        if not quiet:
            complain(str(errors))
        return {"environment": name, "valid": False, "errors": [vars(error) for error in errors.errors]}
    waiting = [*map(str, dormant(spec)), *untrained(spec)]
    if not quiet:
        _show(name, spec, waiting)
    return {"environment": name, "valid": True, "errors": [], "waiting": waiting}


def _show(name: str, spec: EnvironmentSpec, waiting: list[str]) -> None:
    from rich.text import Text

    systems = ", ".join(system.name for system in spec.systems) or "no systems"
    out().print(f"[green]ok[/green]   {name}", end="")
    say(f"  {spec.target.kind} · stage {spec.stage.value} · {systems}")
    for one in waiting:
        out().print(Text(f"     {one}", style="dim"))
