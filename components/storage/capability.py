"""The store of objects, where an environment has one of its own; the registry keeps its files in it."""

from __future__ import annotations

from collections.abc import Iterator

from mlstrata.components.capability import ClusterBuilder, Declaration, LocalBuilder
from mlstrata.components.storage.names import PORTS, SERVICE
from mlstrata.environments import EnvironmentSpec, Workspace
from mlstrata.environments.spec.storage import S3Storage
from mlstrata.environments.stages import Capability


def _own(spec: EnvironmentSpec, workspace: Workspace) -> bool:
    from mlstrata.components.storage.stores import Stores

    return Stores(spec, workspace).own


def _problems(spec: EnvironmentSpec) -> Iterator[str]:
    storage = spec.storage
    if isinstance(storage, S3Storage) and storage.endpoint:
        for field, value in {"bucket": storage.bucket, "credentials": storage.credentials}.items():
            if not value:
                yield (
                    f"storage.{field}: got nothing; an endpoint of your own needs it (without storage.endpoint the "
                    "environment brings its own store, with its own keys)"
                )


DECLARATIONS = (
    Declaration(
        SERVICE,
        local=LocalBuilder(
            "mlstrata.components.storage.local:build",
            when=_own,
            problems=_problems,
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
