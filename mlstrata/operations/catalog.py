"""What data, models and systems an environment has, and how one came from the other."""

from __future__ import annotations

import time
from dataclasses import dataclass

from mlstrata.operations.deciding import deciding_user
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError
from mlstrata.services.catalog.lineage import short
from mlstrata.services.catalog.model import Catalog, Dataset, System, Version

__all__ = ["Catalog", "Dataset", "Link", "System", "Version", "catalog", "link", "short"]

TOKEN_FILE = "config/catalog/token"  # noqa: S105 - where it lies, not what it is
"""Where the service's token lies in an environment's home; readable by its owner alone."""
OPERATOR_FILE = "config/catalog/operator"
"""Likewise, of those who may change something."""


@dataclass(frozen=True)
class Link:
    """An address that opens the catalog's pages once, within `seconds`."""

    url: str
    seconds: int


def catalog(deployment: Deployment, system: str | None = None) -> Catalog:
    """Return the catalog of an environment, or of one of its systems; it need not be up.

    Raises:
        UsageError: the environment declares no such system.
    """
    from mlstrata.services.catalog.build import build
    from mlstrata.services.catalog.sources import read

    wanted = _systems(deployment, system)
    return build(deployment.spec, read(deployment.home, _registry(deployment), wanted), only=system)


def link(deployment: Deployment, system: str | None = None, *, operator: bool = False) -> Link:
    """Return an address that logs a browser in to the catalog's pages, as who runs this.

    Args:
        deployment: The environment.
        system: Whose page it leads to; None: the start page.
        operator: May decide reviews, stop a system and approve a rollout.

    Raises:
        UsageError: the environment is not up, has no catalog, or declares no such system.
    """
    from mlstrata.services.catalog.access import LINK_SECONDS, link_ticket

    _systems(deployment, system)
    address = deployment.target.urls.get("catalog")
    try:
        file = OPERATOR_FILE if operator else TOKEN_FILE
        token = (deployment.home / file).read_text(encoding="utf-8").strip()
    except OSError:
        token = ""
    if not address or not token:
        raise UsageError(
            f"{deployment.file}: {deployment.name} has no catalog that answers; its capability 'catalog' comes with "
            f"stage foundation: then `mlstrata up {deployment.name}`"
        )
    page = f"&to=systems/{system}" if system else ""
    ticket = link_ticket(token, time.time(), deciding_user())
    return Link(f"{address}/login?ticket={ticket}{page}", LINK_SECONDS)


def _systems(deployment: Deployment, system: str | None) -> list[str]:
    deployment.target.here("catalog")
    known = [one.name for one in deployment.spec.systems]
    if system is None:
        return known
    if system not in known:
        raise UsageError(
            f"{deployment.file}: systems: got '{system}', which is not declared; "
            f"allowed {', '.join(known) or 'none yet'}; name one of these or declare it"
        )
    return [system]


def _registry(deployment: Deployment) -> str | None:
    """Return the registry's address; None while the environment is not up."""
    try:
        return deployment.target.here("catalog").outputs.urls.get("mlflow")
    except UsageError:
        return None
