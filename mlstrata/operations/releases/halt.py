"""The kill switch (AI Act, Art. 14(4)(e)), and letting go of what was kept after a version was taken back."""

from __future__ import annotations

from datetime import UTC, datetime

from mlstrata.operations.releases import moves
from mlstrata.operations.releases.backend import Backend
from mlstrata.operations.releases.errors import RolloutError
from mlstrata.operations.releases.rollout import begun
from mlstrata.services.serving.releases import Releases
from mlstrata.services.serving.running import Moved, Stopped


def stop(backend: Backend, system: str, *, reason: str, decider: str) -> moves.Done:
    """Have the gateway refuse every request to a system, until somebody resumes it.

    Raises:
        RolloutError: nothing was ever released of it, or the gateway does not follow; it stays decided.
    """
    stopped = Stopped(when=datetime.now(UTC), who=decider, why=reason)
    return _switch(backend, system, "stop", {"stopped": stopped}, reason=reason, decider=decider)


def retire(backend: Backend, system: str, *, reason: str, decider: str) -> moves.Done:
    """Have the gateway say of a system that it is gone; one that is stopped already is retired all the same.

    Raises:
        RolloutError: nothing was ever released of it, or the gateway does not follow; it stays decided.
    """
    gone = Stopped(when=datetime.now(UTC), who=decider, why=reason, retired=True)
    return _switch(backend, system, "retire", {"stopped": gone}, reason=reason, decider=decider)


def resume(backend: Backend, system: str, *, reason: str, decider: str) -> moves.Done:
    """Have a stopped system answer again, as it did before.

    Raises:
        RolloutError: the gateway does not follow.
    """
    return _switch(backend, system, "resume", {"stopped": None}, reason=reason, decider=decider)


def _switch(
    backend: Backend, system: str, kind: Moved, update: dict[str, Stopped | None], *, reason: str, decider: str
) -> moves.Done:
    with begun(backend, system, "rollback") as rollout:
        before = rollout.before
        if _holds(before, kind):
            # Decided already; what died on its way is ended.
            return moves.finish(backend, rollout, system)
        told = moves.Told(kind, _about(system, before), decider, reason)
        return moves.carry_out(backend, rollout, system, before.model_copy(update=update), told)


def _holds(before: Releases, kind: Moved) -> bool:
    if kind == "resume":
        return before.stopped is None
    return before.stopped is not None and (before.stopped.retired or kind == "stop")


def let_go(backend: Backend, system: str, *, reason: str, decider: str) -> tuple[str, ...]:
    """Let go of the versions that were kept as they were when they were taken back; return them.

    Raises:
        RolloutError: it cannot be recorded.
    """
    with begun(backend, system, "release") as rollout:
        if not (held := rollout.before.held):
            return ()
        told = moves.Told("unhold", held[-1], decider, f"{reason} (versions {', '.join(held)})")
        moves.carry_out(backend, rollout, system, rollout.before.model_copy(update={"held": ()}), told)
        return held


def _about(system: str, before: Releases) -> str:
    if before.champion is None:
        raise RolloutError(f"{system}: no version answers, so there is nothing to stop")
    return before.champion
