"""Serving: what answers requests for predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mlstrata.components.capability import ClusterBuilder, Declaration, LocalBuilder
from mlstrata.environments import EnvironmentSpec, SystemSpec
from mlstrata.environments.spec.outputs import Answer
from mlstrata.environments.spec.rollout import Strategy
from mlstrata.environments.spec.serving import ExplainMethod, ServingMode
from mlstrata.environments.spec.tasks import Task
from mlstrata.environments.stages import Capability

MOST_COPIES = 8
"""Prediction processes of one system on one machine."""


def _ports(spec: EnvironmentSpec) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    from mlstrata.components.serving.outputs import copies, serving_name

    return {
        system.name: {serving_name(system.name, number): ("http", "grpc", "metrics") for number in copies(system)}
        for system in spec.systems
        if system.serving.mode is ServingMode.REALTIME
    }


def _implausible(spec: EnvironmentSpec) -> Iterator[str]:
    for at, system in enumerate(spec.systems):
        for name in _probabilities(system):
            low, high = system.monitor.range.get(name, (0.0, 1.0))
            if not 0 <= low < high <= 1:
                yield f"systems[{at}].monitor.range.{name}: got [{low}, {high}]; allowed: within [0, 1]"


def _probabilities(system: SystemSpec) -> list[str]:
    """Return what `monitor.range` calls the answers that are probabilities."""
    if system.model.outputs:
        return [one.name for one in system.model.outputs if one.task is Answer.CLASSIFICATION]
    return [system.model.task.output] if system.model.task is Task.CLASSIFICATION else []


def _unexplainable(spec: EnvironmentSpec) -> Iterator[str]:
    for at, system in enumerate(spec.systems):
        explain = system.serving.explain
        if Capability.EXPLANATION in spec.capabilities and explain and explain.method is not ExplainMethod.SHAP:
            yield f"systems[{at}].serving.explain.method: got {explain.method}; allowed: shap"


def _local_problems(spec: EnvironmentSpec) -> Iterator[str]:
    yield from _implausible(spec)
    yield from _unexplainable(spec)
    for at, system in enumerate(spec.systems):
        if (copies := system.serving.replicas.min) > MOST_COPIES:
            yield (
                f"systems[{at}].serving.replicas.min: got {copies}; on one machine, where each copy holds the model "
                f"again, allowed: at most {MOST_COPIES}"
            )


def _rollout_problems(spec: EnvironmentSpec) -> Iterator[str]:
    for at, system in enumerate(spec.systems):
        where, strategy = f"systems[{at}].rollout.strategy", system.rollout.strategy
        if strategy is Strategy.ALL_AT_ONCE:
            continue
        if system.serving.mode is ServingMode.BATCH:
            yield f"{where}: got {strategy}; a batch system answers no requests to share out, allowed: all_at_once"
        elif Capability.RECORDING not in spec.capabilities:
            yield (
                f"{where}: got {strategy}; its figures come from recorded predictions: switch on the capability "
                "recording, allowed without: all_at_once"
            )


DECLARATIONS = (
    Declaration(
        Capability.SERVING,
        provides=(Capability.PLAUSIBILITY,),
        local=LocalBuilder(
            "mlstrata.components.serving.local:build",
            # The recorder's token and the key of pseudonyms lie there before anything is predicted.
            after=(Capability.REGISTRY, Capability.RECORDING),
            problems=_local_problems,
            programs=("mlserver", "python"),
            system_ports=_ports,
        ),
        kubernetes=ClusterBuilder(
            "mlstrata.components.serving.kubernetes:build",
            after=(Capability.ALERTS, Capability.REGISTRY, Capability.GATEWAY, Capability.TEAMS, Capability.RECORDING),
            problems=_implausible,
        ),
    ),
    Declaration(
        Capability.ROLLOUT,
        # Nothing of its own runs: the gateway's routes and the releases are where it happens.
        local=LocalBuilder(problems=_rollout_problems),
    ),
    # Shares of the traffic from rewards: on this machine a strategy like the others, without a graph of its own.
    Declaration(Capability.BANDIT, local=LocalBuilder()),
    # Both are the prediction process's own; where the file asks for neither, nothing is different.
    Declaration(
        Capability.EXPLANATION,
        local=LocalBuilder(after=(Capability.SERVING,)),
        kubernetes=ClusterBuilder(after=(Capability.SERVING,), problems=_unexplainable),
    ),
    Declaration(
        Capability.FALLBACK,
        local=LocalBuilder(after=(Capability.SERVING,)),
        kubernetes=ClusterBuilder(after=(Capability.SERVING,)),
    ),
)
