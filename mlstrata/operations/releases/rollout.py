"""Release and rollback.

A decision takes effect by one rename, of releases.json. Before it, nothing anyone is served has changed; after it,
registry and gateway follow, and `settled` says that they have. Whoever runs the same command again after a crash,
at whatever point, ends where the first run would have; an error after the rename undoes it.
"""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from mlstrata.clients.errors import RolloutError
from mlstrata.clients.mlflow_registry import Candidate, Registry
from mlstrata.environments import SystemSpec
from mlstrata.files import write_private
from mlstrata.operations.releases.batch import BatchProcess
from mlstrata.operations.releases.context import RolloutContext
from mlstrata.operations.releases.copies import AnyCopies, Copies, Process
from mlstrata.operations.releases.decision import Release, decided, plain_errors, way_back
from mlstrata.operations.releases.gate import require_passed
from mlstrata.operations.releases.journal import Journal, Kind
from mlstrata.operations.releases.lock import only_one
from mlstrata.operations.releases.process import ServingProcess
from mlstrata.operations.releases.routing import await_routes, write_routes
from mlstrata.services.serving.releases import FILE, Releases


def release(
    context: RolloutContext,
    system: str,
    version: str | None = None,
    *,
    reason: str,
    decider: str | None = None,
    limits: SystemSpec | None = None,
) -> Release:
    """Have `version` of `system`, or its latest, answer, if it passed its gates.

    Args:
        context: The environment.
        system: The system's name.
        version: The version; None for the latest.
        reason: Why, for the audit log.
        decider: Who decides; None for the context's own.
        limits: The declaration whose figures the version must meet; None where a person judges them.

    Raises:
        RolloutError: it does not; the version before it goes on answering.
    """
    begun = time.monotonic()
    with plain_errors(system), only_one(context.lock_file, f"release of {system}"):
        rollout = _Rollout(context, system, "release")
        context.on_step("registry")
        candidate = rollout.registry.candidate(system, version)
        if candidate.version != rollout.before.champion:
            require_passed(rollout.registry, candidate, limits)
        done = rollout.run("release", candidate, reason, decider or context.decider)
    return replace(done, seconds=time.monotonic() - begun)


def rollback(
    context: RolloutContext, system: str, to: str | None = None, *, reason: str, decider: str | None = None
) -> Release:
    """Have the version of `system` answer that did before the champion, or version `to` of its history.

    Raises:
        RolloutError: there is none to go back to, or it cannot serve; the champion goes on answering.
    """
    begun = time.monotonic()
    with plain_errors(system), only_one(context.lock_file, f"rollback of {system}"):
        rollout = _Rollout(context, system, "rollback")
        target = way_back(rollout.before, system, to)
        metrics = next((entry.metrics for entry in reversed(rollout.before.history) if entry.to == target), {})
        # The registry is asked only when the files are gone: an outage of it must not hold up going back.
        candidate = Candidate(target, "", metrics)
        if not rollout.folder(target).is_dir():
            candidate = rollout.registry.candidate(system, target)
        done = rollout.run("rollback", candidate, reason, decider or context.decider)
    return replace(done, seconds=time.monotonic() - begun)


class _Rollout:
    """The steps of one release or rollback of one system. The lock is held."""

    def __init__(self, context: RolloutContext, system: str, kind: Kind) -> None:
        job = context.batch_jobs.get(system)
        self.process: Process = BatchProcess(job, back=kind == "rollback") if job else _serving(context, system, kind)
        self.registry = Registry(context.tracking_uri)
        self.before = context.releases(system)
        self._context = context
        self._system = system
        self._directory = context.serving_directory(system)

    def folder(self, version: str) -> Path:
        """Return where the files of `version` belong."""
        return self._directory / "models" / version

    def run(self, kind: Kind, candidate: Candidate, reason: str, decider: str) -> Release:
        version, previous = candidate.version, self.before.champion
        journal = Journal(self._context.audit_file, self._system, kind)
        journal.ready(reason, decider)
        after = decided(self.before, kind, candidate, reason, decider)
        try:
            self._prepare(candidate)
            self._step("decide")
            if len(after.history) > len(self.before.history):
                journal.abandoned(self.before)
            self._write(after)
            late = self._follow(kind, version)
            self._step("audit")
            entry = journal.took_effect(after)
        except BaseException as error:
            self._undo()
            journal.failed(self.before, candidate, reason, decider, error)
            raise
        late += journal.late
        self._step("settle")
        if not late:
            after = after.model_copy(update={"settled": True})
            self._write(after)
        self._step("prune")
        self._prune(after)
        changed = version != previous or not self.before.settled
        return Release(
            self._system, version, previous, changed, candidate.metrics, 0.0, (*late, *journal.warnings), entry
        )

    def _prepare(self, candidate: Candidate) -> None:
        """Have the version ready to answer, and seen to; nobody is served by it yet."""
        folder = self.folder(candidate.version)
        self._step("download")
        self.registry.download(candidate, folder)
        self._step("load")
        self.process.load(candidate.version)
        self._step("smoke")
        self.process.smoke(candidate.version, folder)

    def _follow(self, kind: Kind, version: str) -> list[str]:
        """Have registry and gateway follow the decision; return what could not be done and may wait."""
        if kind == "release":
            self._alias(version)
        self._step("routes")
        routes = write_routes(self._context)
        self._step("serve")
        await_routes(self._context, routes)
        if kind == "rollback":
            try:
                self._alias(version)
            except RolloutError as error:
                return [f"the registry's alias is not moved yet, roll back once more when it answers: {error}"]
        return []

    def _alias(self, version: str) -> None:
        self._step("alias")
        self.registry.set_champion(self._system, version)

    def _undo(self) -> None:
        """Have everything as it was; what does not answer now is mended by the next rollout."""
        self._write(self.before)
        with suppress(RolloutError):
            write_routes(self._context)
        with suppress(RolloutError):
            self.registry.set_champion(self._system, self.before.champion)
        self._prune(self.before)

    def _prune(self, releases: Releases) -> None:
        """Forget the versions that nobody asks for and nobody goes back to; a failure leaves more than needed."""
        with suppress(RolloutError):
            for version in self.process.loaded():
                if version not in releases.loaded:
                    self.process.unload(version)
        for folder in (self._directory / "models").glob("*"):
            if folder.name not in releases.loaded:
                # Renamed first: half a folder must never look like a whole one.
                doomed = folder.with_name(f"{folder.name.removesuffix('.tmp')}.tmp")
                with suppress(OSError):
                    folder.replace(doomed)
                    shutil.rmtree(doomed)

    def _write(self, releases: Releases) -> None:
        write_private(self._directory / FILE, releases.to_json())

    def _step(self, name: str) -> None:
        self._context.on_step(name)


def _serving(context: RolloutContext, system: str, kind: Kind) -> Process:
    processes = [ServingProcess(system, url) for url in context.serving_addresses(system)]
    if len(processes) == 1:
        return processes[0]
    return Copies(processes) if kind == "release" else AnyCopies(processes)
