"""What registry and rollout know of a system's version, for its dossier: here, or on a cluster."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata.environments.installation import lock
from mlstrata.operations.deployment import Deployment

if TYPE_CHECKING:
    from mlstrata.clients.mlflow import Registry
    from mlstrata.evidence import ModelVersion, Package
    from mlstrata.policies.core.live import GateOutcome


def version_of(
    deployment: Deployment, system: str, unreadable: list[str]
) -> tuple[ModelVersion, tuple[Package, ...]] | None:
    """Return the version that answers, else the newest, and what it is run with; None where none is registered."""
    from mlstrata.evidence import ModelVersion

    with deployment.target.registry() as registry:
        champion = deployment.target.champion(system)
        known = {str(one["version"]): one for one in registry.versions(system)}
        if not known:
            return None
        chosen = champion if champion in known else next(iter(known))
        view = registry.view(known[chosen])
        when = known[chosen].get("creation_timestamp")
        reports = tried("the run's reports", unreadable, lambda: registry.reports(view.run)) or {}
        read = tried("the model's files", unreadable, lambda: _files(deployment, registry, system, chosen))
    signature, packages = read or ("", packages_of(None))
    made = ModelVersion(
        version=view.version,
        released=view.version == champion,
        registered=datetime.fromtimestamp(int(when) / 1000, tz=UTC) if when else None,  # MLflow counts milliseconds
        run=view.run,
        pipeline_run=view.pipeline_run,
        commit=view.commit,
        code_commit=view.code_commit,
        data_version=view.data_version,
        origin=view.origin,
        judged_on=view.judged_on,
        unknown=view.unknown,
        metrics=view.metrics,
        settings=view.settings,
        signature=signature,
        gates=_gates(reports),
        reports=reports,
    )
    return made, packages


def tried(what: str, unreadable: list[str], read: Callable[[], Any]) -> Any:
    """Return what `read` gives; None, with the reason noted in one line, where it fails."""
    try:
        return read()
    except Exception as error:  # noqa: BLE001 - a dossier is drafted from what can be read, and says what cannot
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        unreadable.append(f"{what}: {first[:400]}")
        return None


def _files(deployment: Deployment, registry: Registry, system: str, version: str) -> tuple[str, tuple[Package, ...]]:
    """Return a version's signature and packages: of its files here, of the registry's where a cluster has them."""
    with deployment.target.model(registry, system, version) as model:
        return _signature(model), packages_of(model)


def _gates(reports: Mapping[str, Any]) -> tuple[GateOutcome, ...] | None:
    """Return what the gates found; None where the run has no report of them."""
    from mlstrata.policies.core.live import GateOutcome

    checks = reports.get("gates", {}).get("checks")
    if not isinstance(checks, list):
        return None
    return tuple(
        GateOutcome(str(one["name"]), bool(one["passed"]), str(one["detail"]) + (" (warns)" if one["warns"] else ""))
        for one in checks
    )


def _signature(model: Path) -> str:
    import yaml

    try:
        document = yaml.safe_load((model / "MLmodel").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return ""
    found = document.get("signature") if isinstance(document, Mapping) else None
    if not isinstance(found, Mapping):
        return ""
    return "; ".join(f"{key}: {_fields(found[key])}" for key in ("inputs", "outputs", "params") if found.get(key))


def _fields(text: object) -> str:
    """Return a part of an MLflow signature as names with their types; as it is written where it has another form."""
    try:
        listed = [one if "name" in one else one["tensor-spec"] for one in json.loads(str(text))]
        named = [f"{one['name']} ({one['type']})" for one in listed if "name" in one]
        return ", ".join(named + [f"{one['dtype']} of shape {one['shape']}" for one in listed if "name" not in one])
    except (ValueError, KeyError, TypeError):
        return str(text)


def packages_of(model: Path | None) -> tuple[Package, ...]:
    """Return what the model's own lock names; before it has one, what the runtime environment's lock does."""
    from mlstrata.evidence import Package

    locks = [lock()]
    for file in [model / "locked-requirements.txt", *locks] if model else locks:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except OSError:
            continue
        pinned = (line.split(";")[0].strip(" \\").partition("==") for line in lines if line[:1].isalnum())
        found = {name.partition("[")[0]: version.split()[0] for name, _, version in pinned if version.strip()}
        if found:
            return tuple(Package(name, found[name]) for name in sorted(found))
    return ()
