"""`mlstrata cost`: what an environment would cost a month, and what a change of its file costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mlstrata.cli.console import say, say_json
from mlstrata.cli.cost_markdown import markdown
from mlstrata.operations.cost.document import GROUPS, amount, document
from mlstrata.operations.cost.model import Estimate, NotPriced, Range, by_reason
from mlstrata.operations.cost.prices import read
from mlstrata.operations.cost.reckon import prices_of, reckon
from mlstrata.operations.cost.revision import Difference, at, compared
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError

FEW = 10
SHARED = {"component": "platform", "system": "shared", "team": "platform", "cost_centre": "platform"}
"""What an amount is called that nobody of a kind has to himself."""


def cost(name: str, *, prices: Path | None, diff: str | None, full: bool, as_markdown: bool, as_json: bool) -> None:
    """Show an estimate, or what differs from the one of a git revision.

    Raises:
        UsageError: options that do not go together, or a table, revision or environment that is none.
    """
    if as_markdown and as_json:
        raise UsageError("--markdown and --json are two forms of one answer: give one of them")
    deployment = Deployment.open(name)
    file = prices_of(deployment, prices)
    table = read(file)
    found = reckon(deployment, table)
    changed = compared(at(deployment, diff, file), found) if diff else None
    if as_json:
        say_json({**document(found), **({"difference": _difference(changed)} if changed else {})})
    elif as_markdown:
        say(markdown(found, changed))
    elif changed:
        _show_difference(found, changed, full=full)
    else:
        _show(found, full=full)


def money(value: Range) -> tuple[str, str]:
    """Return an amount as people read it: from, to."""
    return f"{value.low:,.2f}", f"{value.high:,.2f}"


def _show(found: Estimate, *, full: bool) -> None:
    where = f" · {found.region}" if found.region else ""
    say(f" {found.environment}{where} · {found.currency} a month · prices: {found.prices}", style="bold")
    rows: list[tuple[str, ...]] = [("", "from", "to"), ("total", *money(found.total))]
    for group, of in GROUPS.items():
        rows.append((f"by {group.replace('_', ' ')}", "", ""))
        rows += [(f"  {key or SHARED[group]}", *money(month)) for key, month in found.by(of).items()]
    if full:
        rows.append(("each", "", ""))
        for line in found.lines:
            whose = line.owner.system or line.owner.team or SHARED["system"]
            rows.append((f"  {line.resource} ({whose}): {line.what}", *money(line.month)))
    _table(rows)
    _budget(found)
    for assumed in found.assumed:
        say(f" assumed: {assumed}", style="yellow")
    _not_priced(found.not_priced, full=full)
    said = f" {found.free} resources cost nothing of their own"
    if found.included:
        said += f"; {found.included} run on machines that are priced, or listed above"
    say(said)


def _budget(found: Estimate) -> None:
    if found.beyond_budget:
        fine = found.budget is not None and found.total.high <= found.budget
        say(f" {found.beyond_budget}", style=None if fine else "yellow")


def _not_priced(found: Sequence[NotPriced], *, full: bool) -> None:
    if not found:
        return
    say(f" not priced: {len(found)}, which cost something all the same", style="yellow")
    reasons = by_reason(found)
    for why, names in list(reasons.items())[: None if full else FEW]:
        say(f"   {', '.join(names)}: {why}")
    if len(reasons) > FEW and not full:
        say(f"   and for {len(reasons) - FEW} more reasons: --full names all")


def _show_difference(found: Estimate, changed: Difference, *, full: bool) -> None:
    say(f" {found.environment} · {found.currency} a month · {changed.revision} to now", style="bold")
    rows: list[tuple[str, ...]] = [("", "from", "to", "was", ""), ("total", *_both(changed.before, changed.after))]
    for owner, (before, after) in changed.parts.items():
        whose = owner.system or owner.team or SHARED["system"]
        rows.append((f"  {owner.component} ({whose})", *_both(before, after)))
    _table(rows)
    _budget(found)
    if not changed.parts:
        say(" nothing that has a price changes")
    _not_priced(list(changed.not_priced), full=full)


def _both(before: Range, after: Range) -> Iterator[str]:
    yield from money(after)
    yield from money(before)


def _difference(changed: Difference) -> Mapping[str, object]:
    return {
        "revision": changed.revision,
        "before": amount(changed.before),
        "after": amount(changed.after),
        "parts": [
            {
                "component": owner.component,
                "system": owner.system,
                "team": owner.team,
                "cost_centre": owner.cost_centre,
                "before": amount(before),
                "after": amount(after),
            }
            for owner, (before, after) in changed.parts.items()
        ],
        "not_priced": [vars(one) for one in changed.not_priced],
    }


def _table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        amounts = "  ".join(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        say(f" {row[0].ljust(widths[0])}  {amounts}".rstrip())
