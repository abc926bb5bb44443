"""Decisions as the audit log has them: one entry each, whatever dies on the way.

A decision is named by the moment it has in releases.json, so the run that goes on after a crash records the same one.
A release that cannot be recorded is undone; a rollback is done all the same and recorded by the next one.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from mlstrata.audit import Appended, AuditLog, Entry, Metrics, Outcome, plain_text
from mlstrata.clients.mlflow import Candidate
from mlstrata.operations.releases.errors import RolloutError
from mlstrata.services.serving.releases import HistoryEntry, Releases
from mlstrata.services.serving.running import Move

Kind = Literal["release", "rollback"]
_PROBLEM = 500


class Journal:
    """Records the decisions on one system.

    Attributes:
        late: what could not be recorded yet, a sentence each.
        warnings: what is wrong with the log, a sentence each.
    """

    def __init__(self, path: Path, system: str, kind: Kind) -> None:
        self.late: list[str] = []
        self.warnings: list[str] = []
        self._log = AuditLog(path)
        self._system = system
        self._kind = kind

    def ready(self, reason: str, decider: str) -> None:
        """See that the decision could be recorded, before anything is done.

        Raises:
            RolloutError: the reason or the name cannot be kept, or a release could not be recorded.
        """
        for name, text in (("reason", reason), ("decider", decider)):
            try:
                plain_text(text)
            except ValueError as error:
                raise RolloutError(f"{name}: {error}") from None
        if self._kind == "release":
            try:
                self._log.ready()
            except OSError as error:
                raise RolloutError(self._unwritable(error)) from error

    def abandoned(self, releases: Releases) -> None:
        """Record the last decision of `releases` that died on its way, now that another one follows.

        Raises:
            RolloutError: it cannot be recorded, and the one that follows is a release.
        """
        if releases.settled:
            return
        if releases.moved:
            self.moved(releases.moved, "interrupted")
        elif releases.history:
            self._record(releases, "interrupted")

    def took_effect(self, releases: Releases) -> str | None:
        """Record the last decision of `releases` and return its place and hash; None when it is late.

        Raises:
            RolloutError: it is a release and cannot be recorded.
        """
        appended = self._record(releases, "done") if releases.history else None
        return f"{appended.record.number}:{appended.record.hash}" if appended else None

    def moved(self, move: Move, outcome: Outcome = "done") -> str | None:
        """Record a decision that put no other version in place; return its place and hash, None when it is late.

        Raises:
            RolloutError: it can wait for a log that can be written, and this one cannot.
        """
        entry = Entry(
            id=f"{move.kind}/{self._system}/{move.when.isoformat()}",
            when=move.when,
            who=move.who,
            action=move.kind,
            system=self._system,
            version_from=move.from_,
            version_to=move.to,
            reason=move.why,
            metrics=Metrics(candidate=move.metrics),
            outcome=outcome,
        )
        try:
            appended = self._log.append(entry)
        except (OSError, ValueError) as error:
            if self._kind == "release":
                raise RolloutError(self._unwritable(error)) from error
            self.late.append(self._unwritable(error))
            return None
        self.warnings += appended.warnings
        return f"{appended.record.number}:{appended.record.hash}"

    def failed(self, before: Releases, candidate: Candidate, reason: str, decider: str, error: BaseException) -> None:
        """Record a decision that was undone; the error itself matters more than a log that cannot take it."""
        now = datetime.now(UTC)
        entry = HistoryEntry(
            kind=self._kind,
            when=now,
            who=decider,
            why=reason,
            from_=before.champion,
            to=candidate.version,
            metrics=candidate.metrics,
        )
        with suppress(OSError, ValueError):
            text = "".join(char if char.isprintable() else " " for char in str(error) or type(error).__name__)
            self._append(entry, before, "failed", text[:_PROBLEM])

    def _record(self, releases: Releases, outcome: Outcome) -> Appended | None:
        *earlier, entry = releases.history
        try:
            return self._append(entry, releases.model_copy(update={"history": tuple(earlier)}), outcome)
        except (OSError, ValueError) as error:
            if self._kind == "release":
                raise RolloutError(self._unwritable(error)) from error
            self.late.append(f"{self._unwritable(error)}; then roll back once more, which records this one")
            return None

    def _append(self, entry: HistoryEntry, before: Releases, outcome: Outcome, problem: str | None = None) -> Appended:
        champion = next((one.metrics for one in reversed(before.history) if one.to == entry.from_), {})
        appended = self._log.append(
            Entry(
                id=f"{entry.kind}/{self._system}/{entry.when.isoformat()}",
                when=entry.when,
                who=entry.who,
                action=entry.kind,
                system=self._system,
                version_from=entry.from_,
                version_to=entry.to,
                reason=entry.why,
                metrics=Metrics(candidate=entry.metrics, champion=champion),
                outcome=outcome,
                problem=problem,
            )
        )
        self.warnings += appended.warnings
        return appended

    def _unwritable(self, error: Exception) -> str:
        return f"the audit log {self._log.path} cannot be written: {error}; make it writable"
