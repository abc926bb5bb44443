"""The store of objects, where an environment has one of its own; the registry keeps its files in it."""

from __future__ import annotations

from mlstrata.components.capability import ClusterBuilder, Declaration, LocalBuilder
from mlstrata.environments import EnvironmentSpec, Workspace
from mlstrata.environments.stages import Capability

SERVICE = "storage"
PORTS = ("s3", "s3_grpc", "master", "master_grpc", "volume", "volume_grpc", "filer", "filer_grpc", "metrics")


def _own(spec: EnvironmentSpec, workspace: Workspace) -> bool:
    from mlstrata.components.storage.stores import Stores

    return Stores(spec, workspace).own


DECLARATIONS = (
    Declaration(
        SERVICE,
        local=LocalBuilder(
            "mlstrata.components.storage.local:build",
            when=_own,
            ports={SERVICE: PORTS},
            programs=("python", "weed"),
        ),
        kubernetes=ClusterBuilder(
            "mlstrata.components.storage.kubernetes:build", after=(Capability.ALERTS,), upstream="seaweedfs"
        ),
    ),
    # The stores that a cloud's substrate makes are encrypted with the account's own key.
    Declaration(Capability.ENCRYPTION, aws=ClusterBuilder()),
)
