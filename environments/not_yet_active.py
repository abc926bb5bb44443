"""What a file declares and its capabilities do not act on yet, so that nothing is ignored in silence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mlstrata.environments.loading.shape import Key
from mlstrata.environments.redaction import path_of
from mlstrata.environments.spec.environment import EnvironmentSpec
from mlstrata.environments.spec.recording import RecordingSpec
from mlstrata.environments.spec.rollout import Strategy
from mlstrata.environments.spec.serving import ServingMode
from mlstrata.environments.spec.system import SystemSpec
from mlstrata.environments.stages import Capability, stage_of


@dataclass(frozen=True)
class Dormant:
    """A declaration that waits for a capability.

    Attributes:
        path: where it is declared.
        capability: what would act on it.
        until_then: what happens instead.
    """

    path: tuple[Key, ...]
    capability: str
    until_then: str

    def __str__(self) -> str:
        stage = stage_of(self.capability)
        brings = f"stage {stage} brings it" if stage else "switch it on in capabilities.on"
        waits = f"waits for the capability '{self.capability}' ({brings})"
        return f"{path_of(self.path)}: {waits}; until then {self.until_then}"


def dormant(spec: EnvironmentSpec) -> tuple[Dormant, ...]:
    """Return everything in `spec` that is declared and not acted on, in the order of the file."""
    return tuple(
        Dormant(("systems", index, *path), capability, until_then)
        for index, system in enumerate(spec.systems)
        for declared, path, capability, until_then in _declared(system)
        if declared and capability not in spec.capabilities
    )


def untrained(spec: EnvironmentSpec) -> tuple[str, ...]:
    """Return why each system that nothing trains is not trained, in the order of the file."""
    return tuple(
        f"{path_of(('systems', index, 'model'))}: nothing trains it: {reason}"
        for index, system in enumerate(spec.systems)
        if (reason := system.untrainable())
    )


def _declared(system: SystemSpec) -> Iterator[tuple[bool, tuple[Key, ...], Capability, str]]:
    """Yield (is it declared, where, what acts on it, what happens without)."""
    model, serving, rollout = system.model, system.serving, system.rollout
    batch = serving.mode is ServingMode.BATCH
    yield (
        model.features is not None,
        ("model", "features"),
        Capability.FEATURE_STORE,
        "the dataset's own columns are used",
    )
    yield model.schedule is not None, ("model", "schedule"), Capability.PIPELINES, "training starts on request"
    yield not batch, ("serving", "mode"), Capability.SERVING, "nothing answers for it"
    yield batch, ("serving", "mode"), Capability.BATCH, "nothing scores for it"
    yield serving.fallback is not None, ("serving", "fallback"), Capability.FALLBACK, "unsure answers stand"
    yield serving.explain is not None, ("serving", "explain"), Capability.EXPLANATION, "predictions come unexplained"
    moves = rollout.strategy not in {Strategy.ALL_AT_ONCE, Strategy.BANDIT}
    by_hand = "a person releases, all at once"
    yield moves, ("rollout", "strategy"), Capability.ROLLOUT, by_hand
    yield rollout.strategy is Strategy.BANDIT, ("rollout", "strategy"), Capability.BANDIT, by_hand
    yield (
        system.monitor.fairness is not None,
        ("monitor", "fairness"),
        Capability.FAIRNESS,
        "it is not measured live",
    )
    yield (
        system.recording != RecordingSpec(),
        ("recording",),
        Capability.RECORDING,
        "predictions are not kept",
    )
    yield bool(system.retrain.on), ("retrain", "on"), Capability.RETRAINING, "a person starts each training"
    yield (
        system.retire.date is not None,
        ("retire", "date"),
        Capability.RETIREMENT,
        "it goes by hand",
    )
