"""Which of an environment's capabilities its file really uses."""

from __future__ import annotations

from collections.abc import Iterator

from mlstrata.environments.spec.environment import EnvironmentSpec
from mlstrata.environments.spec.rollout import Strategy
from mlstrata.environments.spec.serving import ServingMode
from mlstrata.environments.spec.system import SystemSpec
from mlstrata.environments.stages import ENTRIES, Capability, capabilities_of


def used_capabilities(spec: EnvironmentSpec) -> frozenset[str]:
    """Return the capabilities that an environment takes resources for.

    What its stage brings on demand is among them only where the file asks for it; what a system declares and the stage
    does not have yet waits for it, and is no use of it.
    """
    asked: set[str] = {one for system in spec.systems for one in _asked(system)}
    asked |= spec.capabilities - capabilities_of(spec.stage)
    return frozenset(one for one in spec.capabilities if one in asked or not ENTRIES[one].on_demand)


def _asked(system: SystemSpec) -> Iterator[Capability]:
    """Yield the on-demand capabilities that a system's own declaration uses."""
    settings = system.model.settings
    yield Capability.SERVING if system.serving.mode is ServingMode.REALTIME else Capability.BATCH
    if system.model.features is not None:
        yield Capability.FEATURE_STORE
    if settings.get("search"):
        yield Capability.TUNING
    if settings.get("workers", 1) != 1:
        yield Capability.DISTRIBUTED_TRAINING
    if system.rollout.strategy is Strategy.BANDIT:
        yield Capability.BANDIT
