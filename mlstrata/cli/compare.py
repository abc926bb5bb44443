"""`mlstrata compare`: versions of a system side by side, with what made each."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from mlstrata.cli.console import say_json, show_table
from mlstrata.operations.comparison.versions import Versions, versions
from mlstrata.operations.deployment import Deployment

if TYPE_CHECKING:
    from mlstrata.operations.comparison.versions import VersionView

_INTERVAL = ("_low", "_high")
_SHORT = 12


def compare(name: str, system: str, wanted: list[str], *, as_json: bool) -> None:
    """Compare versions, by default the newest and the champion."""
    found = versions(Deployment.open(name), system, wanted)
    if as_json:
        compared = [{**asdict(view), "champion": view.version == found.champion} for view in found.compared]
        document = {"system": system, "champion": found.champion, "versions": compared}
        say_json({**document, "differing_settings": list(found.differing)})
        return
    _show(found)


def _show(found: Versions) -> None:
    from rich.table import Table
    from rich.text import Text

    compared = found.compared
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 1))
    table.add_column("")
    for view in compared:
        table.add_column(Text(f"version {view.version}" + (" (champion)" if view.version == found.champion else "")))
    for label in ("data_version", "commit", "environment", "pipeline_run", "run"):
        table.add_row(label.replace("_", " "), *(Text(_shortened(getattr(view, label))) for view in compared))
    for metric in sorted({name for view in compared for name in view.metrics if not name.endswith(_INTERVAL)}):
        table.add_row(Text(metric), *(Text(_figure(view, metric)) for view in compared))
    for setting in found.differing:
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
