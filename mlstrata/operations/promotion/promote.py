"""The steps of a promotion: everything is copied and read back before the version is registered, by one request."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlstrata.clients.mlflow import Candidate, Registry, figures
from mlstrata.environments import SystemSpec
from mlstrata.operations.promotion.record import EARLIER, FILE, Approval, Evidence
from mlstrata.operations.releases.gate import UNSEALED, failed, sealed, unmet, unreported
from mlstrata_steps.seal import DIGEST, TAG, Made, of_files

_TAG, _RUN = "promoted_from", "promoted_run"
_BORNE = (DIGEST, TAG)
_MODEL = "model/"
_BATCH = 100
"""MLflow takes this many parameters and tags, and ten times as many metrics, at once."""
_KEPT = ("params", "metrics", "tags")


class PromotionError(Exception):
    """The version may not or cannot be promoted; the message says why. Nothing is registered."""


@dataclass(frozen=True)
class Side:
    """One side of a promotion.

    Attributes:
        environment: The environment's name.
        registry: Its registry, with its own access.
        key: What it seals versions with; None: it has no such key.
    """

    environment: str
    registry: Registry
    key: str | None = None


@dataclass(frozen=True)
class Order:
    """What is to be promoted, and who decided.

    Attributes:
        system: The system, as the environment it goes to declares it.
        version: The version where it comes from.
        who: Who decides.
        reason: Why.
        approvals: What was decided about it where it comes from.
        when: Now, UTC.
    """

    system: SystemSpec
    version: str
    who: str
    reason: str
    approvals: Sequence[Approval]
    when: datetime


@dataclass(frozen=True)
class Promoted:
    """What became of it: the version's number there, whether it is new, and its evidence."""

    version: str
    created: bool
    evidence: Evidence


def examine(source: Side, order: Order) -> dict[str, float]:
    """Return the figures of a version that may be promoted.

    Raises:
        PromotionError: it may not; every reason is named.
        RegistryError: the registry does not answer.
    """
    origin = _version(source, order)
    run = source.registry.run(origin["run_id"])
    metrics = figures(run)
    made = Candidate(order.version, "", metrics, origin["run_id"], tags=_tags(origin))
    checks = source.registry.checks(run["info"]["run_id"])
    reasons = [*unmet(order.system, metrics), *(failed(checks) if checks else unreported(run["info"]["run_id"]))]
    if checks and sealed(source.registry, order.system.name, made, source.key) is None:
        reasons.append(UNSEALED)
    if not order.approvals:
        reasons.append(f"{source.environment} never released it; release it there first")
    if reasons:
        raise PromotionError(
            f"version {order.version} of {order.system.name} may not be promoted: {'; '.join(reasons)}"
        )
    return metrics


def promote(source: Side, target: Side, order: Order, on_step: Callable[[str], None] = lambda _step: None) -> Promoted:
    """Bring a version with its run into another registry. Cut off at any point, the same call goes on.

    Args:
        source: Where it comes from.
        target: Where it goes.
        order: What, and who decided.
        on_step: Told of each step as it begins.

    Raises:
        PromotionError: it may not be promoted, or did not arrive as it was sent.
        RegistryError: a registry does not answer or refuses.
    """
    on_step("examining")
    examine(source, order)
    name = order.system.name
    origin = _version(source, order)
    mark = f"{source.environment}/{origin['version']}"
    if known := _known(target, name, mark, origin["run_id"]):
        return known
    run = source.registry.run(origin["run_id"])
    experiment = target.registry.experiment(name)
    _clear(target, experiment, origin["run_id"])
    on_step("copying")
    made = target.registry.post(
        "runs/create",
        experiment_id=experiment,
        run_name=run["info"].get("run_name", mark),
        start_time=run["info"]["start_time"],
        tags=[{"key": _TAG, "value": mark}, {"key": _RUN, "value": origin["run_id"]}],
    )["run"]["info"]
    hashes = _copy_files(source, run["info"], target, made, on_step)
    evidence = Evidence(
        system=name,
        source=source.environment,
        version=str(origin["version"]),
        run=origin["run_id"],
        decided=order.when,
        who=order.who,
        reason=order.reason,
        approvals=tuple(order.approvals),
        files=hashes,
    )
    target.registry.write(made["artifact_uri"], FILE, (evidence.model_dump_json(indent=1) + "\n").encode())
    _copy_facts(run["data"], target, made["run_id"])
    target.registry.post(
        "runs/update", run_id=made["run_id"], status="FINISHED", end_time=run["info"].get("end_time", 0)
    )
    on_step("registering")
    kept = [one for one in _BORNE if one in _tags(origin)]
    seal = _sealed_again(target, name, made, hashes) if kept else {}
    return Promoted(_register(source, target, origin, run["info"], made, seal), created=True, evidence=evidence)


def _tags(version: dict[str, Any]) -> dict[str, str]:
    return {one["key"]: one["value"] for one in version.get("tags", [])}


def _sealed_again(target: Side, system: str, made: dict[str, Any], hashes: Mapping[str, str]) -> dict[str, str]:
    """Seal what arrived by the key of where it went: the run there is another, the files and the report are the same.

    Raises:
        RegistryError: the registry does not give back the report.
    """
    model = "".join(
        f"{digest} {path.removeprefix(_MODEL)}\n" for path, digest in sorted(hashes.items()) if path.startswith(_MODEL)
    )
    tags, gates = {DIGEST: of_files(model)}, target.registry.gates(made["run_id"])
    if target.key is not None and gates is not None:
        tags[TAG] = Made(system, made["run_id"], tags[DIGEST], gates).sealed(target.key)
    return tags


def _version(source: Side, order: Order) -> dict[str, Any]:
    versions = {str(one["version"]): one for one in source.registry.versions(order.system.name)}
    if order.version not in versions:
        raise PromotionError(
            f"version: got {order.version!r}; {source.environment} has registered of {order.system.name}: "
            f"{', '.join(sorted(versions, key=int)) or 'none'}"
        )
    if not versions[order.version].get("run_id"):
        raise PromotionError(f"version {order.version} of {order.system.name} has no run: nothing says what made it")
    return versions[order.version]


def _known(target: Side, system: str, mark: str, run: str) -> Promoted | None:
    for one in target.registry.versions(system):
        tags = {tag["key"]: tag["value"] for tag in one.get("tags", [])}
        if (tags.get(_TAG), tags.get(_RUN)) == (mark, run):
            root = target.registry.run(one["run_id"])["info"]["artifact_uri"]
            return Promoted(
                str(one["version"]),
                created=False,
                evidence=Evidence.model_validate_json(target.registry.read(root, FILE)),
            )
    return None


def _clear(target: Side, experiment: str, run: str) -> None:
    """Remove what an interrupted promotion of the same run left."""
    query = f"tags.{_RUN} = '{run}' and attributes.status != 'FINISHED'"
    answer = target.registry.post("runs/search", experiment_ids=[experiment], filter=query)
    for one in answer.get("runs", []):
        target.registry.post("runs/delete", run_id=one["info"]["run_id"])


def _copy_files(
    source: Side, of: dict[str, Any], target: Side, made: dict[str, Any], on_step: Callable[[str], None]
) -> dict[str, str]:
    hashes: dict[str, str] = {}
    for path in sorted(source.registry.files(of["artifact_uri"])):
        content = source.registry.read(of["artifact_uri"], path)
        # How it came to where it comes from: the next environment's evidence is the whole way.
        name = f"{EARLIER}/{source.environment}.json" if path == FILE else path
        target.registry.write(made["artifact_uri"], name, content)
        hashes[name] = hashlib.sha256(content).hexdigest()
        on_step(f"copying · {len(hashes)} files")
    for path, digest in hashes.items():
        if hashlib.sha256(target.registry.read(made["artifact_uri"], path)).hexdigest() != digest:
            raise PromotionError(f"{path} did not arrive in {target.environment} as it was sent; run this again")
    return hashes


def _copy_facts(data: dict[str, Any], target: Side, run: str) -> None:
    found = {name: data.get(name, []) for name in _KEPT}
    # The platform's own tags say who wrote the run, which here is another.
    found["tags"] = [one for one in found["tags"] if not one["key"].startswith("mlflow.")]
    metrics = [
        {"key": one["key"], "value": one["value"], "timestamp": one["timestamp"], "step": one.get("step", 0)}
        for one in found["metrics"]
    ]
    for start in range(0, max(len(found["params"]), len(found["tags"]), len(metrics)), _BATCH):
        part = slice(start, start + _BATCH)
        target.registry.post(
            "runs/log-batch", run_id=run, params=found["params"][part], tags=found["tags"][part], metrics=metrics[part]
        )


def _register(  # noqa: PLR0917 - both sides, what is there and what is to be
    source: Side,
    target: Side,
    origin: dict[str, Any],
    of: dict[str, Any],
    made: dict[str, Any],
    seal: Mapping[str, str],
) -> str:
    name, version = origin["name"], str(origin["version"])
    place = str(source.registry.get("model-versions/get-download-uri", name=name, version=version)["artifact_uri"])
    if not place.startswith(of["artifact_uri"]):
        raise PromotionError(f"version {version} lies at {place}, not with its run; train it again")
    tags = [tag for tag in origin.get("tags", []) if tag["key"] not in (_TAG, _RUN, *_BORNE)]
    tags += [{"key": key, "value": value} for key, value in seal.items()]
    tags += [{"key": _TAG, "value": f"{source.environment}/{version}"}, {"key": _RUN, "value": origin["run_id"]}]
    target.registry.model(name)
    below = place.removeprefix(of["artifact_uri"])
    answer = target.registry.post(
        "model-versions/create", name=name, source=f"{made['artifact_uri']}{below}", run_id=made["run_id"], tags=tags
    )
    return str(answer["model_version"]["version"])
