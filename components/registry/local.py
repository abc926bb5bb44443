"""The registry on this machine: an MLflow server over SQLite and a folder of artifacts."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from mlstrata.clients.mlflow.access import PASSWORD_FILE, SEAL_FILE
from mlstrata.clients.mlflow.access import of as access_of
from mlstrata.components.local_host import LocalComponent, loopback, text
from mlstrata.components.local_site import LocalSite
from mlstrata.components.monitoring.scraping import watched
from mlstrata.components.registry.args import RegistryArgs
from mlstrata.components.registry.outputs import RegistryOutputs
from mlstrata.components.storage.outputs import StorageOutputs
from mlstrata.components.storage.stores import Stores
from mlstrata.components.supervision.credential import Credential
from mlstrata.components.supervision.service import File
from mlstrata_steps.seal import KEY

SERVICE = "mlflow"
DATABASE = "data/mlflow/mlflow.db"
"""Its tables, from the environment's home."""


class Registry(LocalComponent):
    """Tracking, model versions with lineage, artifacts.

    Attributes:
        uri: The address that MLflow's clients take.
        access: The variables with which they say who they are; secret.
        sealing: The same, and the one with which what makes versions seals them; secret.
    """

    def __init__(self, name: str, args: RegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("registry", name, args.host, opts)
        home, binaries = args.host.home, args.host.binaries
        self.uri = loopback(args.port)
        password = Credential(f"{SERVICE}-password", kind="token", opts=self.child()).secret
        self.access = password.apply(access_of)
        # Out of the registry, so that who has its password alone cannot say that the platform made a version.
        seal = Credential("seal-key", kind="token", opts=self.child()).secret
        self.sealing = pulumi.Output.all(self.access, seal).apply(lambda both: {**both[0], KEY: both[1]})
        self.run(
            SERVICE,
            health=loopback(args.port, "/health"),
            ports={SERVICE: args.port},
            command=[
                *(str(binaries["python"]), "-m", "mlstrata.services.registry", str(home / DATABASE)),
                *("--host", "127.0.0.1", "--port", text(args.port)),
                *("--artifacts-destination", args.artifacts),
                *("--metrics", f"{home}/run/mlflow-metrics"),
                *("--password-file", str(home / PASSWORD_FILE)),
            ],
            files={PASSWORD_FILE: File(password), SEAL_FILE: File(seal, restart=False)},
            environment=pulumi.Output.from_input(args.access).apply(_environment),
            after=args.after,
            folders=("data/mlflow", "run/mlflow-metrics"),
            stop_seconds=15,
        )
        watched(self, SERVICE, args.port)
        self.register_outputs({"uri": self.uri})


def _environment(access: Mapping[str, str]) -> dict[str, str]:
    return {
        **access,
        # Without its job runner it is one process rather than nine, and less than half the memory.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def build(site: LocalSite) -> RegistryOutputs:
    """Build the registry over the environment's stores."""
    stores, own = Stores(site.spec, site.workspace), site.find(StorageOutputs)
    args = RegistryArgs(
        site.host,
        site.ports[SERVICE].port(SERVICE),
        stores.uri,
        access=stores.access(own.endpoint if own else ""),
        after=own.ready if own else (),
    )
    registry = Registry("registry", args)
    return RegistryOutputs(registry.uri, registry.access, registry.sealing)
