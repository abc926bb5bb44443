"""How a rollout begins: the version passes the gates of a release, is loaded and tried, then gets its first traffic."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from mlstrata.environments import SystemSpec
from mlstrata.environments.spec.rollout import Strategy
from mlstrata.operations.releases import moves
from mlstrata.operations.releases.backend import Backend
from mlstrata.operations.releases.decision import Release
from mlstrata.operations.releases.errors import RolloutError
from mlstrata.operations.releases.progress import mended
from mlstrata.operations.releases.rollout import UNGATED, begun, judged
from mlstrata.services.serving.releases import Releases
from mlstrata.services.serving.running import Running


def begin(
    backend: Backend,
    system: SystemSpec,
    version: str | None = None,
    *,
    reason: str,
    decider: str | None = None,
    limits: SystemSpec | None = None,
    without_gates: bool = False,
) -> Release:
    """Try `version` of a system, or its latest, beside the champion, by the strategy that its file declares.

    It passes the same gates as a release and is loaded and tried before anybody is answered by it.

    Raises:
        RolloutError: it may not be released, another rollout runs, or nothing answers yet.
    """
    from mlstrata.services.rollout.plan import shares_of

    started = time.monotonic()
    mended(backend, system.name)
    with begun(backend, system.name, "release") as rollout:
        before = rollout.before
        candidate = backend.registry.candidate(system.name, version)
        champion, running = before.champion, before.rollout
        if running and running.candidate == candidate.version:
            return Release(
                system.name, candidate.version, champion, False, candidate.metrics, 0.0, rollout=running.strategy
            )
        _refuse_to_begin(system.name, before, candidate.version)
        candidate, vouched = judged(
            backend,
            system.name,
            candidate,
            limits=limits,
            without_gates=without_gates,
            own_code=system.model.brings_code,
        )
        candidate = rollout.prepare(candidate)
        now, strategy = datetime.now(UTC), system.rollout.strategy
        if strategy is Strategy.ALL_AT_ONCE:
            raise RolloutError(f"{system.name} declares no rollout: rollout.strategy is all_at_once")
        running = Running(
            strategy=strategy.value,
            candidate=candidate.version,
            share=shares_of(system)[0],
            begun=now,
            since=now,
            who=decider or backend.decider,
            why=reason if vouched else f"{UNGATED}: {reason}",
            metrics=candidate.metrics,
            digest=candidate.digest,
            own_code=candidate.own_code,
        )
        wanted = before.model_copy(
            update={
                "rollout": running,
                "challenger": candidate.version,
                "shadow": candidate.version if strategy is Strategy.SHADOW else None,
                "loaded": tuple(sorted({*before.loaded, candidate.version}, key=int)),
                "held": tuple(one for one in before.held if one != candidate.version),
            }
        )
        told = moves.Told(
            "rollout-begin", candidate.version, running.who, f"{strategy}: {running.why}", candidate.metrics, now
        )
        done = moves.carry_out(backend, rollout, system.name, wanted, told)
    return Release(
        system.name,
        candidate.version,
        champion,
        True,
        candidate.metrics,
        time.monotonic() - started,
        done.warnings,
        done.audit,
        strategy.value,
    )


def _refuse_to_begin(system: str, before: Releases, version: str) -> None:
    if before.champion is None:
        raise RolloutError(f"{system}: no version answers yet, so there is none to compare with; release the first")
    if version == before.champion:
        raise RolloutError(f"version {version} of {system} answers already")
    if before.rollout:
        tried = before.rollout.candidate
        raise RolloutError(f"{system}: version {tried} is being tried; promote it or abort it first")
