"""The cost of an environment of this workspace, as its files are now."""

from __future__ import annotations

from pathlib import Path

from mlstrata.operations.cost.estimate import estimate
from mlstrata.operations.cost.model import Estimate
from mlstrata.operations.cost.prices import OWN, SHIPPED, PriceTable
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.policy_check import collecting_seldom, planned


def reckon(deployment: Deployment, table: PriceTable) -> Estimate:
    """Estimate what an environment costs a month, planned as new; neither state nor a running platform is asked.

    Raises:
        UsageError: a price is of another unit than what it is used for.
        ProgramFailed: the environment cannot be planned.
    """
    from mlstrata.policies.adapters.embedded_graph import records

    with collecting_seldom():
        return estimate(records(planned(deployment).graph), deployment.spec, table)


def prices_of(deployment: Deployment, given: Path | None) -> Path:
    """Return the file of the prices to use: the one that is named, else the workspace's own, else the shipped one."""
    own = deployment.workspace.root / OWN
    return given or (own if own.is_file() else SHIPPED)
