"""`mlstrata catalog`: what data, models and systems an environment has, and how one came from the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstrata.cli.console import say, say_json
from mlstrata.operations import catalog as operation
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError

if TYPE_CHECKING:
    from mlstrata.operations.catalog import Catalog, Dataset, System, Version


def catalog(name: str, system: str | None, *, link: bool = False, operator: bool = False, as_json: bool) -> None:
    """Show the catalog of an environment, or of one of its systems; or print an address that opens its pages."""
    if operator and not link:
        raise UsageError("--operator: got it without --link; it says what the printed address lets you do")
    deployment = Deployment.open(name)
    if link:
        # Nothing else, so that it can be handed to a browser.
        found = operation.link(deployment, system, operator=operator)
        if as_json:
            say_json({"url": found.url, "expires_in": found.seconds})
        else:
            say(found.url)
        return
    shown = operation.catalog(deployment, system)
    if as_json:
        say_json(shown.document())
    else:
        _show(shown)


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
    say(f"   owner      {system.owner or 'not named'} · team {system.team or 'platform'}")
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
    trained = [dataset for dataset in catalog.datasets if dataset.system == system.name and dataset.trains]
    for version in versions:
        if version.role is None:
            continue
        data = operation.short(version.data_version) if version.data_version else "data not recorded"
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
