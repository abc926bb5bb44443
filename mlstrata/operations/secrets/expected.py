"""Which secrets an environment expects on its cluster: where, what is in them, what for, and who makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mlstrata.environments.spec.storage import S3Storage
from mlstrata.environments.spec.target import KubernetesTarget
from mlstrata.environments.stages import Capability

if TYPE_CHECKING:
    from mlstrata.environments import EnvironmentSpec
    from mlstrata.operations.deployment import Deployment


class Origin(StrEnum):
    """Axis: where a value comes from."""

    GENERATED = "generated"
    FIXED = "fixed"
    ASKED = "asked"
    FILE = "file"
    REGISTRY = "registry"
    KEYS = "token --keys"


@dataclass(frozen=True)
class Entry:
    """One key of a secret.

    Attributes:
        key: Its name.
        origin: Where its value comes from.
        fixed: The value that is no secret; empty unless the origin is fixed.
        optional: What reads the secret does without it.
    """

    key: str
    origin: Origin
    fixed: str = ""
    optional: bool = False


@dataclass(frozen=True)
class Expected:
    """One secret, or the ConfigMap of public keys.

    Attributes:
        namespace: Where it must be.
        name: Its name.
        kind: Secret or ConfigMap.
        entries: What is in it.
        why: Who reads it, what for.
        maker: Who makes it: the script, External Secrets or `mlstrata token`.
    """

    namespace: str
    name: str
    kind: str
    entries: tuple[Entry, ...]
    why: tuple[str, ...]
    maker: str

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {**asdict(self), "entries": [asdict(one) for one in self.entries], "why": list(self.why)}


@dataclass(frozen=True)
class Secrets:
    """The secrets of an environment.

    Attributes:
        environment: Its name.
        context: The kubeconfig's context of its cluster.
        expected: They, by namespace and name.
        stored: External Secrets takes them from a store, as the file says.
    """

    environment: str
    context: str
    expected: tuple[Expected, ...]
    stored: bool


def secrets_of(deployment: Deployment) -> Secrets:
    """Return the secrets that an environment expects, by its offline plan.

    Raises:
        UsageError: the environment is not on a cluster.
    """
    return expected(deployment.spec, deployment.target.objects().outputs)


def expected(spec: EnvironmentSpec, outputs: Mapping[str, Any]) -> Secrets:
    """Return the secrets among a stack's outputs, each with who makes it.

    Args:
        spec: The environment.
        outputs: What its plan exports.
    """
    stored = Capability.SECRETS in spec.capabilities
    found = tuple(_expected(one, spec, stored=stored) for one in outputs["references"])
    return Secrets(spec.name, str(outputs["context"]), found, stored)


def _expected(one: Mapping[str, Any], spec: EnvironmentSpec, *, stored: bool) -> Expected:
    from mlstrata.components.gateway.system_route import KEYS

    public = one["name"] == KEYS
    maker = f"mlstrata token {spec.name} --keys" if public else f"mlstrata secrets {spec.name} --script"
    if stored and not public:
        maker = f"External Secrets, from {spec.name}/{one['name']} of the store"
    entries = tuple(
        _entry(str(one["name"]), str(key), spec, optional=optional)
        for optional, keys in ((False, one["keys"]), (True, one["optional"]))
        for key in keys
    )
    kind = "ConfigMap" if public else "Secret"
    return Expected(str(one["namespace"]), str(one["name"]), kind, entries, tuple(map(str, one["why"])), maker)


def _entry(secret: str, key: str, spec: EnvironmentSpec, *, optional: bool) -> Entry:
    """Return where the value of a key comes from; what nothing is known of is asked."""
    from mlstrata.clients.mlflow.access import SEAL
    from mlstrata.components.catalog.kubernetes import ACCESS as CATALOG
    from mlstrata.components.features.kubernetes import STORES
    from mlstrata.components.gateway.system_route import KEYS
    from mlstrata.components.monitor import names as monitor
    from mlstrata.components.monitoring.kubernetes import GRAFANA_ADMIN
    from mlstrata.components.recording import names as recorder
    from mlstrata.components.registry.names import ACCESS
    from mlstrata.components.secrets.pull import KEY as PULL
    from mlstrata.components.storage.objects import ObjectStore

    if secret == GRAFANA_ADMIN and key == "admin-user":
        return Entry(key, Origin.FIXED, fixed="admin", optional=optional)
    generated = {(ACCESS, "password"), (ACCESS, SEAL), (CATALOG, "token"), (GRAFANA_ADMIN, "admin-password")}
    generated |= {(recorder.ACCESS, one) for one in recorder.ACCESS_KEYS}
    generated |= {(recorder.APPEND, one) for one in recorder.APPEND_KEYS}
    generated |= {(monitor.ACCESS, one) for one in monitor.ACCESS_KEYS}
    if _own_store(spec):
        # A store of the cluster's own knows its one user by this secret; keys of another service are its owner's.
        generated |= {(ObjectStore.secret, one) for one in ObjectStore.keys}
    if (secret, key) in generated:
        return Entry(key, Origin.GENERATED, optional=optional)
    origin = {KEYS: Origin.KEYS, STORES: Origin.FILE}.get(secret, Origin.ASKED)
    return Entry(key, Origin.REGISTRY if key == PULL else origin, optional=optional)


def _own_store(spec: EnvironmentSpec) -> bool:
    kubernetes = isinstance(spec.target, KubernetesTarget)
    return kubernetes and isinstance(spec.storage, S3Storage) and not spec.storage.endpoint
