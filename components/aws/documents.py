"""Policies of IAM as texts that are the same in every plan."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

Statement = dict[str, Any]
PODS = "pods.eks.amazonaws.com"
VERSION = "2012-10-17"


def allow(
    actions: Iterable[str],
    resources: Iterable[str],
    conditions: Mapping[str, Mapping[str, Any]] | None = None,
    sid: str = "",
) -> Statement:
    """Return a statement that allows actions on resources."""
    return {
        **({"Sid": sid} if sid else {}),
        "Effect": "Allow",
        "Action": sorted(actions),
        "Resource": sorted(resources),
        **({"Condition": {name: dict(one) for name, one in conditions.items()}} if conditions else {}),
    }


def document(*statements: Mapping[str, Any]) -> str:
    """Return a policy."""
    return json.dumps({"Version": VERSION, "Statement": list(statements)}, sort_keys=True)


def trust(service: str, account: str) -> str:
    """Return the trust of a role that a service of AWS takes, for this account and for no other."""
    principal = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return document({**principal, "Condition": {"StringEquals": {"aws:SourceAccount": account}}})


def trust_of_machines(service: str) -> str:
    """Return the trust of a role that a service takes without saying for which account: machines and the cluster."""
    return document({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"})


def trust_of_pods(cluster: str, namespace: str, account: str) -> str:
    """Return the trust of a role that the pods of one Kubernetes account take, by EKS Pod Identity."""
    tags = {
        "aws:RequestTag/eks-cluster-name": cluster,
        "aws:RequestTag/kubernetes-namespace": namespace,
        "aws:RequestTag/kubernetes-service-account": account,
    }
    return document(
        {
            "Effect": "Allow",
            "Principal": {"Service": PODS},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Condition": {"StringEquals": tags},
        }
    )
