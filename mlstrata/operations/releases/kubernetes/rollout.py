"""Release and rollback on a cluster.

A decision is one patch: it names the version and records who chose it. Kubernetes then replaces pods one by one and
takes an old one away only when a new one answers, so the version before goes on answering until the new one does, for
as long as that takes and whatever dies meanwhile. Whoever runs the same command again ends where the first run would
have.

A system that scores has no pods to replace. A version is tried on this machine, the patch records the decision alone,
and the registry's alias, which the next run of its CronJob takes, puts the version in place.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from mlstrata.clients.errors import RolloutError
from mlstrata.clients.kubectl_errors import ClusterError, Outdated
from mlstrata.clients.mlflow_registry import Candidate, Registry
from mlstrata.environments import SystemSpec
from mlstrata.operations.releases.batch import BatchProcess
from mlstrata.operations.releases.decision import Release, decided, plain_errors, way_back
from mlstrata.operations.releases.gate import require_passed
from mlstrata.operations.releases.journal import Journal, Kind
from mlstrata.operations.releases.kubernetes.context import ClusterContext
from mlstrata.operations.releases.kubernetes.pods import await_pods
from mlstrata.operations.releases.kubernetes.served import Served, read, write
from mlstrata.operations.releases.lock import only_one
from mlstrata.services.serving.releases import Releases

_TRIES = 5


def release(
    context: ClusterContext,
    system: str,
    version: str | None = None,
    *,
    reason: str,
    decider: str | None = None,
    limits: SystemSpec | None = None,
) -> Release:
    """Have `version` of `system`, or its latest, answer or score, if it passed its gates.

    Args:
        context: The cluster.
        system: The system's name.
        version: The version; None for the latest.
        reason: Why, for the audit log.
        decider: Who decides; None for the context's own.
        limits: The declaration whose figures the version must meet; None where a person judges them.

    Raises:
        ClusterError: the cluster does not answer, refuses, or somebody else releases.
        RolloutError: the version may not be released or does not answer; the one before goes on answering.
    """
    begun = time.monotonic()
    with plain_errors(system), only_one(context.lock_file, f"release of {system}"):
        rollout = _Rollout(context, system)
        context.on_step("registry")
        candidate = rollout.registry.candidate(system, version)
        if candidate.version != rollout.before.champion:
            require_passed(rollout.registry, candidate, limits)
        rollout.smoke(candidate)
        done = rollout.run("release", candidate, reason, decider or context.decider)
    return replace(done, seconds=time.monotonic() - begun)


def rollback(
    context: ClusterContext, system: str, to: str | None = None, *, reason: str, decider: str | None = None
) -> Release:
    """Have the version of `system` answer that did before the champion, or version `to` of its history.

    Raises:
        ClusterError: the cluster does not answer or refuses.
        RolloutError: there is none to go back to, or it does not answer; the champion goes on answering.
    """
    begun = time.monotonic()
    with plain_errors(system), only_one(context.lock_file, f"rollback of {system}"):
        rollout = _Rollout(context, system)
        version = way_back(rollout.before, system, to)
        metrics = next((entry.metrics for entry in reversed(rollout.before.history) if entry.to == version), {})
        done = rollout.run("rollback", Candidate(version, "", metrics), reason, decider or context.decider)
    return replace(done, seconds=time.monotonic() - begun)


class _Rollout:
    """The steps of one release or rollback of one system. The lock of this machine is held."""

    def __init__(self, context: ClusterContext, system: str) -> None:
        self._context, self._system = context, system
        self._seen = read(context, system)
        self.before = self._seen.releases
        self.registry = Registry(context.tracking_uri)
        self._job = context.batch_jobs.get(system)

    def smoke(self, candidate: Candidate) -> None:
        """Have a version that no pod tries before it counts predict its own input example on this machine.

        Raises:
            RolloutError: it cannot be had or loaded, has no example, or its prediction is not plausible.
        """
        if self._job is None:
            return
        self._step("smoke")
        with tempfile.TemporaryDirectory(prefix="mlstrata-smoke-") as scratch:
            folder = Path(scratch) / "models" / candidate.version
            folder.parent.mkdir()
            self.registry.download(candidate, folder)
            BatchProcess(self._job).smoke(candidate.version, folder)

    def run(self, kind: Kind, candidate: Candidate, reason: str, decider: str) -> Release:
        version, previous = candidate.version, self.before.champion
        journal = Journal(self._context.audit_file, self._system, kind)
        journal.ready(reason, decider)
        after = decided(self.before, kind, candidate, reason, decider)
        # A pod has one version: the one to go back to is fetched again, which the registry keeps.
        after = after.model_copy(update={"loaded": (version,)})
        try:
            self._step("decide")
            if len(after.history) > len(self.before.history):
                journal.abandoned(self.before)
            self._write(after, self.before)
            if self._job is None:
                self._step("serve")
                await_pods(self._context, self._system, version)
            late = self._alias(kind, version)
            self._step("audit")
            entry = journal.took_effect(after)
        except BaseException as error:
            undone = self._undo(after)
            journal.failed(self.before, candidate, reason, decider, error)
            if isinstance(error, RolloutError) and not undone:
                after_all = "what was decided could not be put back; what answers goes on, run this once more"
                raise ClusterError(f"{error}; {after_all}") from error
            raise
        late += journal.late
        self._step("settle")
        if not late:
            self._write(after.model_copy(update={"settled": True}), after)
        changed = version != previous or not self.before.settled
        return Release(
            self._system, version, previous, changed, candidate.metrics, 0.0, (*late, *journal.warnings), entry
        )

    def _write(self, releases: Releases, expected: Releases) -> None:
        """Record `releases` in place of `expected`; that anything else about the object changed does not matter."""
        for _ in range(_TRIES):
            try:
                self._seen = write(self._context, self._system, releases, self._seen.mark)
            except Outdated as error:
                refused = error
                self._seen = read(self._context, self._system)
                if _same(self._seen, releases):
                    # The first try arrived; only its answer did not.
                    return
                if not _same(self._seen, expected):
                    raise Outdated(
                        f"somebody else released {self._system} meanwhile; look, then decide anew"
                    ) from error
            else:
                return
        raise refused

    def _alias(self, kind: Kind, version: str) -> list[str]:
        self._step("alias")
        try:
            self.registry.set_champion(self._system, version)
        except RolloutError as error:
            # Without pods the alias is what decides: going back is not done before it moved.
            if kind == "release" or self._job is not None:
                raise
            return [f"the registry's alias is not moved yet, roll back once more when it answers: {error}"]
        return []

    def _undo(self, after: Releases) -> bool:
        """Have everything as it was, and say whether it is; nothing is touched that somebody else decided since."""
        try:
            self._seen = read(self._context, self._system)
            if _same(self._seen, after) and not _same(self._seen, self.before):
                self._write(self.before, after)
        except RolloutError:
            return False
        with suppress(RolloutError):
            if self.registry.champion(self._system) == after.champion:
                self.registry.set_champion(self._system, self.before.champion)
        return True

    def _step(self, name: str) -> None:
        self._context.on_step(name)


def _same(seen: Served, releases: Releases) -> bool:
    """Say whether the same decision is the last one of both, and as far."""
    there, here = seen.releases, releases
    last = [one.history[-1].when if one.history else None for one in (there, here)]
    return (there.champion, there.settled, last[0]) == (here.champion, here.settled, last[1])
