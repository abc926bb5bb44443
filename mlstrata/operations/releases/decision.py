"""What releases and rollbacks decide, whatever they are carried out on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from mlstrata.clients.mlflow import Candidate
from mlstrata.operations.releases.errors import RolloutError
from mlstrata.operations.releases.journal import Kind
from mlstrata.services.serving.releases import HistoryEntry, Releases


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
        rollout: how `version` is tried beside `previous`, which goes on answering; empty: it serves all.
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
    rollout: str = ""


def rollback_target(releases: Releases, system: str, to: str | None) -> str:
    """Return the version to go back to: `to`, or the one before the champion.

    Raises:
        RolloutError: it never served, or there is none.
    """
    last = releases.history[-1] if releases.history else None
    if last and last.kind == "rollback" and not releases.settled and to in (None, last.to):
        # The same rollback, which died on its way: going on with it, not one version further back.
        return last.to
    served = {entry.to for entry in releases.history}
    if to is None:
        if (before := releases.before_champion()) is None:
            raise RolloutError(f"{system} has no version before {releases.champion or 'the first'} to go back to")
        return before
    if to not in served:
        known = ", ".join(sorted(served, key=int)) or "none"
        raise RolloutError(f"version: got {to!r}; {system} can go back to what it served: {known}")
    return to


def decided(before: Releases, kind: Kind, candidate: Candidate, reason: str, decider: str) -> Releases:
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
            digest=candidate.digest,
            own_code=candidate.own_code,
        )
        history = (*history, entry)
    after = before.model_copy(update={"champion": version, "history": history, "settled": False, "moved": None})
    held = [one for one in before.held if one != version]
    if kind == "rollback":
        # Whoever looks into why it was taken back must find it as it was (AI Act, Art. 73(6)).
        held += [one for one in (previous, before.challenger, before.shadow) if one and one != version]
    after = after.model_copy(update={"held": tuple(sorted(set(held), key=int))})
    if kind == "rollback" or version != previous:
        after = after.model_copy(update={"rollout": None, "challenger": None, "shadow": None})
    # The version that serves until the routes follow, and the one to go back to, stay in memory.
    wanted = (version, previous, after.before_champion(), before.challenger, before.shadow)
    # A version from further back may have been pruned meanwhile: what is not at hand must not be promised.
    loaded = sorted({one for one in wanted if one in {version, *before.loaded}}, key=int)
    return after.model_copy(update={"loaded": tuple(loaded)})
