"""`mlstrata promote`: a released version goes to another environment, with its evidence and who decided what."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from mlstrata.cli.console import confirm, err, say, say_json, show_table
from mlstrata.cli.predict import find_system
from mlstrata.cli.release import deciding_user
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import Failed, UsageError
from mlstrata.operations.stack_state import address, released

if TYPE_CHECKING:
    from mlstrata.audit import AuditLog, Entry
    from mlstrata.environments import SystemSpec
    from mlstrata.operations.promotion import Approval, Order, Promoted, Side
    from mlstrata.services.serving.releases import Releases

_CONTRACT = (
    "purpose",
    "risk.tier",
    "risk.annex_iii",
    "model.task",
    "model.target",
    "model.positive",
    "model.protected",
)
"""What the evidence of a version is about: where it is declared otherwise, the evidence is of another system."""


def promote(
    name: str, system: str, *, to: str, version: str, reason: str, decider: str, yes: bool, as_json: bool
) -> None:
    """Copy a version with all that is known of it into another environment's registry; nothing is released there.

    Raises:
        UsageError: an environment is not up or declares no such system, or another one of that name.
        Failed: the version may not be promoted, or did not arrive.
    """
    from mlstrata.clients.mlflow import RegistryError
    from mlstrata.operations.promotion import Order, PromotionError

    source, target = Deployment.open(name), Deployment.open(to)
    for deployment in (source, target):
        if deployment.spec.target.kind != "local":
            from mlstrata.operations.cluster_access import on_cluster

            on_cluster(deployment, "promote")
    if name == to:
        raise UsageError(f"--to: got {to}, which it comes from; name another environment")
    _same_system(source, target, system)
    if not reason.strip():
        raise UsageError('--reason: got nothing; say why it should go on: --reason "…"')
    number = version or _released(source, system).champion
    if not number:
        raise UsageError(f"{name} has released no version of {system}; `mlstrata release {name} {system}` first")
    who = decider or deciding_user()
    order = Order(
        find_system(target, system), number, who, reason.strip(), _approvals(source, system, number), datetime.now(UTC)
    )
    try:
        with _side(source) as here, _side(target) as there:
            _carry_out(order, here, there, target, yes=yes, as_json=as_json)
    except (PromotionError, RegistryError) as error:
        raise Failed(str(error)) from None


def _carry_out(order: Order, here: Side, there: Side, target: Deployment, *, yes: bool, as_json: bool) -> None:
    """Show what is to go on, have it confirmed, copy it and record the decision.

    Raises:
        PromotionError: it may not be promoted, or did not arrive.
        RegistryError: a registry does not answer.
        Failed: the decision cannot be recorded.
    """
    from mlstrata.operations.promotion import examine
    from mlstrata.operations.promotion import promote as go

    metrics, system = examine(here, order), order.system.name
    if not as_json:
        _show_order(order.approvals, metrics)
    origin = f"version {order.version} of {here.environment}"
    confirm(yes, f"Promote {origin} to {there.environment}?", as_json)
    with _recording(target) as log, err().status("promoting …") as status:
        done = go(here, there, order, on_step=lambda step: status.update(f"promoting · {step}"))
        written = log.append(_entry(here.environment, order, done, metrics))
    if as_json:
        document = {"from": here.environment, "to": there.environment, "system": system, "version": done.version}
        evidence = done.evidence.model_dump(mode="json")
        say_json({**document, "created": done.created, "evidence": evidence, "audit": asdict(written.record)})
        return
    what = "is" if done.created else "was promoted before: it is"
    say(f" {system}: {origin} {what} version {done.version} of {there.environment}")
    say(f"   {len(done.evidence.files)} files, each read back and the same · {len(done.evidence.approvals)} approvals")
    say(f"   audit entry {written.record.number} of {there.environment} · sha256 {written.record.hash}")
    for warning in written.warnings:
        say(f"  {warning}")
    say(f"   it answers after `mlstrata release {there.environment} {system} --version {done.version}`")


@contextmanager
def _recording(deployment: Deployment) -> Iterator[AuditLog]:
    """Give an environment's audit log, seen to be writable before anything is done.

    Raises:
        Failed: it is not.
    """
    from mlstrata.audit import AuditLog

    log = AuditLog(_audit_file(deployment))
    try:
        log.ready()
        yield log
    except OSError as error:
        why = error.strerror or error
        raise Failed(f"{log.path}: {why}; the promotion is not recorded: mend that and run it again") from None


def _entry(source: str, order: Order, done: Promoted, metrics: dict[str, float]) -> Entry:
    from mlstrata.audit import Entry, Metrics

    evidence = done.evidence
    about = f"{source}/{order.system.name}/{order.version}/{evidence.decided.isoformat()}"
    return Entry(
        # The same promotion, gone on with after a crash, is one entry.
        id=str(uuid.uuid5(uuid.NAMESPACE_URL, about)),
        when=evidence.decided,
        who=evidence.who,
        action="promote",
        system=order.system.name,
        version_from=f"{source}/{order.version}",
        version_to=done.version,
        reason=evidence.reason,
        metrics=Metrics(candidate=metrics),
        outcome="done",
    )


def _same_system(source: Deployment, target: Deployment, name: str) -> None:
    """Refuse a system that only has the same name there.

    Raises:
        UsageError: with each field that is declared otherwise.
    """
    here, there = find_system(source, name), find_system(target, name)
    wrong = [
        f"systems[{target.spec.systems.index(there)}].{path}: got {_value(there, path)!r}, "
        f"but {source.name} has {_value(here, path)!r}"
        for path in _CONTRACT
        if _value(here, path) != _value(there, path)
    ]
    if wrong:
        raise UsageError(
            f"{target.loaded.file}: {'; '.join(wrong)}: the evidence would be of another system; declare it alike"
        )


def _value(system: SystemSpec, path: str) -> object:
    found: object = system
    for part in path.split("."):
        found = getattr(found, part, None)
    return found


@contextmanager
def _side(deployment: Deployment) -> Iterator[Side]:
    """Give an environment's registry; each side of a promotion has its own address and password.

    Raises:
        UsageError: the environment is not up, or its registry cannot be reached.
        ClusterError: the cluster cannot be asked.
    """
    from mlstrata.clients.mlflow import Registry
    from mlstrata.clients.mlflow.access import header, of, variables
    from mlstrata.operations.promotion import Side

    if deployment.spec.target.kind == "local":
        yield Side(deployment.name, Registry(address(deployment, "mlflow"), header(variables(deployment.home))))
        return
    from mlstrata.operations.cluster_access import REGISTRY_URL, cluster_of, forwarded, on_cluster, registry_password

    asks, namespace = cluster_of(deployment), on_cluster(deployment, "promote").namespace
    fix = f"somebody who may read the secret mlflow-access in {namespace} promotes"
    password = registry_password(asks, namespace, fix)
    # Two registries at once: one variable for both would be the wrong one for either.
    own = f"{REGISTRY_URL}_{deployment.name.upper().replace('-', '_')}"
    with forwarded(asks, namespace, "mlflow", 5000, own) as url:
        yield Side(deployment.name, Registry(url, header(of(password))))


def _released(deployment: Deployment, system: str) -> Releases:
    """Return what an environment released of a system.

    Raises:
        UsageError: its record cannot be read.
        ClusterError: nor can the cluster's.
    """
    if deployment.spec.target.kind == "local":
        return released(deployment, system)
    from mlstrata.operations.cluster_access import bare

    return bare(deployment).releases(system)


def _approvals(deployment: Deployment, system: str, version: str) -> tuple[Approval, ...]:
    """Return what was decided about a version: by the audit log, or the record that a cluster keeps of a system.

    Raises:
        Failed: the log is not whole.
    """
    from mlstrata.operations.promotion import Approval

    if deployment.spec.target.kind != "local":
        return tuple(
            Approval(
                number=number,
                sha256=hashlib.sha256(entry.model_dump_json(by_alias=True).encode()).hexdigest(),
                action=entry.kind,
                when=entry.when,
                who=entry.who,
                reason=entry.why,
            )
            for number, entry in enumerate(_released(deployment, system).history, 1)
            if entry.to == version
        )
    from mlstrata.audit import read, verify

    path = _audit_file(deployment)
    if not (found := verify(path)).ok:
        raise Failed(f"{path}: the audit log is not whole ({found.problems[0]}); what it says approves nothing")
    return tuple(
        Approval(
            number=record.number,
            sha256=record.hash,
            action=record.entry["action"],
            when=record.entry["when"],
            who=record.entry["who"],
            reason=record.entry["reason"],
        )
        for record in read(path)
        if (record.entry["system"], record.entry["version_to"], record.entry["outcome"]) == (system, version, "done")
    )


def _audit_file(deployment: Deployment) -> Path:
    from mlstrata.operations.releases import AUDIT_FILE

    return deployment.home / AUDIT_FILE


def _show_order(approvals: Sequence[Approval], metrics: dict[str, float]) -> None:
    table = Table("decided", "who", "when", "why", title="approvals", title_justify="left")
    for one in approvals:
        table.add_row(one.action, one.who, f"{one.when:%Y-%m-%d %H:%M}", one.reason)
    show_table(table)
    say("   " + " · ".join(f"{name} {value:.3f}" for name, value in sorted(metrics.items())[:6]))
