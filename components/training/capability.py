"""Training by a job, with tests before it: by command on this machine, by a CronJob on a cluster."""

from __future__ import annotations

from mlstrata.components.capability import ClusterBuilder, Declaration, LocalBuilder
from mlstrata.environments.stages import Capability

DECLARATIONS = (
    Declaration(
        Capability.TRAINING,
        provides=(Capability.TESTS,),
        # `mlstrata train` starts a process that ends with it.
        local=LocalBuilder(),
        kubernetes=ClusterBuilder(
            "mlstrata.components.training.kubernetes:build", after=(Capability.REGISTRY, Capability.TEAMS)
        ),
    ),
)
