"""Release and rollback, over any backend.

A decision takes effect by one step, the commit. Before it, nothing anyone is served has changed; after it, what serves
and the registry's alias follow, and `settled` says that they have. Whoever runs the same command again after a crash,
at whatever point, ends where the first run would have; an error after the commit undoes it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from mlstrata.clients.kubernetes import ClusterError
from mlstrata.clients.mlflow import Candidate, RegistryError
from mlstrata.environments import SystemSpec
from mlstrata.operations.releases.aliases import settle_aliases
from mlstrata.operations.releases.backend import Backend, Rollout
from mlstrata.operations.releases.decision import Release, decided, rollback_target
from mlstrata.operations.releases.errors import RolloutError
from mlstrata.operations.releases.gate import require_passed, sealed
from mlstrata.operations.releases.journal import Journal, Kind
from mlstrata.operations.releases.lock import only_one
from mlstrata.services.serving.releases import Releases
from mlstrata.services.serving.running import Running

UNGATED = "without gates"
"""How the reason of a release begins that somebody decided although nothing says what the version passed."""


def release(
    backend: Backend,
    system: str,
    version: str | None = None,
    *,
    reason: str,
    decider: str | None = None,
    limits: SystemSpec | None = None,
    without_gates: bool = False,
    own_code: bool = False,
    ends: Running | None = None,
) -> Release:
    """Have `version` of `system`, or its latest, answer or score, if it passed its gates.

    Args:
        backend: The environment.
        system: The system's name.
        version: The version; None for the latest.
        reason: Why, for the audit log.
        decider: Who decides; None for the backend's own.
        limits: The declaration whose figures the version must meet; None where a person judges them.
        without_gates: Release a version whose run left no report of its gates; the recorded reason says so. One whose
            gates failed is refused all the same.
        own_code: Whether the system's file says that its model brings code; what nothing vouches for brings none.
        ends: The rollout that ends by it; None: whatever runs ends with another version.

    Raises:
        ClusterError: the cluster does not answer, refuses, or somebody else releases.
        RolloutError: the version may not be released or does not answer; the one before goes on answering.
    """
    started = time.monotonic()
    with begun(backend, system, "release") as rollout:
        backend.on_step("registry")
        if ends is not None and rollout.before.rollout != ends:
            raise RolloutError(f"the rollout of version {ends.candidate} of {system} changed meanwhile; look again")
        candidate = backend.registry.candidate(system, version)
        if candidate.version != rollout.before.champion:
            candidate, vouched = judged(
                backend, system, candidate, limits=limits, without_gates=without_gates, own_code=own_code
            )
            reason = reason if vouched or reason.startswith(UNGATED) else f"{UNGATED}: {reason}"
        else:
            # What answers was judged when it was released; what was said of its files then holds.
            candidate = replace(candidate, **_said(rollout.before, candidate.version))
        done = _carry_out(backend, rollout, candidate, system=system, kind="release", reason=reason, decider=decider)
    return replace(done, seconds=time.monotonic() - started)


def rollback(
    backend: Backend, system: str, to: str | None = None, *, reason: str, decider: str | None = None
) -> Release:
    """Have the version of `system` answer that did before the champion, or version `to` of its history.

    Raises:
        ClusterError: the cluster does not answer or refuses.
        RolloutError: there is none to go back to, or it cannot serve; the champion goes on answering.
    """
    started = time.monotonic()
    with begun(backend, system, "rollback") as rollout:
        target = rollback_target(rollout.before, system, to)
        # The registry is not asked: an outage of it must not hold up going back.
        entry = next(entry for entry in reversed(rollout.before.history) if entry.to == target)
        candidate = Candidate(target, "", entry.metrics, **_said(rollout.before, target))
        done = _carry_out(backend, rollout, candidate, system=system, kind="rollback", reason=reason, decider=decider)
    return replace(done, seconds=time.monotonic() - started)


def judged(
    backend: Backend,
    system: str,
    candidate: Candidate,
    *,
    limits: SystemSpec | None,
    without_gates: bool,
    own_code: bool,
) -> tuple[Candidate, bool]:
    """Return a version that may be released, with the digest of its files, and whether its gates vouch for it.

    Raises:
        RegistryError: the registry does not answer.
        RolloutError: it may not be released.
    """
    checks = backend.registry.checks(candidate.run)
    digest = sealed(backend.registry, system, candidate, backend.seal_key())
    require_passed(candidate, checks, limits, without_gates=without_gates, is_sealed=digest is not None)
    vouched = bool(checks and digest is not None)
    return replace(candidate, digest=digest or "", own_code=vouched and own_code), vouched


def _said(before: Releases, version: str) -> dict[str, Any]:
    """Return what the last decision for a version said of its files."""
    entry = next((entry for entry in reversed(before.history) if entry.to == version), None)
    return {"digest": entry.digest, "own_code": entry.own_code} if entry else {}


@contextmanager
def begun(backend: Backend, system: str, kind: Kind) -> Iterator[Rollout]:
    """Give the parts of a rollout while its lock is held; what files and registry raise becomes an error for people."""
    try:
        with only_one(backend.lock_file, f"{kind} of {system}"):
            yield backend.open(system, kind)
    except RegistryError as error:
        raise RolloutError(str(error)) from error
    except OSError as error:
        raise RolloutError(f"{kind} of {system}: {error}; the previous version keeps serving") from error


def _carry_out(
    backend: Backend,
    rollout: Rollout,
    candidate: Candidate,
    *,
    system: str,
    kind: Kind,
    reason: str,
    decider: str | None,
) -> Release:
    decider = decider or backend.decider
    version, before = candidate.version, rollout.before
    journal = Journal(backend.audit_file, system, kind)
    journal.ready(reason, decider)
    after = decided(before, kind, candidate, reason, decider)
    try:
        candidate = rollout.prepare(candidate)
        after = decided(before, kind, candidate, reason, decider)
        backend.on_step("decide")
        if len(after.history) > len(before.history) or before.moved:
            journal.abandoned(before)
        rollout.commit(after)
        rollout.follow()
        late = _move_alias(backend, rollout, system, kind, version)
        backend.on_step("audit")
        entry = journal.took_effect(after)
    except BaseException as error:
        undone = _undo(backend, rollout, system, after)
        journal.failed(before, candidate, reason, decider, error)
        if isinstance(error, RolloutError | RegistryError | ClusterError) and not undone:
            after_all = "the decision could not be reverted; the current version keeps answering, run this again"
            raise ClusterError(f"{error}; {after_all}") from error
        raise
    late += [*journal.late, *settle_aliases(backend, system, before, after)]
    backend.on_step("settle")
    rollout.settle(after if late else after.model_copy(update={"settled": True}))
    changed = version != before.champion or not before.settled
    warnings = (*late, *journal.warnings)
    return Release(system, version, before.champion, changed, candidate.metrics, 0.0, warnings, entry)


def _move_alias(backend: Backend, rollout: Rollout, system: str, kind: Kind, version: str) -> list[str]:
    """Have the registry's alias follow; return what could not be done and may wait."""
    backend.on_step("alias")
    try:
        backend.registry.set_champion(system, version)
    except RegistryError as error:
        if kind == "release" or rollout.alias_decides:
            raise
        return [f"the registry's alias is not moved yet, roll back once more when it answers: {error}"]
    return []


def _undo(backend: Backend, rollout: Rollout, system: str, after: Releases) -> bool:
    """Have everything as it was, and say whether it is; what does not answer now is mended by the next rollout."""
    if not rollout.undo():
        return False
    with suppress(RegistryError):
        if backend.registry.champion(system) == after.champion:
            backend.registry.set_champion(system, rollout.before.champion)
    return True
