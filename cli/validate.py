"""`mlstrata validate`: are the environment files in shape?"""

from __future__ import annotations

from cli.console import UsageError, complain, out, say, say_json
from cli.errors import EXIT_USAGE
from environments import SpecErrors, Workspace, load
from environments.dormant import dormant


def validate(names: list[str], *, as_json: bool) -> None:
    """Load every named environment, all of them when none is named, and show every error.

    Raises:
        UsageError: there is no environment, or a name is not one.
    """
    import typer
    from rich.text import Text

    workspace = Workspace.find()
    known = {path.stem: path for path in sorted(workspace.environments.glob("*.yaml"))}
    if not known:
        raise UsageError(f"{workspace.environments}: no environments (*.yaml) here")
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"no environment '{unknown[0]}' in {workspace.environments}; allowed {', '.join(known)}")
    report = []
    failed = False
    for name in names or list(known):
        try:
            spec = load(known[name])
        except SpecErrors as errors:
            failed = True
            report.append({"environment": name, "valid": False, "errors": [vars(e) for e in errors.errors]})
            if not as_json:
                complain(str(errors))
        else:
            waiting = [str(one) for one in dormant(spec)]
            report.append({"environment": name, "valid": True, "errors": [], "waiting": waiting})
            if not as_json:
                systems = ", ".join(system.name for system in spec.systems) or "no systems"
                out().print(f"[green]ok[/green]   {name}", end="")
                say(f"  {spec.target.kind} · stage {spec.stage.value} · {systems}")
                for one in waiting:
                    out().print(Text(f"     {one}", style="dim"))
    if as_json:
        say_json(report)
    if failed:
        raise typer.Exit(EXIT_USAGE)
