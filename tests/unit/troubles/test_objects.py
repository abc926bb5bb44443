"""Objects that are not well, as Kubernetes and cert-manager write their conditions."""

from datetime import UTC, datetime
from typing import Any

import pytest

from mlstrata.operations.pending.seen import Wait
from mlstrata.operations.troubles.objects import of_certificates, of_controllers, of_nodes, of_quotas
from mlstrata.operations.troubles.told import of_waits

NOW = datetime(2026, 12, 1, tzinfo=UTC)


def conditioned(kind: str, status: str, **more: str) -> dict[str, Any]:
    metadata = {"name": "one", "namespace": "ml"}
    return {"metadata": metadata, "status": {"conditions": [{"type": kind, "status": status, **more}]}}


@pytest.mark.parametrize(
    ("status", "what"),
    [("True", ""), ("Unknown", "does not answer since "), ("False", "is not ready (disk is full) since ")],
)
def test_a_node(status: str, what: str):
    found = list(
        of_nodes([conditioned("Ready", status, message="disk is full", lastTransitionTime="2026-11-30T10:00")])
    )
    assert [one.what for one in found] == ([f"{what}2026-11-30T10:00"] if what else [])
    assert all("`kubectl delete node one`" in one.fix for one in found)


def certificate(ready: str, **status: str) -> dict[str, Any]:
    one = conditioned("Ready", ready, message="issuer is gone")
    return {**one, "spec": {"secretName": "tls"}, "status": {**one["status"], **status}}


@pytest.mark.parametrize(
    ("one", "what"),
    [
        (certificate("True", notAfter="2027-02-01T00:00:00Z", renewalTime="2027-01-01T00:00:00Z"), ""),
        (certificate("False", notAfter="2026-11-30T00:00:00Z"), "expired on 2026-11-30 00:00 UTC: issuer is gone"),
        (certificate("True", notAfter="2026-11-30T00:00:00Z"), "expired on 2026-11-30 00:00 UTC"),
        (
            certificate("True", notAfter="2026-12-20T00:00:00Z", renewalTime="2026-11-20T00:00:00Z"),
            "was to be renewed on 2026-11-20, and expires on 2026-12-20",
        ),
        (certificate("False"), "is not issued: issuer is gone"),
        (certificate("Unknown"), ""),
    ],
)
def test_a_certificate(one: dict[str, Any], what: str):
    found = list(of_certificates([one], NOW))
    assert [each.what for each in found] == ([what] if what else [])
    assert all("delete secret tls -n ml" in each.fix for each in found)


@pytest.mark.parametrize(
    ("hard", "used", "what"),
    [
        ({"pods": "2"}, {"pods": "1"}, ""),
        ({"pods": "2", "requests.cpu": "1500m"}, {"pods": "2", "requests.cpu": "1.5"},
         "is full: pods 2 of 2, requests.cpu 1.5 of 1500m"),
        ({"services.loadbalancers": "0"}, {"services.loadbalancers": "0"}, ""),
    ],
)  # fmt: skip
def test_a_quota(hard: dict[str, str], used: dict[str, str], what: str):
    one = {"metadata": {"name": "quota", "namespace": "ml"}, "status": {"hard": hard, "used": used}}
    assert [each.what for each in of_quotas([one])] == ([what] if what else [])


def test_a_deployment_whose_pods_are_refused():
    (one,) = of_controllers([conditioned("ReplicaFailure", "True", message="exceeded quota"), {"metadata": {}}])
    assert one.what == "its pods are refused: exceeded quota"


@pytest.mark.parametrize(
    ("reason", "fix"),
    [
        ("image not found: r.example/a:1", "`mlstrata images dev` lists every image"),
        ("the registry refuses r.example/a:1: denied", "`mlstrata secrets dev --script`"),
        ("image cannot be pulled: r.example/a:1: dial tcp: refused", "whether the registry answers from the nodes"),
        ("quota 'quota': pods 1 asked, 2 of 2 used", "raise the quota"),
        ("no node fits: cpu 64 asked, 2 free on the one node", "add a node with that room"),
        ("no storage class 'fast'; the cluster has slow", "target.storage_class"),
        ("something else", "`kubectl describe pod -n ml` says more"),
    ],
)
def test_each_wait_has_what_to_do(reason: str, fix: str):
    (one,) = of_waits([Wait("ml", "pod", "web", reason), Wait("ml", "claim", "data", "soon", passing=True)], "dev")
    assert fix in one.fix
