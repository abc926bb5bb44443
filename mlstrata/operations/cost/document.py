"""An estimate for machines; amounts are text, since a number of JSON would be rounded by whoever reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from mlstrata.operations.cost.model import Estimate, Line, Owner, Range

GROUPS: Mapping[str, Callable[[Owner], str]] = {
    "component": lambda one: one.component,
    "system": lambda one: one.system,
    "team": lambda one: one.team,
    "cost_centre": lambda one: one.cost_centre,
}
"""By what amounts are summed; each is the total, divided otherwise."""


def amount(month: Range) -> dict[str, str]:
    """Return an amount a month."""
    return {"low": f"{month.low:.2f}", "high": f"{month.high:.2f}"}


def line(one: Line) -> dict[str, str]:
    """Return a line."""
    return {
        "resource": one.resource,
        "type": one.type,
        "what": one.what,
        **asdict(one.owner),
        **amount(one.month),
    }


def document(estimate: Estimate) -> dict[str, Any]:
    """Return an estimate."""
    return {
        "environment": estimate.environment,
        "region": estimate.region,
        "currency": estimate.currency,
        "period": "month",
        "prices": estimate.prices,
        "total": amount(estimate.total),
        **{f"by_{name}": {key: amount(month) for key, month in estimate.by(of).items()} for name, of in GROUPS.items()},
        "lines": [line(one) for one in estimate.lines],
        "not_priced": [asdict(one) for one in estimate.not_priced],
        "free": estimate.free,
        "included": estimate.included,
        "assumed": list(estimate.assumed),
        "budget": None if estimate.budget is None else f"{estimate.budget:.2f}",
    }
