"""The decision about a system that was looked at: it stays, or it goes. Both are recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mlstrata.environments import Capability
from mlstrata.files import sha256_of
from mlstrata.operations.deciding import deciding_user
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import Failed, UsageError
from mlstrata.operations.retirement.archive import archive, archived
from mlstrata.operations.retirement.review import Review, review
from mlstrata.services.retention.settings import kept_until


@dataclass(frozen=True)
class Kept:
    """A system that stays.

    Attributes:
        review: What was looked at.
        record: Number of the entry in the audit log.
        warnings: What is wrong with that log, a sentence each.
    """

    review: Review
    record: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Retired:
    """A system that went.

    Attributes:
        review: What was looked at.
        changed: Whether there was anything to do.
        archive: Where what is kept of it lies.
        sha256: Of that file.
        kept_until: Until when it is kept.
        audit: Place and hash of the entry in the audit log; None: it is not recorded yet.
        warnings: What is left to mend, a sentence each.
    """

    review: Review
    changed: bool
    archive: Path
    sha256: str
    kept_until: datetime
    audit: str | None
    warnings: tuple[str, ...] = ()


def keep(deployment: Deployment, system: str, *, reason: str, decider: str | None, now: datetime) -> Kept:
    """Record that a system stays, with the figures that were seen; the file sets the next day of this decision.

    Raises:
        UsageError: there is no such system, it has no released version or was retired, or no reason was given.
        Failed: it cannot be recorded.
    """
    from mlstrata.audit import AuditLog, Entry, Metrics

    found = _decidable(deployment, system, reason, now)
    if found.retired:
        raise UsageError(f"{system} was retired by {found.retired}; `mlstrata resume {deployment.name} {system}` first")
    local = deployment.target.here("retire")
    figures = {one.metric: one.value for one in found.figures if one.value is not None}
    try:
        appended = AuditLog(local.audit_file).append(
            Entry(
                id=f"keep/{system}/{now.isoformat()}",
                when=now,
                who=decider or deciding_user(),
                action="keep",
                system=system,
                version_from=found.version,
                version_to=str(found.version),
                reason=reason.strip(),
                metrics=Metrics(candidate=figures),
                outcome="done",
            )
        )
    except (OSError, ValueError) as error:
        raise Failed(f"{system}: the audit log {local.audit_file} cannot take it: {error}") from None
    return Kept(found, appended.record.number, tuple(appended.warnings))


def retire(
    deployment: Deployment,
    system: str,
    *,
    reason: str,
    decider: str | None,
    now: datetime,
    although: bool = False,
    agree: Callable[[Review], None] = lambda _review: None,
) -> Retired:
    """Archive a system, then have the gateway answer that it is gone and jobs score no more. Cut off, it goes on.

    Its process goes once the file declares the system no more, its data by `erase`; the archive stays.

    Args:
        deployment: The environment.
        system: The system.
        reason: Why.
        decider: Who decides; None: who runs this.
        now: When.
        although: Retire it although something speaks against it.
        agree: Called with what was looked at before anything is done; what it raises ends it there.

    Raises:
        UsageError: there is no such system, it has no released version, or no reason was given.
        Failed: something speaks against it, or it cannot be archived.
        RolloutError: the gateway does not follow; it stays decided.
    """
    from mlstrata.operations.releases import halt

    found = _decidable(deployment, system, reason, now)
    agree(found)
    if found.against and not although and not found.retired:
        lines = "".join(f"\n  {one}" for one in found.against)
        raise Failed(
            f"{system} is not retired, since this speaks against it:{lines}\n  --although retires it all the same"
        )
    backend = deployment.target.here("retire").rollout()
    who = decider or backend.decider
    if not (found.retired and (path := archived(deployment, system)).is_file()):
        path = archive(deployment, system, who=who, reason=reason.strip(), now=now)
    digest = sha256_of(path)
    done = halt.retire(backend, system, reason=f"{reason.strip()} (archive sha256 {digest})", decider=who)
    try:
        until = datetime.fromtimestamp(kept_until(path.parent), UTC)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Failed(f"{system} is retired, and nothing says until when {path} is kept: {error!r}") from error
    return Retired(found, done.changed, path, digest, until, done.audit, done.warnings)


def _decidable(deployment: Deployment, system: str, reason: str, now: datetime) -> Review:
    from mlstrata.audit import plain_text

    if Capability.RETIREMENT not in deployment.spec.capabilities:
        raise UsageError(
            f"{deployment.file}: capabilities: 'retirement' is not among them; it comes with stage mature, or switch "
            "it on (capabilities: {on: [retirement]})"
        )
    if not reason.strip():
        raise UsageError('--reason: got nothing; say why it is decided so: --reason "…"')
    try:
        plain_text(reason)
    except ValueError as error:
        raise UsageError(f"--reason: {error}") from None
    found = review(deployment, system, now)
    if found.version is None:
        raise UsageError(f"{system} has no released version; remove it from {deployment.file} instead")
    return found
