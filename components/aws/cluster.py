"""The cluster: its control plane, who administers it, and the parts of it that AWS keeps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

import pulumi
import pulumi_aws as aws

from mlstrata.components.aws.account import Account
from mlstrata.components.aws.addresses import of_services
from mlstrata.components.aws.base import AwsComponent
from mlstrata.components.aws.documents import trust_of_machines, trust_of_pods
from mlstrata.environments.spec.aws import PRIVATE
from mlstrata.environments.spec.target import AwsTarget

LOGGED = ("api", "audit", "authenticator", "controllerManager", "scheduler")
_ADMINISTERS = "cluster-access-policy/AmazonEKSClusterAdminPolicy"
STORAGE_CLASS = "ebs-csi-default-sc"
"""The class of volumes (gp3) that AWS's driver makes."""
_VOLUMES = ("kube-system", "ebs-csi-controller-sa")
HTTPS = 443


@dataclass(frozen=True)
class ControlPlaneArgs:
    """Arguments of `ControlPlane`.

    Attributes:
        account: Where.
        target: What the file asks for.
        subnets: Ids of the subnets that it has addresses in.
        key: The key of its secrets, by its ARN.
        after: What must be there before it: its log.
    """

    account: Account
    target: AwsTarget
    subnets: Any
    key: Any
    after: Sequence[pulumi.Resource] = ()


class ControlPlane(AwsComponent):
    """A cluster that is reached from its own network alone, unless the file names others.

    Attributes:
        cluster: The cluster.
        group: Id of the group of its nodes and its control plane.
    """

    def __init__(self, name: str, args: ControlPlaneArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args.account, opts)
        self.args = args
        account, target = args.account, args.target
        outside = [one for one in target.api_from if not _is_private(one)]
        self.cluster = aws.eks.Cluster(
            name,
            name=account.name(),
            version=target.kubernetes,
            role_arn=self._role(),
            access_config={
                "authentication_mode": "API",
                "bootstrap_cluster_creator_admin_permissions": not target.admins,
            },
            bootstrap_self_managed_addons=False,
            deletion_protection=True,
            enabled_cluster_log_types=list(LOGGED),
            encryption_config={"provider": {"key_arn": args.key}, "resources": ["secrets"]},
            kubernetes_network_config={"service_ipv4_cidr": of_services(target.network), "ip_family": "ipv4"},
            upgrade_policy={"support_type": "STANDARD"},
            vpc_config={
                "subnet_ids": args.subnets,
                "endpoint_private_access": True,
                "endpoint_public_access": bool(outside),
                **({"public_access_cidrs": outside} if outside else {}),
            },
            tags=account.tags("cluster"),
            opts=pulumi.ResourceOptions.merge(self.child(after=args.after), pulumi.ResourceOptions(protect=True)),
        )
        self.group = self.cluster.vpc_config.cluster_security_group_id
        self._reached([one for one in target.api_from if _is_private(one)])
        self._administered(target.admins)
        self.register_outputs({})

    def _role(self) -> Any:
        account = self.account
        role = aws.iam.Role(
            self.name,
            name=account.role("cluster"),
            assume_role_policy=trust_of_machines("eks.amazonaws.com"),
            tags=account.tags("cluster"),
            opts=self.child(),
        )
        aws.iam.RolePolicyAttachment(
            self.name,
            role=role.name,
            policy_arn=f"arn:{account.partition}:iam::aws:policy/AmazonEKSClusterPolicy",
            opts=self.child(),
        )
        return role.arn

    def _reached(self, networks: Sequence[str]) -> None:
        for at, network in enumerate((self.args.target.network, *networks)):
            aws.vpc.SecurityGroupIngressRule(
                self.of(f"api-{at}"),
                security_group_id=self.group,
                description="The API server, for a network of one's own",
                cidr_ipv4=network,
                ip_protocol="tcp",
                from_port=HTTPS,
                to_port=HTTPS,
                tags=self.account.tags(f"api-{at}"),
                opts=self.child(),
            )

    def _administered(self, roles: Sequence[str]) -> None:
        account = self.account
        for at, role in enumerate(roles):
            entry = aws.eks.AccessEntry(
                self.of(f"admin-{at}"),
                cluster_name=self.cluster.name,
                principal_arn=role,
                type="STANDARD",
                tags=account.tags(f"admin-{at}"),
                opts=self.child(),
            )
            aws.eks.AccessPolicyAssociation(
                self.of(f"admin-{at}"),
                cluster_name=self.cluster.name,
                principal_arn=role,
                policy_arn=f"arn:{account.partition}:eks::aws:{_ADMINISTERS}",
                access_scope={"type": "cluster"},
                opts=self.child(after=[entry]),
            )


def addons(
    component: AwsComponent, cluster: Any, *, after: Sequence[pulumi.Resource], early: bool
) -> list[pulumi.Resource]:
    """Make the parts that AWS keeps: those that nodes need to get ready, or those that need nodes.

    Their versions are AWS's own choice for the cluster's, so that a newer cluster has newer ones.
    """
    settings = {
        "vpc-cni": {"enableNetworkPolicy": "true"},
        "aws-ebs-csi-driver": {"defaultStorageClass": {"enabled": True}},
    }
    names = ("vpc-cni", "kube-proxy", "eks-pod-identity-agent") if early else ("coredns", "aws-ebs-csi-driver")
    account = component.account
    made: list[pulumi.Resource] = []
    for name in names:
        more: dict[str, Any] = {}
        if name in settings:
            more["configuration_values"] = json.dumps(settings[name], sort_keys=True)
        if name == "aws-ebs-csi-driver":
            more["pod_identity_associations"] = [{"service_account": _VOLUMES[1], "role_arn": _volumes(component)}]
        addon = aws.eks.Addon(
            component.of(name),
            cluster_name=cluster.name,
            addon_name=name,
            resolve_conflicts_on_create="OVERWRITE",
            resolve_conflicts_on_update="OVERWRITE",
            tags=account.tags(name),
            opts=component.child(after=after),
            **more,
        )
        made.append(addon)
    return made


def _volumes(component: AwsComponent) -> Any:
    account = component.account
    role = aws.iam.Role(
        component.of("volumes"),
        name=account.role("volumes"),
        assume_role_policy=trust_of_pods(account.name(), *_VOLUMES),
        tags=account.tags("volumes"),
        opts=component.child(),
    )
    aws.iam.RolePolicyAttachment(
        component.of("volumes"),
        role=role.name,
        policy_arn=f"arn:{account.partition}:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy",
        opts=component.child(),
    )
    return role.arn


def _is_private(network: str) -> bool:
    return any(IPv4Network(network, strict=False).subnet_of(one) for one in PRIVATE)
