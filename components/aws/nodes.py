"""Nodes that are always there: the system's, and those that a GPU pool never gives back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from mlstrata.components.aws.account import Account
from mlstrata.components.aws.base import AwsComponent
from mlstrata.components.aws.cluster import addons
from mlstrata.components.aws.documents import trust_of_machines
from mlstrata.components.aws.instances import machine_of
from mlstrata.components.gpu.args import ACCELERATOR, GPU, POOL
from mlstrata.environments.spec.aws import SystemNodesSpec
from mlstrata.environments.spec.teams import GpuPoolSpec

NODES = "nodes"
SYSTEM = "system"
_POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly", "AmazonEKS_CNI_Policy")
_DISK_GIB = {SYSTEM: 100}
_GPU_DISK_GIB = 200
"""Images with CUDA take tens of gigabytes."""


@dataclass(frozen=True)
class NodesArgs:
    """Arguments of `Nodes`.

    Attributes:
        account: Where.
        cluster: The cluster.
        subnets: Ids of the subnets that they are in.
        system: The nodes that are always there.
        pools: Pools of GPUs; those that keep some have a group.
    """

    account: Account
    cluster: Any
    subnets: Any
    system: SystemNodesSpec
    pools: Sequence[GpuPoolSpec]


class Nodes(AwsComponent):
    """Groups of nodes, all with one role and no way to it for pods.

    Attributes:
        role: Name of the role.
        groups: Pool to the name of its group.
    """

    def __init__(self, name: str, args: NodesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args.account, opts)
        self.args, account = args, args.account
        role = aws.iam.Role(
            name,
            name=account.role(NODES),
            assume_role_policy=trust_of_machines("ec2.amazonaws.com"),
            tags=account.tags(NODES),
            opts=self.child(),
        )
        self.role, self._arn = role.name, role.arn
        rights = [
            aws.iam.RolePolicyAttachment(
                self.of(one),
                role=role.name,
                policy_arn=f"arn:{account.partition}:iam::aws:policy/{one}",
                opts=self.child(),
            )
            for one in _POLICIES
        ]
        # Nodes that Karpenter makes join by it; a group brings one of its own, of the same role, and finds it there.
        entry = aws.eks.AccessEntry(
            name,
            cluster_name=args.cluster.name,
            principal_arn=role.arn,
            type="EC2_LINUX",
            tags=account.tags(NODES),
            opts=self.child(),
        )
        # A node without its network is never ready.
        after = [*rights, entry, *addons(self, args.cluster, after=[], early=True)]
        system = self._group(
            SYSTEM,
            machine=args.system.machine,
            image="AL2023_x86_64_STANDARD",
            scaling={"min_size": args.system.min, "max_size": args.system.max, "desired_size": args.system.min},
            labels={POOL: SYSTEM},
            after=after,
        )
        addons(self, args.cluster, after=[system], early=False)
        self.groups = {pool.name: self._pool(pool, after).node_group_name for pool in args.pools if pool.nodes.min}
        self.register_outputs({})

    def _pool(self, pool: GpuPoolSpec, after: Sequence[pulumi.Resource]) -> Any:
        """Make the group of what a pool never gives back; Karpenter makes the rest, and counts on this number."""
        size = pool.nodes.min
        return self._group(
            pool.name,
            machine=machine_of(pool),
            image="AL2023_x86_64_NVIDIA",
            scaling={"min_size": size, "max_size": size, "desired_size": size},
            labels={POOL: pool.name, ACCELERATOR: pool.accelerator.value},
            taints=[
                {"key": GPU, "value": "present", "effect": "NO_SCHEDULE"},
                {"key": POOL, "value": pool.name, "effect": "NO_SCHEDULE"},
            ],
            spot=pool.spot,
            after=after,
        )

    def _group(
        self,
        what: str,
        *,
        machine: str,
        image: str,
        scaling: Mapping[str, int],
        labels: Mapping[str, str],
        after: Sequence[pulumi.Resource],
        taints: Sequence[Mapping[str, str]] = (),
        spot: bool = False,
    ) -> Any:
        account, template = self.account, self._template(what)
        return aws.eks.NodeGroup(
            self.of(what),
            cluster_name=self.args.cluster.name,
            node_group_name=account.name(what),
            node_role_arn=self._arn,
            subnet_ids=self.args.subnets,
            ami_type=image,
            capacity_type="SPOT" if spot else "ON_DEMAND",
            instance_types=[machine],
            scaling_config=dict(scaling),
            labels=dict(labels),
            taints=[dict(one) for one in taints],
            launch_template={"id": template.id, "version": template.latest_version.apply(str)},
            update_config={"max_unavailable": 1},
            node_repair_config={"enabled": True},
            tags=account.tags(what),
            opts=self.child(after=after),
        )

    def _template(self, what: str) -> Any:
        tags = self.account.tags(what)
        disk = {
            "volume_size": _DISK_GIB.get(what, _GPU_DISK_GIB),
            "volume_type": "gp3",
            "encrypted": "true",
            "delete_on_termination": "true",
        }
        return aws.ec2.LaunchTemplate(
            self.of(what),
            name=self.account.name(what),
            description=f"Nodes {what}",
            update_default_version=True,
            block_device_mappings=[{"device_name": "/dev/xvda", "ebs": disk}],
            metadata_options={
                "http_endpoint": "enabled",
                "http_tokens": "required",
                # One hop is the node itself: a pod cannot take the node's role.
                "http_put_response_hop_limit": 1,
            },
            tag_specifications=[{"resource_type": kind, "tags": tags} for kind in ("instance", "volume")],
            tags=tags,
            opts=self.child(),
        )
