"""A candidate and the champion side by side, for the person who decides."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mlstrata.cli.console import say, show_table

if TYPE_CHECKING:
    from mlstrata.operations.releases import Comparison, Figure

_INTERVAL = 3
"""A value with the bounds of its interval has three numbers."""
# How hard the data are, and what gates measured: each of their checks says it below.
_BACKGROUND = (
    *("test_rows", "baseline_", "against_baseline_"),
    *("personal_", "leakage_", "signal_", "plausibility_", "served_"),
)


def show_comparison(comparison: Comparison) -> None:
    """Print the metrics of both versions, their limits, and what training found plausible."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 1))
    champion = f"champion {comparison.champion}" if comparison.champion else "no champion"
    for heading in ("metric", f"candidate {comparison.candidate}", champion, "limit", ""):
        table.add_column(Text(heading), overflow="fold")
    for figure in comparison.figures:
        # `--json` has them too.
        if figure.limit is None and figure.metric.rpartition(".")[2].startswith(_BACKGROUND):
            continue
        cells = (figure.metric, _value(figure.candidate), _value(figure.champion), figure.limit or "")
        table.add_row(*map(Text, cells), Text(_verdict(figure), style="red" if figure.within is False else "green"))
    show_table(table)
    for check in comparison.checks or ():
        sign, style = ("✓", None) if check.passed else ("!", "yellow") if check.warns else ("✗", "red")
        say(f" {sign} {check.name}: {check.detail}", style=style)
    for change in comparison.fields:
        say(f" ! its signature: {change}; consumers must follow", style="yellow")
    if comparison.checks is None:
        say(f" ✗ version {comparison.candidate}: no training run left a report of its gates", style="red")


def as_document(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison for machines."""
    return {**asdict(comparison), "objections": list(comparison.objections)}


def _value(values: tuple[float, ...] | None) -> str:
    if values is None:
        return "none"
    interval = f" [{values[1]:.3f}, {values[2]:.3f}]" if len(values) == _INTERVAL else ""
    return f"{values[0]:.3f}{interval}"


def _verdict(figure: Figure) -> str:
    if figure.limit is None:
        return ""
    if figure.within is None:
        return "not measured"
    return "within" if figure.within else "OUTSIDE"
