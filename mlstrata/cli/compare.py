"""`mlstrata compare`: versions of a system side by side, with what made each."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from mlstrata.cli.console import say_json, show_table
from mlstrata.cli.predict import find_system
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import Failed, UsageError
from mlstrata.operations.stack_state import registry_address, released

if TYPE_CHECKING:
    from mlstrata.clients.mlflow import VersionView

NEWEST = 4
"""Versions that are compared when none is named: as many as fit beside each other on a terminal."""
_INTERVAL = ("_low", "_high")
_SHORT = 12


def compare(name: str, system: str, wanted: list[str], *, as_json: bool) -> None:
    """Compare versions, by default the newest.

    Raises:
        UsageError: the environment is not up, or has no such version.
        Failed: the registry does not answer.
    """
    from mlstrata.clients.mlflow import Registry, RegistryError, differing
    from mlstrata.clients.mlflow.access import header, variables

    deployment = Deployment.open(name)
    deployment.require_local("compare")
    find_system(deployment, system)
    registry = Registry(registry_address(deployment), header(variables(deployment.home)))
    try:
        known = {str(one["version"]): one for one in registry.versions(system)}
        if missing := [version for version in wanted if version not in known]:
            raise UsageError(
                f"version: got {', '.join(missing)}; registered of {system}: {', '.join(known) or 'none yet'}"
            )
        if not known:
            raise UsageError(f"{system} has no version yet: `mlstrata train {name} {system}`")
        compared = [registry.view(known[one]) for one in dict.fromkeys(wanted or list(known)[:NEWEST])]
    except RegistryError as error:
        raise Failed(f"{error}; `mlstrata status {name}`") from None
    champion = released(deployment, system).champion
    changed = differing(compared)
    if as_json:
        versions = [{**asdict(view), "champion": view.version == champion} for view in compared]
        say_json({"system": system, "champion": champion, "versions": versions, "differing_settings": changed})
        return
    _show(compared, champion, changed)


def _show(compared: list[VersionView], champion: str | None, changed: list[str]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 1))
    table.add_column("")
    for view in compared:
        table.add_column(Text(f"version {view.version}" + (" (champion)" if view.version == champion else "")))
    for label in ("data_version", "commit", "environment", "pipeline_run", "run"):
        table.add_row(label.replace("_", " "), *(Text(_shortened(getattr(view, label))) for view in compared))
    for metric in sorted({name for view in compared for name in view.metrics if not name.endswith(_INTERVAL)}):
        table.add_row(Text(metric), *(Text(_figure(view, metric)) for view in compared))
    for setting in changed:
        table.add_row(Text(setting), *(Text(view.settings.get(setting, "none")) for view in compared))
    show_table(table)


def _figure(view: VersionView, metric: str) -> str:
    if metric not in view.metrics:
        return "none"
    low, high = (view.metrics.get(metric + end) for end in _INTERVAL)
    interval = f" [{low:.3f}, {high:.3f}]" if low is not None and high is not None else ""
    return f"{view.metrics[metric]:.3f}{interval}"


def _shortened(text: str) -> str:
    return text.removeprefix("sha256:")[:_SHORT] or "not recorded"
