"""What the platform of an environment on a cluster stands on: given by its file, or by its cloud's substrate."""

from __future__ import annotations

from dataclasses import replace

from mlstrata.components.cluster import Dns
from mlstrata.components.cluster_inputs import ClusterInputs
from mlstrata.components.database.args import Server
from mlstrata.components.errors import PlanError
from mlstrata.components.gateway import balancer
from mlstrata.components.gpu.args import AwsNodes
from mlstrata.components.naming.forms import PLATFORM
from mlstrata.components.network_policies import Peer
from mlstrata.components.storage.kubernetes import store_in
from mlstrata.components.storage.objects import ObjectStore
from mlstrata.environments import EnvironmentSpec, Workspace
from mlstrata.environments.spec.storage import S3Storage
from mlstrata.environments.spec.target import AwsTarget, KubernetesTarget
from mlstrata.stacks import providers
from mlstrata.stacks.substrate import SubstrateOutputs, outputs

DATABASE = "database"
"""Secret of a Postgres that is not made here: username, password, uri."""


def of(spec: EnvironmentSpec, workspace: Workspace) -> ClusterInputs:
    """Return what an environment's platform stands on.

    Raises:
        PlanError: its substrate is not there, or lacks something that the file asks for.
    """
    assert isinstance(spec.storage, S3Storage)  # noqa: S101 - the file's own check refuses another
    target = spec.target
    if isinstance(target, AwsTarget):
        return _aws(spec, target, spec.storage, outputs(spec, workspace))
    assert isinstance(target, KubernetesTarget)  # noqa: S101 - the caller chose by the target's kind
    own, named = target.database, ObjectStore.of(spec.storage, spec.name, target.region)
    return ClusterInputs(
        context=target.context,
        namespace=target.namespace,
        storage_class=target.storage_class,
        store=named if named.endpoint else store_in(target.namespace, named.bucket),
        database=Server(own.host, DATABASE, (_network(own.network),), own.port) if own else None,
        provider=lambda: providers.kubernetes(target),
        balancer=balancer.declared(target.load_balancer),
        dns=Dns(target.dns.namespace, target.dns.labels, target.dns.port, target.dns.cache or ""),
        fixed_users=target.fixed_users,
    )


def _aws(spec: EnvironmentSpec, target: AwsTarget, storage: S3Storage, found: SubstrateOutputs) -> ClusterInputs:
    problems = [
        f"gpu_pools[{at}].nodes.min: got {pool.nodes.min}, but the substrate has no node group for '{pool.name}'; "
        "deploy it again, or set 0"
        for at, pool in enumerate(spec.gpu_pools)
        if pool.nodes.min and pool.name not in found.nodes.groups
    ]
    if storage.bucket and storage.bucket != found.store.bucket:
        problems.append(
            f"storage.bucket: got {storage.bucket}, but the substrate's is {found.store.bucket}; leave it out"
        )
    if problems:
        raise PlanError(problems)
    store = replace(ObjectStore.of(storage, spec.name, found.region), bucket=found.store.bucket, role=found.store.role)
    database = Server(found.database.host, DATABASE, (_network(found.network),), found.database.port)
    made = found.nodes
    return ClusterInputs(
        context=found.cluster.name,
        namespace=PLATFORM,
        storage_class=found.storage_class,
        store=store,
        database=database,
        provider=lambda: providers.eks(found),
        online=Server(found.online.host, DATABASE, (_network(found.network),), found.online.port)
        if found.online
        else None,
        features=replace(store, role=found.store.features_role),
        balancer=balancer.aws(made.subnets, internet=target.open_to == "internet"),
        nodes=AwsNodes(found.cluster.name, made.role, made.image, made.subnets, made.security_groups),
        kept=made.groups,
        values={
            "karpenter": {
                "settings": {"clusterName": found.cluster.name, "interruptionQueue": found.karpenter.queue},
            },
        },
        # Another stack has the bucket's key and the lock: one that is judged alone is told of them.
        ground={"storage_key": found.store.key, "documents_days": found.documents.days},
        secrets_region=found.region,
    )


def _network(cidr: str) -> Peer:
    return {"ipBlock": {"cidr": cidr}}
