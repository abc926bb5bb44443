"""From the journal's decisions to the audit log: each once, also after a crash between the two."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mlstrata.services.retraining.journal import Journal
from mlstrata.services.retraining.trigger import Decision, Outcome

if TYPE_CHECKING:
    from mlstrata.audit import Entry

_UNDONE = frozenset({Outcome.FAILED, Outcome.IMPOSSIBLE, Outcome.REFUSED, Outcome.ROLLED_BACK})


def record(journal: Journal, path: Path, who: str, champion: Callable[[str], str | None]) -> None:
    """Write what the audit log lacks.

    Args:
        journal: Where the decisions are.
        path: The audit log's file.
        who: Who decided.
        champion: Gives the version of a system that answers; asked where there is something to write.

    Raises:
        OSError: The log cannot be written; the next round tries again.
    """
    from mlstrata.audit import AuditLog

    log = AuditLog(path)
    for decision in journal.to_audit():
        log.append(entry_of(decision, who, champion(decision.system)))
        journal.audited(decision)


def entry_of(decision: Decision, who: str, champion: str | None) -> Entry:
    """Return the entry of a decision."""
    from mlstrata.audit import Entry, fitted

    undone = decision.kind in _UNDONE
    reason = fitted(decision.reason)
    return Entry(
        # Time and number: a journal that was removed counts from 1 again.
        id=f"learning/{decision.system}/{decision.at:.6f}/{decision.number}",
        when=datetime.fromtimestamp(decision.at, UTC),
        who=who,
        action=f"learning-{decision.kind.replace('_', '-')}",
        system=decision.system,
        version_from=champion,
        version_to=decision.version or "none",
        reason=reason,
        outcome="failed" if undone else "done",
        problem=reason if undone else None,
    )
