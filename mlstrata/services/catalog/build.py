"""Assembles the catalog from documents that were read before: nothing is read or asked here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mlstrata.environments.spec.data import DatasetSpec
from mlstrata.environments.spec.kpis import KpiSpec
from mlstrata.environments.spec.model import ModelSpec
from mlstrata.environments.spec.system import SystemSpec
from mlstrata.services.catalog.events import Elsewhere
from mlstrata.services.catalog.lineage import lineage
from mlstrata.services.catalog.model import Catalog, Column, ColumnRole, Dataset, Run, System, Version
from mlstrata.services.catalog.settings import Declares
from mlstrata.services.catalog.sources import Document, Sources
from mlstrata.services.serving.releases import Releases

FORGOTTEN = "not recorded"
"""State of a run that a version names and the runner does not know."""


def build(spec: Declares, sources: Sources, only: str | None = None, others: Iterable[Elsewhere] = ()) -> Catalog:
    """Assemble the catalog of an environment.

    Args:
        spec: The environment as its file describes it.
        sources: What runner, registry and releases said.
        only: Leave out every other system.
        others: Runs of jobs elsewhere that lineage events told of.
    """
    wanted = [system for system in spec.systems if only in (None, system.name)]
    versions = tuple(version for system in wanted for version in _versions(system, sources))
    runs = tuple(_runs({system.name for system in wanted}, sources, versions))
    systems = tuple(_system(spec, system, sources) for system in wanted)
    datasets = tuple(_dataset(spec, system, dataset, sources, runs) for system in wanted for dataset in system.data)
    nodes, edges = lineage(systems, datasets, runs, versions, others)
    return Catalog(
        environment=spec.name,
        stage=None if spec.stage is None else str(spec.stage),
        systems=systems,
        datasets=datasets,
        versions=versions,
        runs=runs,
        nodes=nodes,
        edges=edges,
        missing=sources.missing,
    )


def _system(spec: Declares, system: SystemSpec, sources: Sources) -> System:
    risk = system.risk
    return System(
        name=system.name,
        purpose=system.purpose,
        owner=spec.owner_of(system),
        team=system.team,
        tier=risk.tier.value,
        annex_iii=risk.point.value if risk.point else None,
        role=", ".join(role.value for role in risk.role) or "not declared",
        profiling=bool(risk.profiling),
        kpis=tuple(_kpi(kpi) for kpi in system.kpis),
        constraints=system.constraints,
        algorithm=_algorithm(system.model),
        datasets=tuple(dataset.name for dataset in system.data),
        features=_features(system.name, sources),
        consumers=tuple(consumer.name for consumer in system.serving.consumers),
        champion=sources.releases.get(system.name, Releases()).champion,
    )


def _algorithm(model: ModelSpec) -> str:
    """Say how a model learns, of several outputs each by its name."""
    if model.outputs:
        return ", ".join(f"{one.name}: {one.learns}" for one in model.outputs)
    return model.train or model.algorithm


def _kpi(kpi: KpiSpec) -> str:
    limit = f"at least {kpi.at_least}" if kpi.at_least is not None else f"at most {kpi.at_most}"
    return f"{kpi.metric} {limit}" + (f", measured by {kpi.source}" if kpi.source else "")


def _features(system: str, sources: Sources) -> tuple[str, ...]:
    seen = (run["features"] for run in sources.runs if run["system"] == system and run["features"])
    return tuple(str(name) for name in next(seen, ()))


def _dataset(
    spec: Declares, system: SystemSpec, dataset: DatasetSpec, sources: Sources, runs: Iterable[Run]
) -> Dataset:
    trains = dataset is system.training_data
    versions = [
        run.data_version
        for run in runs
        if trains and run.system == system.name and run.data_version and run.source in (None, dataset.source)
    ]
    return Dataset(
        name=dataset.name,
        system=system.name,
        description=dataset.description,
        source=dataset.source,
        classification=dataset.classification.value,
        special_categories=tuple(category.value for category in dataset.special_categories),
        owner=dataset.owner or spec.owner_of(system),
        region=dataset.region,
        licence=dataset.licence,
        trains=trains,
        columns=tuple(_columns(system, dataset, sources, trains=trains)),
        snapshots=tuple(dict.fromkeys(versions)),
    )


def _columns(system: SystemSpec, dataset: DatasetSpec, sources: Sources, *, trains: bool) -> Iterator[Column]:
    types = sources.types.get(system.name, {}) if trains else {}
    roles: dict[str, ColumnRole] = {}
    if trains:
        model = system.model
        roles |= dict.fromkeys(model.targets, ColumnRole.TARGET)
        roles |= dict.fromkeys(model.protected, ColumnRole.PROTECTED)
        roles |= dict.fromkeys(model.exclude, ColumnRole.EXCLUDED)
        # A declared role is the rule; what a run saw tells only of the columns that have none.
        roles = dict.fromkeys(_features(system.name, sources), ColumnRole.FEATURE) | roles
    for name in (*dataset.personal, *dataset.special_fields):
        roles.setdefault(name, ColumnRole.UNUSED)
    for name, role in roles.items():
        special = dataset.special_fields.get(name)
        yield Column(
            name=name,
            role=role,
            personal=name in dataset.personal or special is not None,
            special=special.value if special else None,
            type=types.get(name),
        )


def _versions(system: SystemSpec, sources: Sources) -> Iterator[Version]:
    registered = {str(one["version"]): _tags(one) for one in sources.versions or () if one.get("name") == system.name}
    made = {
        str(run["result"]["version"]): run
        for run in reversed(sources.runs)
        # A run that found its model registered already did not make it.
        if run["system"] == system.name and run["result"].get("version") and run["result"].get("created", True)
    }
    releases = sources.releases.get(system.name, Releases())
    roles = {releases.shadow: "shadow", releases.challenger: "challenger", releases.champion: "champion"}
    known = {*registered, *made, *(version for version in roles if version)}
    for version in sorted(known, key=_number, reverse=True):
        tags, run = registered.get(version, {}), made.get(version, {})
        result: Mapping[str, Any] = run.get("result", {})
        yield Version(
            system=system.name,
            version=version,
            registered=None if sources.versions is None or system.name in sources.unasked else version in registered,
            role=roles.get(version),
            run=tags.get("pipeline_run") or run.get("id"),
            # What a model from elsewhere was judged on is not what it learnt from.
            data_version=None if tags.get("origin") else tags.get("data_version") or run.get("data_version"),
            origin=tags.get("origin"),
            origin_digest=tags.get("origin_digest"),
            evaluation_data_version=tags.get("evaluation_data_version"),
            unknown=tags.get("unknown"),
            commit=tags.get("commit"),
            code_commit=tags.get("code_commit"),
            code_version=tags.get("code_version"),
            settings_hash=tags.get("settings_hash"),
            metrics=_metrics(result),
        )


def _number(version: str) -> tuple[int, str]:
    return (int(version) if version.isdecimal() else 0, version)


def _tags(version: Document) -> dict[str, str]:
    return {str(tag.get("key")): str(tag["value"]) for tag in version.get("tags", ()) if tag.get("value")}


def _metrics(result: Mapping[str, Any]) -> dict[str, float]:
    evaluation = result.get("evaluation")
    measured = evaluation.get("metrics") if isinstance(evaluation, Mapping) else None
    found = {}
    for name, figure in sorted(measured.items()) if isinstance(measured, Mapping) else ():
        # What another version of the steps wrote otherwise hides no run.
        if isinstance(figure, Mapping) and isinstance(value := figure.get("value"), int | float):
            found[name] = float(value)
    return found


def _runs(systems: set[str], sources: Sources, versions: Iterable[Version]) -> Iterator[Run]:
    known = set()
    for run in sources.runs:
        if run["system"] in systems:
            known.add(run["id"])
            yield Run(
                id=run["id"],
                system=run["system"],
                state=run["state"],
                trigger=run["cause"],
                created=run["created"],
                data_version=run["data_version"],
                source=run.get("source"),
                stopped_at=run["stopped_at"],
            )
    for version in versions:
        if version.run is not None and version.run not in known:
            known.add(version.run)
            yield Run(
                id=version.run,
                system=version.system,
                state=FORGOTTEN,
                trigger=None,
                created=None,
                data_version=version.data_version,
                stopped_at=None,
            )
