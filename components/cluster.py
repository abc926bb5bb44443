"""An environment's place on a cluster, and what each of its components does the same way there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from mlstrata.components.base import Component
from mlstrata.components.kubernetes_objects import Manifest, register
from mlstrata.components.secrets.pull import KEY as PULL
from mlstrata.components.workload.pods import Resources
from mlstrata.components.workload.sizes import PROFILES, Sizes
from mlstrata.environments.spec.sizing import Profile

PREFIX = "mlstrata.io"
RETAINED = f"{PREFIX}/retained"
"""Says that it stays when the stack goes: of the options of a resource a policy pack learns only its protection."""
TAKE_OVER = "pulumi.com/patchForce"
"""On what stays when its stack goes: the next stack sets the fields that the one before set, under another name."""
NOT_AWAITED = "pulumi.com/skipAwait"
"""On a claim: its class may bind it with its first pod alone, and the provider waits five minutes for one that is bound
already, as the claims that outlive their stack are. What uses the volume waits for it."""
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True)
class Ownership:
    """Who answers for an object, and who pays for it.

    Attributes:
        owner: An e-mail address; empty where nobody is named.
        cost_centre: The account; empty where there is none.
        system: The AI system that it belongs to; empty for the platform's own.
    """

    owner: str = ""
    cost_centre: str = ""
    system: str = ""


@dataclass(frozen=True)
class SecretReference:
    """A secret that something in the cluster reads and that no file or state holds.

    Attributes:
        namespace: Where it must be.
        name: Its name.
        keys: What it must hold.
        why: Who reads it, what for.
        optional: What it may hold besides, and what reads it does without.
    """

    namespace: str
    name: str
    keys: tuple[str, ...]
    why: str
    optional: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dns:
    """Where pods ask for names.

    Attributes:
        namespace: Of its pods.
        labels: Of its pods.
        port: Of its pods.
        cache: Address of a cache on each node; empty: there is none.
    """

    namespace: str = "kube-system"
    labels: Mapping[str, str] = field(default_factory=lambda: {"k8s-app": "kube-dns"})
    port: int = 53
    cache: str = ""


@dataclass(frozen=True)
class Cluster:
    """Where an environment lives on a cluster.

    Attributes:
        environment: Its name.
        namespace: The platform's namespace, and the prefix of the others.
        ownership: Who answers for the platform.
        images: Container image by what runs in it.
        storage_class: Class of volumes; None: the cluster's default one.
        monitoring: The namespace of Prometheus.
        watched: The environment has the operator that knows what to scrape by objects of its own kinds.
        sizes: What its services ask for.
        pull_secret: Secret with the access to the registry of our images and the systems'; empty: nodes have it.
        dns: Where its pods ask for names.
        fixed_users: Pods say which user they run as; else the cluster gives them one.
        needed: The secrets that its components refer to, filled as they are made.
    """

    environment: str
    namespace: str
    ownership: Ownership
    images: Mapping[str, str]
    storage_class: str | None = None
    monitoring: str = "monitoring"
    watched: bool = True
    sizes: Sizes = PROFILES[Profile.STANDARD]
    pull_secret: str = ""
    dns: Dns = field(default_factory=Dns)
    fixed_users: bool = True
    needed: list[SecretReference] = field(default_factory=list, compare=False)

    def size(self, service: str) -> Resources:
        """Return what a service of the platform asks for, by its name in the file's `resources`."""
        return self.sizes.of[service]

    def image(self, name: str) -> str:
        """Return the image of what is called `name`.

        Raises:
            KeyError: The bill of materials has none.
        """
        return self.images[name]


class ClusterComponent(Component):
    """A component made of Kubernetes objects."""

    def __init__(
        self,
        module: str,
        name: str,
        cluster: Cluster,
        opts: pulumi.ResourceOptions | None,
        *,
        ownership: Ownership | None = None,
        **inputs: object,
    ) -> None:
        super().__init__(module, name, inputs, opts)
        self.name, self.cluster, self.ownership = name, cluster, ownership or cluster.ownership

    def watch(self, monitor: Manifest, *, after: Sequence[pulumi.Resource] = ()) -> None:
        """Have Prometheus scrape it; without its operator a cluster does not know the kind, and refuses it."""
        if self.cluster.watched:
            self.add("monitor", monitor, after=after)

    def add(
        self,
        role: str,
        manifest: Manifest,
        *,
        part: str = "",
        after: Sequence[pulumi.Resource] = (),
        keep: bool = False,
        ignore: Sequence[str] = (),
    ) -> pulumi.CustomResource:
        """Declare an object as `<name>-<role>`, with the labels that join it to system, owner and cost.

        Args:
            role: What it is to the component.
            manifest: The object.
            part: The part that it plays, as policies know them; empty for none.
            after: What must be there first.
            keep: It stays in the cluster when the stack goes.
            ignore: Paths of fields that something else changes later, a rollout or an autoscaler.
        """
        opts = pulumi.ResourceOptions(
            parent=self, depends_on=list(after), retain_on_delete=keep or None, ignore_changes=list(ignore) or None
        )
        made = self.labelled(manifest if self.cluster.fixed_users else without_users(manifest), part)
        told = {TAKE_OVER: "true", RETAINED: "true"} if keep else {}
        if made["kind"] == "PersistentVolumeClaim":
            told[NOT_AWAITED] = "true"
        if told:
            metadata = made["metadata"]
            made["metadata"] = {**metadata, "annotations": {**metadata.get("annotations", {}), **told}}
        return register(f"{self.name}-{role}" if role else self.name, made, opts)

    def labelled(self, manifest: Manifest, part: str = "") -> dict[str, Any]:
        """Return the manifest with the environment's labels beneath its own."""
        metadata = dict(manifest["metadata"])
        labels, annotations = identity(self.cluster, self.ownership, part)
        metadata["labels"] = {**labels, **metadata.get("labels", {})}
        if annotations := {**annotations, **metadata.get("annotations", {})}:
            metadata["annotations"] = annotations
        return {**manifest, "metadata": metadata}

    def needs(self, namespace: str, name: str, keys: Sequence[str], why: str, *, optional: Sequence[str] = ()) -> str:
        """Record that a secret is read; return its name."""
        self.cluster.needed.append(SecretReference(namespace, name, tuple(keys), why, tuple(optional)))
        return name

    def pulls(self, namespace: str) -> tuple[str, ...]:
        """Return the secret with which pods of a namespace pull our images, and record it; none: they need none."""
        secret = self.cluster.pull_secret
        return (
            (self.needs(namespace, secret, (PULL,), "the registry of the images of ours and of systems"),)
            if secret
            else ()
        )


_USERS = frozenset({"fsGroup", "runAsGroup", "runAsUser"})


def without_users(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest whose pods name no user and no group, for a cluster that gives each namespace its own."""

    def told(value: Any) -> Any:
        if isinstance(value, list):
            return [told(one) for one in value]
        if not isinstance(value, dict):
            return value
        return {
            key: {name: one for name, one in inner.items() if name not in _USERS}
            if key == "securityContext" and isinstance(inner, dict)
            else told(inner)
            for key, inner in value.items()
        }

    return {key: told(value) for key, value in manifest.items()}


def identity(cluster: Cluster, ownership: Ownership, part: str = "") -> tuple[dict[str, str], dict[str, str]]:
    """Return the labels and annotations that say whose an object is; what is no label value is an annotation."""
    labels = {
        "app.kubernetes.io/part-of": "mlstrata",
        f"{PREFIX}/environment": cluster.environment,
        f"{PREFIX}/system": ownership.system,
        f"{PREFIX}/part": part,
        f"{PREFIX}/cost-centre": ownership.cost_centre,
    }
    annotations = {f"{PREFIX}/owner": ownership.owner}
    moved = {key: value for key, value in labels.items() if value and not _LABEL.fullmatch(value)}
    return (
        {key: value for key, value in labels.items() if value and key not in moved},
        {key: value for key, value in {**annotations, **moved}.items() if value},
    )
