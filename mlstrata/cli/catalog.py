"""`mlstrata catalog`: what data, models and systems an environment has, and how one came from the other."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mlstrata.cli.console import say, say_json
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError

if TYPE_CHECKING:
    from mlstrata.services.catalog.model import Catalog, Dataset, System, Version


TOKEN_FILE = "config/catalog/token"  # noqa: S105 - where it lies, not what it is
"""Where the service's token lies in an environment's home; readable by its owner alone."""


def catalog(name: str, system: str | None, *, link: bool = False, as_json: bool) -> None:
    """Show the catalog of an environment, or of one of its systems; it need not be up, except for a link.

    Raises:
        UsageError: the environment declares no such system, or has no catalog that a link could open.
    """
    from mlstrata.services.catalog.build import build
    from mlstrata.services.catalog.sources import read

    deployment = Deployment.open(name)
    deployment.require_local("catalog")
    known = [one.name for one in deployment.spec.systems]
    if system is not None and system not in known:
        raise UsageError(
            f"{deployment.workspace.environment_file(name)}: systems: got '{system}', which is not declared; "
            f"allowed {', '.join(known) or 'none yet'}; name one of these or declare it"
        )
    if link:
        _show_link(deployment, system, as_json=as_json)
        return
    wanted = known if system is None else [system]
    found = build(deployment.spec, read(deployment.home, _registry(deployment), wanted), only=system)
    if as_json:
        say_json(found.document())
    else:
        _show(found)


def _show_link(deployment: Deployment, system: str | None, *, as_json: bool) -> None:
    """Print an address that logs a browser in, nothing else, so that it can be handed to one."""
    from mlstrata.operations.stack_state import exports
    from mlstrata.services.catalog.access import LINK_SECONDS, link_ticket

    address = exports(deployment)["urls"].get("catalog")
    try:
        token = (deployment.home / TOKEN_FILE).read_text(encoding="utf-8").strip()
    except OSError:
        token = ""
    if not address or not token:
        raise UsageError(
            f"{deployment.workspace.environment_file(deployment.name)}: {deployment.name} has no catalog that answers; "
            f"its capability 'catalog' comes with stage foundation: then `mlstrata up {deployment.name}`"
        )
    page = f"&to=systems/{system}" if system else ""
    url = f"{address}/login?ticket={link_ticket(token, time.time())}{page}"
    if as_json:
        say_json({"url": url, "expires_in": LINK_SECONDS})
    else:
        say(url)


def _registry(deployment: Deployment) -> str | None:
    """Return the registry's address; None while the environment is not up."""
    from mlstrata.operations.stack_state import exports

    try:
        address = exports(deployment)["urls"].get("mlflow")
    except UsageError:
        return None
    return str(address) if address else None


def _show(catalog: Catalog) -> None:
    say(f" {catalog.environment}  stage {catalog.stage}", style="bold")
    for system in catalog.systems:
        _show_system(system)
        for dataset in catalog.datasets:
            if dataset.system == system.name:
                _show_dataset(dataset)
        versions = [version for version in catalog.versions if version.system == system.name]
        for version in versions:
            _show_version(version)
        if not versions:
            say("   model      no version yet")
        _show_lineage(catalog, system, versions)
    for problem in catalog.missing:
        say(f" missing: {problem}", style="yellow")


def _show_system(system: System) -> None:
    act = f"risk {system.tier}" + (f", Annex III {system.annex_iii}" if system.annex_iii else "")
    say()
    say(f" {system.name}  {act} · {system.role}", style="bold")
    say(f"   purpose    {system.purpose}")
    say(f"   owner      {system.owner or 'nobody is named'} · team {system.team or 'platform'}")
    say(f"   must       {'; '.join((*system.kpis, *system.constraints)) or 'nothing is declared'}")


def _show_dataset(dataset: Dataset) -> None:
    use = "trained on" if dataset.trains else "used"
    say(f"   data       {dataset.name} · {dataset.classification} · {use} · {dataset.source or 'no source declared'}")
    personal = [
        column.name + (f" ({column.special})" if column.special else "")
        for column in dataset.columns
        if column.personal
    ]
    say(f"   personal   {', '.join(personal) or 'no column is declared'}")
    for role in ("target", "feature", "protected", "excluded"):
        if names := [column.name for column in dataset.columns if column.role == role]:
            say(f"   {role:<10} {', '.join(names)}")


def _show_version(version: Version) -> None:
    figures = ", ".join(f"{name} {value:.3f}" for name, value in version.metrics.items())
    commit = f"commit {version.commit[:12]}" if version.commit else ""
    notes = [
        version.role or "not released",
        figures,
        commit,
        "not in the registry" if version.registered is False else "",
    ]
    say(f"   model      version {version.version} · {' · '.join(note for note in notes if note)}")


def _show_lineage(catalog: Catalog, system: System, versions: list[Version]) -> None:
    """Show in one line each what a version that answers came from and who is answered."""
    from mlstrata.services.catalog.lineage import short

    trained = [dataset for dataset in catalog.datasets if dataset.system == system.name and dataset.trains]
    for version in versions:
        if version.role is None:
            continue
        data = short(version.data_version) if version.data_version else "data not recorded"
        path = [
            *(dataset.source or dataset.name for dataset in trained),
            data,
            f"run {version.run or 'not recorded'}",
            f"version {version.version}",
            version.role,
            system.name,
            ", ".join(system.consumers) or "no consumer",
        ]
        say(f"   lineage    {' -> '.join(path)}")
