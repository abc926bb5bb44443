"""Decisions that put no other version in place: a rollout begins, goes on or is aborted, a system is stopped.

They take effect as a release does, by one rename. What takes back or stops is kept whatever fails after it; of anything
else an error undoes it. Whoever decides next mends what died on its way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mlstrata.clients.mlflow import RegistryError
from mlstrata.operations.releases.aliases import settle_aliases
from mlstrata.operations.releases.backend import Backend, Rollout
from mlstrata.operations.releases.errors import RolloutError
from mlstrata.operations.releases.journal import Journal, Kind
from mlstrata.services.serving.releases import Releases
from mlstrata.services.serving.running import Move, Moved

_SAFE = ("rollout-abort", "stop", "retire")
"""What is kept though the gateway does not follow yet: nobody is worse off by it."""


@dataclass(frozen=True)
class Told:
    """Who decides something, and why.

    Attributes:
        kind: What.
        version: The version that it is about.
        who: The person or job.
        why: The reason.
        metrics: What the decider could see.
        now: When.
    """

    kind: Moved
    version: str
    who: str
    why: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def opens(self) -> Kind:
        """Return how the parts are opened: what takes something back asks as little as a rollback does."""
        return "rollback" if self.kind in (*_SAFE, "resume") else "release"


@dataclass(frozen=True)
class Done:
    """What a decision came to.

    Attributes:
        releases: What holds now.
        changed: Whether there was anything to do.
        audit: The place and hash of its entry in the audit log; None: it is not recorded yet.
        warnings: What is left to mend, a sentence each.
    """

    releases: Releases
    changed: bool = True
    audit: str | None = None
    warnings: tuple[str, ...] = ()


def carry_out(backend: Backend, rollout: Rollout, system: str, wanted: Releases, told: Told) -> Done:
    """Have `wanted` hold, while the rollout's lock is held.

    Raises:
        RolloutError: it could not be recorded, or what serves does not follow.
    """
    before = rollout.before
    move = Move(
        kind=told.kind,
        when=told.now,
        who=told.who,
        why=told.why,
        from_=before.champion,
        to=told.version,
        metrics=dict(told.metrics),
    )
    journal = Journal(backend.audit_file, system, told.opens)
    journal.ready(told.why, told.who)
    backend.on_step("decide")
    journal.abandoned(before)
    after = wanted.model_copy(update={"moved": move, "settled": False})
    rollout.commit(after)
    return _finish(backend, rollout, system, after, journal)


def finish(backend: Backend, rollout: Rollout, system: str) -> Done:
    """Go on with the last decision, which died on its way, as if it had not.

    Raises:
        RolloutError: what serves does not follow.
    """
    after = rollout.before
    if after.settled or after.moved is None:
        return Done(after, changed=False)
    return _finish(backend, rollout, system, after, Journal(backend.audit_file, system, "rollback"))


def _finish(backend: Backend, rollout: Rollout, system: str, after: Releases, journal: Journal) -> Done:
    move = after.moved
    if move is None:
        return Done(after, changed=False)
    try:
        rollout.follow()
        backend.on_step("alias")
        late = [*_champion(backend, system, after), *settle_aliases(backend, system, rollout.before, after)]
        backend.on_step("audit")
        entry = journal.moved(move)
    except BaseException as error:
        if move.kind in _SAFE:
            if isinstance(error, RolloutError):
                raise RolloutError(
                    f"{move.kind} of {system} is decided and holds; {error}; run it once more"
                ) from error
        elif rollout.before != after:
            _undo(rollout)
        raise
    late += journal.late
    done = after.model_copy(update={"settled": not late})
    backend.on_step("settle")
    rollout.settle(done)
    return Done(done, audit=entry, warnings=(*late, *journal.warnings))


def _undo(rollout: Rollout) -> None:
    rollout.undo()


def _champion(backend: Backend, system: str, after: Releases) -> list[str]:
    try:
        backend.registry.set_champion(system, after.champion)
    except RegistryError as error:
        return [f"the registry's alias is not moved yet: {error}"]
    return []
