"""The substrate of an environment in an AWS account: what its platform stands on, a stack of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import pulumi

from mlstrata.components.aws.account import Account
from mlstrata.components.aws.balancer import controller
from mlstrata.components.aws.buckets import BucketArgs, ClosedBucket, days
from mlstrata.components.aws.budget import Budget, BudgetArgs
from mlstrata.components.aws.cache import PORT as CACHE_PORT
from mlstrata.components.aws.cache import OnlineStore, OnlineStoreArgs
from mlstrata.components.aws.cluster import STORAGE_CLASS, ControlPlane, ControlPlaneArgs
from mlstrata.components.aws.database import PORT, Database, DatabaseArgs
from mlstrata.components.aws.images import Images, ImagesArgs
from mlstrata.components.aws.karpenter import KARPENTER, Karpenter, KarpenterArgs
from mlstrata.components.aws.keys import CLUSTER, DATA, LOGS, Keys
from mlstrata.components.aws.logs import Logs, LogsArgs
from mlstrata.components.aws.network import Network, NetworkArgs
from mlstrata.components.aws.nodes import Nodes, NodesArgs
from mlstrata.components.aws.substrate import Substrate, SubstrateArgs
from mlstrata.components.aws.workloads import SECRETS, Workloads, WorkloadsArgs, workloads
from mlstrata.components.governance.environment import EnvironmentArgs
from mlstrata.environments import EnvironmentSpec
from mlstrata.environments.spec.storage import S3Storage
from mlstrata.environments.spec.target import AwsTarget


@dataclass(frozen=True)
class SubstrateEnvironment:
    """What a substrate's stack exports: the form of `mlstrata.stacks.substrate.SubstrateOutputs`."""

    outputs: dict[str, Any]

    def exported(self) -> dict[str, object]:
        """Return the stack outputs by name."""
        return dict(self.outputs)


def build(spec: EnvironmentSpec, target: AwsTarget) -> SubstrateEnvironment:
    """Register the resources of an environment's substrate."""
    account = Account.of(spec, target)
    opts = pulumi.ResourceOptions(providers=[_provider(target)])
    keys = Keys("keys", account, opts).by_use
    data = keys[DATA].arn
    network = Network(
        "network", NetworkArgs(account, target.network, target.zones, _nat(spec, target), _open(target)), opts
    )
    store = _store(spec, account, data, opts)
    documents = _documents(spec, account, data, opts)
    logs = Logs(
        "logs",
        LogsArgs(
            account, account.name(), network.id, keys[LOGS].arn, spec.retention.logs, (store.named, documents.named)
        ),
        opts,
    )
    plane = ControlPlane(
        "cluster", ControlPlaneArgs(account, target, network.private, keys[CLUSTER].arn, logs.ready), opts
    )
    nodes = Nodes("nodes", NodesArgs(account, plane.cluster, network.private, target.nodes, spec.gpu_pools), opts)
    karpenter = Karpenter("karpenter", KarpenterArgs(account, plane.cluster), opts)
    found = (*workloads(spec, account, store.named), controller(account))
    Workloads("workloads", WorkloadsArgs(account, plane.cluster, found), opts)
    database = Database(
        "database",
        DatabaseArgs(account, target.database, network.id, network.data, plane.group, data, logs.ready),
        opts,
    )
    online: dict[str, Any] = {}
    if target.online_store is not None:
        args = OnlineStoreArgs(account, target.online_store, network.id, network.data, plane.group, data)
        online = {"online": {"host": OnlineStore("online", args, opts).host, "port": CACHE_PORT}}
    Images("images", ImagesArgs(account, [one.name for one in spec.systems], data), opts)
    if target.budget is not None and spec.owner:
        Budget("budget", BudgetArgs(account, target.budget, spec.owner), opts)
    fixed = spec.model_dump(mode="json", include={"name", "target", "storage"})
    Substrate("substrate", SubstrateArgs(fixed, EnvironmentArgs.of(spec).facts), opts)
    return SubstrateEnvironment(
        {
            "account": account.number,
            "region": account.region,
            "network": target.network,
            "cluster": {
                "name": plane.cluster.name,
                "endpoint": plane.cluster.endpoint,
                "authority": plane.cluster.certificate_authority.data,
            },
            "nodes": {
                "role": nodes.role,
                "image": target.image,
                "subnets": network.private,
                "security_groups": [plane.group],
                "groups": nodes.groups,
            },
            "karpenter": {"role": account.role_arn(KARPENTER), "queue": karpenter.queue},
            "store": {
                "bucket": store.named,
                "key": data,
                "role": account.role_arn("registry"),
                "features_role": account.role_arn("features"),
            },
            "documents": {"bucket": documents.named, "days": days(spec.retention.documents)},
            "database": {"host": database.host, "port": PORT},
            **online,
            "secrets_role": account.role_arn(SECRETS),
            "storage_class": STORAGE_CLASS,
        }
    )


def _provider(target: AwsTarget) -> pulumi.ProviderResource:
    """Return the provider of the account that the file names, whatever account the caller's credentials are of.

    The class of `pulumi_aws` is not used: what it is not given it takes from variables of whoever deploys.
    """
    told = {"allowedAccountIds": [target.account], "skipMetadataApiCheck": True}
    return pulumi.ProviderResource(
        "aws",
        "account",
        {"region": target.region, **{name: json.dumps(value) for name, value in told.items()}},
        pulumi.ResourceOptions(version=version("pulumi-aws")),
    )


def _nat(spec: EnvironmentSpec, target: AwsTarget) -> str:
    return target.nat or ("one" if spec.production is False else "zones")


def _open(target: AwsTarget) -> bool:
    return target.open_to == "internet"


def _store(spec: EnvironmentSpec, account: Account, key: Any, opts: pulumi.ResourceOptions) -> ClosedBucket:
    """Make the bucket of models, data and backups."""
    named = spec.storage.bucket if isinstance(spec.storage, S3Storage) else None
    args = BucketArgs(account, "", key, "personal", part="artifacts", name=named or "")
    return ClosedBucket("store", args, opts)


def _documents(spec: EnvironmentSpec, account: Account, key: Any, opts: pulumi.ResourceOptions) -> ClosedBucket:
    """Make the bucket of what an authority may ask for years later."""
    args = BucketArgs(account, "documents", key, "confidential", part="documents", locked=spec.retention.documents)
    return ClosedBucket("documents", args, opts)
