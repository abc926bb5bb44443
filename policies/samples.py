"""The compliant world that the fixtures of all policies start from: a production environment on AWS.

It holds one system at high risk and one at limited risk, and every policy passes in it or has nothing to ask.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any

from environments import Stage
from environments.stages import Capability, capabilities_of
from policies.dates import Enforcement
from policies.facts import Document, Environment
from policies.sample_parts import DIGEST, HIGH_RISK, LIMITED, container, labels, running, workload
from policies.world import World

__all__ = ["DIGEST", "HIGH_RISK", "LIMITED", "TODAY", "compliant", "container", "labels", "running", "workload"]
TODAY = date(2026, 11, 21)


@cache
def _built() -> World:
    world = World(_environment())
    _systems(world)
    _cluster(world)
    _high_risk(world)
    _limited(world)
    _stores(world)
    _platform(world)
    return world


def compliant() -> World:
    """Return the compliant world, free to edit."""
    return _built().copy()


def _environment() -> Environment:
    reviewed = date(2026, 10, 1)
    nine = frozenset(range(1, 10))
    return Environment(
        name="prod",
        target="aws",
        region="eu-central-1",
        stage=Stage.SCALE,
        capabilities=capabilities_of(Stage.SCALE) | {Capability.ENCRYPTION, Capability.BACKUP},
        enforcement=Enforcement.NOW,
        retention={"predictions": 400.0, "logs": 200.0, "documents": 3650.0},
        owner="platform@example.com",
        documents={
            "docs/risk.md": Document(exists=True, reviewed=reviewed),
            "docs/technical.md": Document(exists=True, reviewed=reviewed, sections=nine, model_version="7"),
            "docs/bias.md": Document(exists=True, reviewed=reviewed),
            "docs/document.md": Document(exists=True, notified=reviewed),
        },
        gpu_pools={"train": 0},
    )


def _systems(world: World) -> None:
    world.add(
        "mlstrata:governance:AISystem",
        HIGH_RISK,
        {
            "name": HIGH_RISK,
            "purpose": "Estimate the probability that a mortgage application is denied, to support an underwriter.",
            "owner": "lending@example.com",
            "risk": {"tier": "high", "annex_iii": "5b", "role": "deployer", "profiling": True, "annex_i": False},
            "kpis": [{"metric": "auc", "at_least": 0.8}],
            "data": [
                {
                    "name": "hmda",
                    "source": "s3://data/hmda.parquet",
                    "classification": "personal",
                    "personal": ["single"],
                    "special_categories": ["ethnic_origin"],
                    "region": "eu",
                    "owner": "data@example.com",
                    "version": "2026-10",
                }
            ],
            "model": {"modality": "tabular", "task": "classification", "protected": ["single"], "data": "hmda"},
            "serving": {"mode": "realtime", "explain": {"method": "shap"}, "replicas": {"min": 2, "max": 6}},
            "rollout": {"strategy": "canary", "approve": "risk-officer"},
            "monitor": {"drift": {"psi": 0.2}, "fairness": {"metric": "demographic_parity", "at_most": 0.12}},
            "oversight": {"owner": "risk@example.com", "kill_switch": True, "two_person": False, "review": "desk"},
            "documents": {
                "risk_register": "docs/risk.md",
                "technical_file": "docs/technical.md",
                "bias_report": "docs/bias.md",
                "instructions": "docs/document.md",
                "fria": "docs/document.md",
                "monitoring_plan": "docs/document.md",
                "incident_runbook": "docs/document.md",
                "literacy": "docs/document.md",
            },
            "retire": {"review": "2027-06-01"},
        },
    )
    world.add(
        "mlstrata:governance:AISystem",
        LIMITED,
        {
            "name": LIMITED,
            "purpose": "Suggest which desk a customer's message belongs to; staff may move it.",
            "owner": "desk@example.com",
            "risk": {"tier": "limited", "role": "deployer", "profiling": False, "annex_i": False},
            "kpis": [{"metric": "f1", "at_least": 0.8, "source": "labelled"}],
            "data": [
                {"name": "tickets", "source": "s3://data/t.parquet", "classification": "internal", "version": "1"}
            ],
            "model": {"modality": "text", "task": "classification"},
            "serving": {"mode": "realtime"},
            "rollout": {"strategy": "ab"},
            "monitor": {"drift": {"psi": 0.2}},
            "oversight": {},
            "documents": {"literacy": "docs/document.md"},
            "retire": {"review": "2027-06-01"},
        },
    )


def _cluster(world: World) -> None:
    world.add(
        "kubernetes:core/v1:Namespace",
        "lending",
        {
            "metadata": {
                "name": "lending",
                "labels": {**labels(), "pod-security.kubernetes.io/enforce": "restricted"},
            }
        },
    )
    world.add(
        "kubernetes:networking.k8s.io/v1:NetworkPolicy",
        "default-deny",
        {
            "metadata": {"name": "default-deny", "namespace": "lending"},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
        },
    )
    world.add(
        "kubernetes:core/v1:ResourceQuota",
        "gpu-quota",
        {
            "metadata": {"name": "gpu-quota", "namespace": "lending"},
            "spec": {"hard": {"requests.nvidia.com/gpu": "4"}},
        },
    )
    world.add(
        "kubernetes:rbac.authorization.k8s.io/v1:Role",
        "reader",
        {
            "metadata": {"name": "reader", "namespace": "lending"},
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}],
        },
    )
    world.add(
        "kubernetes:kyverno.io/v1:ClusterPolicy",
        "signed-images",
        {
            "metadata": {"name": "signed-images"},
            "spec": {
                "validationFailureAction": "Enforce",
                "rules": [{"name": "signed", "verifyImages": [{"imageReferences": ["*"]}]}],
            },
        },
    )
    world.add(
        "kubernetes:gateway.networking.k8s.io/v1:Gateway",
        "entrance",
        {
            "metadata": {"name": "entrance", "namespace": "lending"},
            "spec": {"listeners": [{"name": "https", "port": 443, "protocol": "HTTPS"}]},
        },
    )
    world.add(
        "kubernetes:karpenter.sh/v1:NodePool",
        "train",
        {
            "metadata": {"name": "train"},
            "spec": {
                "disruption": {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "10m"},
                "template": {
                    "spec": {
                        "requirements": [
                            {"key": "karpenter.k8s.aws/instance-gpu-name", "operator": "In", "values": ["l4"]}
                        ]
                    }
                },
            },
        },
    )


def _high_risk(world: World) -> None:
    name = HIGH_RISK
    world.add(
        "kubernetes:machinelearning.seldon.io/v1:SeldonDeployment",
        "mortgage",
        {
            "metadata": {"name": "mortgage", "namespace": "lending", "labels": _served(name)},
            "spec": {
                "predictors": [
                    {
                        "name": "champion",
                        "replicas": 2,
                        "graph": {
                            "name": "model",
                            "implementation": "MLFLOW_SERVER",
                            "modelUri": "s3://models/mortgage/7",
                            "logger": {"mode": "all", "url": "http://recorder.lending"},
                        },
                        "explainer": {"type": "KernelShap"},
                        "componentSpecs": [{"spec": {"containers": [container("model")]}}],
                    }
                ]
            },
        },
        parent=name,
    )
    world.add(
        "kubernetes:policy/v1:PodDisruptionBudget",
        "mortgage-pdb",
        {
            "metadata": {"name": "mortgage-pdb", "namespace": "lending", "labels": labels(name)},
            "spec": {"minAvailable": 1},
        },
        parent=name,
    )
    world.add(
        "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute",
        "mortgage-stop",
        {"metadata": {"name": "mortgage-stop", "namespace": "lending", "labels": labels(name, "kill-switch")}},
        parent=name,
    )
    world.add("kubernetes:monitoring.coreos.com/v1:PrometheusRule", "mortgage-alerts", _alerts(name), parent=name)
    world.add(
        "kubernetes:monitoring.coreos.com/v1:PodMonitor",
        "mortgage-metrics",
        {"metadata": {"name": "mortgage-metrics", "namespace": "lending", "labels": labels(name)}},
        parent=name,
    )
    gpu = {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"}
    world.add(
        "kubernetes:batch/v1:Job",
        "mortgage-training",
        {
            "metadata": {"name": "mortgage-training", "namespace": "lending", "labels": labels(name, "training")},
            "spec": {
                "activeDeadlineSeconds": 7200,
                "template": {
                    "spec": {
                        "nodeSelector": {"mlstrata.io/accelerator": "nvidia-l4"},
                        "containers": [container("train", resources={"requests": gpu, "limits": gpu})],
                    }
                },
            },
        },
        parent=name,
    )


def _limited(world: World) -> None:
    name = LIMITED
    inputs = workload("tickets", "serving", system=name)
    inputs["metadata"]["labels"] = _served(name)
    world.add("kubernetes:apps/v1:Deployment", "tickets", inputs, parent=name)
    world.add(
        "kubernetes:policy/v1:PodDisruptionBudget",
        "tickets-pdb",
        {"metadata": {"name": "tickets-pdb", "labels": labels(name)}, "spec": {"minAvailable": 1}},
        parent=name,
    )
    world.add("kubernetes:monitoring.coreos.com/v1:PrometheusRule", "tickets-alerts", _alerts(name), parent=name)
    world.add(
        "kubernetes:monitoring.coreos.com/v1:ServiceMonitor",
        "tickets-metrics",
        {"metadata": {"name": "tickets-metrics", "labels": labels(name)}},
        parent=name,
    )


def _served(system: str) -> dict[str, str]:
    return {**labels(system, "serving"), "mlstrata.io/ai-disclosure": "header", "mlstrata.io/model-version": "7"}


def _alerts(system: str) -> dict[str, Any]:
    def rule(alert: str, severity: str) -> dict[str, Any]:
        return {"alert": alert, "expr": "mlstrata_psi > 0.2", "labels": {"system": system, "severity": severity}}

    rules = [rule("InputDrift", "warning"), rule("ErrorBudgetBurn", "critical"), rule("SlowAnswers", "warning")]
    return {
        "metadata": {"name": f"{system}-alerts", "namespace": "lending", "labels": labels(system)},
        "spec": {"groups": [{"name": system, "rules": rules}]},
    }


def _stores(world: World) -> None:
    key = world.add("aws:kms/key:Key", "data-key", {"enableKeyRotation": True, "tags": labels()})
    days = {"predictions": 400, "documents": 0, "protected": 400}
    for part, kept in days.items():
        kind = {"mlstrata.io/data-classification": "confidential" if part == "documents" else "personal"}
        urn = world.add(
            "aws:s3/bucket:Bucket",
            part,
            {"bucket": f"example-{part}", "region": "eu-central-1", "tags": {**labels("", part), **kind}},
            protect=True,
        )
        tied = {"property_dependencies": {"bucket": (urn,)}, "dependencies": (urn,)}
        closed = dict.fromkeys(
            ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True
        )
        world.add(
            "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
            f"{part}-closed",
            {"bucket": f"example-{part}", **closed},
            **tied,
        )
        default = {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": "arn:aws:kms:eu-central-1:123456789012:key/k"}
        world.add(
            "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
            f"{part}-encryption",
            {"bucket": f"example-{part}", "rules": [{"applyServerSideEncryptionByDefault": default}]},
            property_dependencies={"bucket": (urn,), "rules": (key,)},
        )
        if kept:
            world.add(
                "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
                f"{part}-lifecycle",
                {
                    "bucket": f"example-{part}",
                    "rules": [{"id": "expire", "status": "Enabled", "expiration": {"days": kept}}],
                },
                **tied,
            )
    world.add(
        "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
        "documents-lock",
        {"bucket": "example-documents", "rule": {"defaultRetention": {"mode": "COMPLIANCE", "days": 3650}}},
    )
    world.add(
        "aws:rds/instance:Instance",
        "metadata",
        {
            "engine": "postgres",
            "storageEncrypted": True,
            "kmsKeyId": "arn:aws:kms:eu-central-1:123456789012:key/k",
            "publiclyAccessible": False,
            "backupRetentionPeriod": 14,
            "region": "eu-central-1",
            "tags": {**labels("", "database"), "mlstrata.io/data-classification": "internal"},
        },
        protect=True,
    )
    world.add(
        "aws:cloudwatch/logGroup:LogGroup",
        "platform-logs",
        {"retentionInDays": 400, "region": "eu-central-1", "tags": labels("", "logs")},
    )


def _platform(world: World) -> None:
    world.add("kubernetes:apps/v1:Deployment", "recorder", workload("recorder", "recorder"))
    world.add(
        "kubernetes:apps/v1:Deployment",
        "mlflow",
        workload("mlflow", "registry", args=["server", "--app-name", "basic-auth"]),
    )
    world.add(
        "kubernetes:monitoring.coreos.com/v1:Prometheus",
        "prometheus",
        {"metadata": {"name": "prometheus", "namespace": "lending"}, "spec": {"retention": "200d"}},
    )
    world.add(
        "kubernetes:monitoring.coreos.com/v1alpha1:AlertmanagerConfig",
        "alert-routes",
        {
            "metadata": {"name": "alert-routes", "namespace": "lending", "labels": labels("", "alert-route")},
            "spec": {"route": {"receiver": "on-call"}, "receivers": [{"name": "on-call"}]},
        },
    )
    world.add(
        "aws:iam/policy:Policy",
        "reader-policy",
        {
            "policy": '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], '
            '"Resource": ["arn:aws:s3:::example-predictions/*"]}]}'
        },
    )
