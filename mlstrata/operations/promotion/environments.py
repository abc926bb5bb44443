"""A released version goes to another environment, with its evidence and who decided what."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mlstrata.operations.deciding import deciding_user
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import Failed, UsageError

if TYPE_CHECKING:
    from mlstrata.audit import AuditLog, Entry
    from mlstrata.audit.log import Appended
    from mlstrata.environments import SystemSpec
    from mlstrata.operations.promotion import Approval, Order, Promoted
    from mlstrata.operations.reporting import Reporter

Metrics = dict[str, float]


@dataclass(frozen=True)
class Promotion:
    """A version that was brought to another environment.

    Attributes:
        order: What was to be promoted.
        promoted: The version there, with its evidence.
        written: Its entry in the audit log there.
    """

    order: Order
    promoted: Promoted
    written: Appended


def promote(
    source: Deployment,
    target: Deployment,
    system: str,
    reporter: Reporter,
    *,
    reason: str,
    version: str = "",
    decider: str = "",
    agree: Callable[[Order, Metrics], None] = lambda _order, _metrics: None,
) -> Promotion:
    """Copy a version with all that is known of it into another environment's registry; nothing is released there.

    Args:
        source: Where it was released.
        target: Where it goes.
        system: The system, which both declare alike.
        reporter: Told each step.
        reason: Why.
        version: A released version; empty: the one that answers.
        decider: Who decides; empty: who runs this.
        agree: Called with the order and the version's metrics before anything is done; what it raises ends it there.

    Raises:
        UsageError: an environment is not up or declares no such system, or another one of that name.
        Failed: the version may not be promoted, or did not arrive.
    """
    from mlstrata.clients.mlflow import RegistryError
    from mlstrata.operations.promotion import Order, PromotionError, Side, examine
    from mlstrata.operations.promotion import promote as carry_out

    here, there = source.target, target.target
    if source.name == target.name:
        raise UsageError(f"--to: got {target.name}, which it comes from; name another environment")
    _same_system(source, target, system)
    if not reason.strip():
        raise UsageError('--reason is required: why is this version promoted? --reason "…"')
    number = version or here.released(system).champion
    if not number:
        raise UsageError(
            f"{source.name} has released no version of {system}; `mlstrata release {source.name} {system}` first"
        )
    who, approvals = decider or deciding_user(), _approvals(source, system, number)
    order = Order(target.system(system), number, who, reason.strip(), approvals, datetime.now(UTC))
    try:
        with here.registry(beside_another=True) as from_, there.registry(beside_another=True) as to:
            one = Side(source.name, from_, here.seal_key())
            other = Side(target.name, to, there.seal_key())
            metrics = examine(one, order)
            agree(order, metrics)
            with _recording(target) as log, reporter.working("promoting …") as working:
                done = carry_out(one, other, order, on_step=lambda step: working(f"promoting · {step}"))
                written = log.append(_entry(source.name, order, done, metrics))
    except (PromotionError, RegistryError) as error:
        raise Failed(str(error)) from None
    return Promotion(order, done, written)


def _approvals(deployment: Deployment, system: str, version: str) -> tuple[Approval, ...]:
    """Return what was decided about a version and carried out.

    Raises:
        Failed: the log of it is not whole.
    """
    from mlstrata.operations.promotion import Approval

    decisions, whole = deployment.target.decisions(system)
    if whole is False:
        raise Failed(
            f"the audit log of {deployment.name} is damaged (`mlstrata audit {deployment.name} --verify`); "
            "what it says approves nothing"
        )
    return tuple(
        Approval(number=one.number, sha256=one.hash, action=one.action, when=one.when, who=one.who, reason=one.reason)
        for one in decisions
        if one.version_to == version and one.outcome == "done"
    )


_CONTRACT = (
    "purpose",
    "risk.tier",
    "risk.annex_iii",
    "model.task",
    "model.target",
    "model.positive",
    "model.threshold",
    "model.outputs",
    "model.protected",
)
"""What the evidence of a version is about: where it is declared otherwise, the evidence is of another system."""


@contextmanager
def _recording(deployment: Deployment) -> Iterator[AuditLog]:
    """Give an environment's audit log, seen to be writable before anything is done.

    Raises:
        Failed: it is not.
    """
    from mlstrata.audit import AuditLog
    from mlstrata.operations.releases import AUDIT_FILE

    log = AuditLog(deployment.home / AUDIT_FILE)
    try:
        log.ready()
        yield log
    except OSError as error:
        why = error.strerror or error
        raise Failed(f"{log.path}: {why}; the promotion is not recorded: fix that and run it again") from None


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
    here, there = source.system(name), target.system(name)
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
