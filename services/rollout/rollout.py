"""Release and rollback.

A decision takes effect by one rename, of releases.json. Before it, nothing anyone is served has changed; after it,
registry and gateway follow, and `settled` says that they have. Whoever runs the same command again after a crash,
at whatever point, ends where the first run would have; an error after the rename undoes it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from environments import SystemSpec
from services.gateway.render import write_atomically
from services.rollout.batch import BatchProcess
from services.rollout.context import RolloutContext
from services.rollout.copies import AnyCopies, Copies, Process
from services.rollout.errors import RolloutError
from services.rollout.gate import require_passed
from services.rollout.journal import Journal, Kind
from services.rollout.lock import only_one
from services.rollout.process import ServingProcess
from services.rollout.registry import Candidate, Registry
from services.rollout.routing import await_routes, read_releases, write_routes
from services.serving.releases import FILE, HistoryEntry, Releases


@dataclass(frozen=True)
class Release:
    """What a release or rollback did.

    Attributes:
        system: the system.
        version: the version that serves now.
        previous: the version that served before; None at the first release.
        changed: whether there was anything to do; False when the version served already.
        metrics: the version's metrics.
        audit: the place and hash of its entry in the audit log, as `3:5b1f…`; None when it is not recorded yet.
        seconds: how long it took.
        warnings: what is left to mend, a sentence each.
    """

    system: str
    version: str
    previous: str | None
    changed: bool
    metrics: dict[str, float]
    seconds: float
    warnings: tuple[str, ...] = ()
    audit: str | None = None


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
    with _plain_errors(system), only_one(context.lock_file, f"release of {system}"):
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
    with _plain_errors(system), only_one(context.lock_file, f"rollback of {system}"):
        rollout = _Rollout(context, system, "rollback")
        target = _target(rollout.before, system, to)
        metrics = next((entry.metrics for entry in reversed(rollout.before.history) if entry.to == target), {})
        # The registry is asked only when the files are gone: an outage of it must not hold up going back.
        candidate = Candidate(target, "", metrics)
        if not rollout.folder(target).is_dir():
            candidate = rollout.registry.candidate(system, target)
        done = rollout.run("rollback", candidate, reason, decider or context.decider)
    return replace(done, seconds=time.monotonic() - begun)


def _target(releases: Releases, system: str, to: str | None) -> str:
    last = releases.history[-1] if releases.history else None
    if last and last.kind == "rollback" and not releases.settled and to in (None, last.to):
        # The same rollback, which died on its way: going on with it, not one version further back.
        return last.to
    served = {entry.to for entry in releases.history}
    if to is None:
        if (target := releases.before_champion()) is None:
            raise RolloutError(f"{system} has no version before {releases.champion or 'the first'} to go back to")
        return target
    if to not in served:
        known = ", ".join(sorted(served, key=int)) or "none"
        raise RolloutError(f"version: got {to!r}; {system} can go back to what it served: {known}")
    return to


class _Rollout:
    """The steps of one release or rollback of one system. The lock is held."""

    def __init__(self, context: RolloutContext, system: str, kind: Kind) -> None:
        job = context.batch_jobs.get(system)
        self.process: Process = BatchProcess(job, back=kind == "rollback") if job else _serving(context, system, kind)
        self.registry = Registry(context.tracking_uri)
        self.before = read_releases(context, system)
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
        after = _decided(self.before, kind, candidate, reason, decider)
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
        write_atomically(self._directory / FILE, releases.to_json())

    def _step(self, name: str) -> None:
        self._context.on_step(name)


def _serving(context: RolloutContext, system: str, kind: Kind) -> Process:
    processes = [ServingProcess(system, url) for url in context.serving_addresses(system)]
    if len(processes) == 1:
        return processes[0]
    return Copies(processes) if kind == "release" else AnyCopies(processes)


def _decided(before: Releases, kind: Kind, candidate: Candidate, reason: str, decider: str) -> Releases:
    """Return the releases after the decision, not settled yet; deciding the same again adds no entry."""
    version, previous = candidate.version, before.champion
    history = before.history
    if version != previous:
        entry = HistoryEntry(
            kind=kind,
            when=datetime.now(UTC),
            who=decider,
            why=reason,
            from_=previous,
            to=version,
            metrics=candidate.metrics,
        )
        history = (*history, entry)
    after = before.model_copy(update={"champion": version, "history": history, "settled": False})
    # The version that serves until the routes follow, and the one to go back to, stay in memory.
    wanted = (version, previous, after.before_champion(), before.challenger, before.shadow)
    # A version from further back may have been pruned meanwhile: what is not at hand must not be promised.
    loaded = sorted({one for one in wanted if one in {version, *before.loaded}}, key=int)
    return after.model_copy(update={"loaded": tuple(loaded)})


@contextmanager
def _plain_errors(system: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RolloutError(f"rollout of {system}: {error}; what served before goes on serving") from error
