"""An estimate, or what a change costs, as the comment of a pull request."""

from __future__ import annotations

from collections.abc import Sequence

from mlstrata.operations.cost.document import GROUPS
from mlstrata.operations.cost.model import Estimate, NotPriced, Range, by_reason
from mlstrata.operations.cost.revision import Difference

_MARKUP = {ord(one): f"&#{ord(one)};" for one in "&\\`*_{}[]<>|#@"} | {ord("\n"): " "}
_SHARED = "shared"


def markdown(found: Estimate, changed: Difference | None) -> str:
    """Return it; names from a file are no markup."""
    head = f"### {_safe(found.environment)}: {_span(found.total)} {found.currency} a month"
    if changed is None:
        return "\n".join([head, "", *_sums(found), *_not_priced(found.not_priced), *_basis(found)])
    grown = changed.after - changed.before
    head += f" ({_signed(grown)} since {_safe(changed.revision)})" if changed.parts else " (as before)"
    return "\n".join([head, "", *_parts(changed), *_not_priced(changed.not_priced), *_basis(found)])


def _sums(found: Estimate) -> list[str]:
    rows = []
    for group, of in GROUPS.items():
        title = group.replace("_", " ")
        rows += [f"| {title} | from | to |", "|---|--:|--:|"]
        rows += [
            f"| {_safe(key or _SHARED)} | {month.low:,.2f} | {month.high:,.2f} |" for key, month in found.by(of).items()
        ]
        rows.append("")
    return rows


def _parts(changed: Difference) -> list[str]:
    if not changed.parts:
        return []
    rows = ["| component | system | team | was | will be | change |", "|---|---|---|--:|--:|--:|"]
    for owner, (before, after) in changed.parts.items():
        names = (_safe(one or _SHARED) for one in (owner.component, owner.system, owner.team))
        rows.append(f"| {' | '.join(names)} | {_span(before)} | {_span(after)} | {_signed(after - before)} |")
    return [*rows, ""]


def _not_priced(found: Sequence[NotPriced]) -> list[str]:
    if not found:
        return []
    rows = [f"<details><summary>Not priced: {len(found)}</summary>", ""]
    rows += [f"- {_safe(', '.join(names))}: {_safe(why)}" for why, names in by_reason(found).items()]
    return [*rows, "", "</details>", ""]


def _basis(found: Estimate) -> list[str]:
    rows = [f"- Budget: {found.beyond_budget}."] if found.beyond_budget else []
    rows += [f"- Assumed: {_safe(one)}." for one in found.assumed]
    return [*rows, f"- Prices: {_safe(found.prices)}. An estimate from the plan, not an offer."]


def _span(month: Range) -> str:
    return f"{month.low:,.2f}" if month.low == month.high else f"{month.low:,.2f} to {month.high:,.2f}"


def _signed(grown: Range) -> str:
    return f"{grown.low:+,.2f}" if grown.low == grown.high else f"{grown.low:+,.2f} to {grown.high:+,.2f}"


def _safe(text: str) -> str:
    return text.translate(_MARKUP)
