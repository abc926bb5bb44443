"""What Karpenter makes nodes from on AWS."""

from __future__ import annotations

from typing import Any

from mlstrata.components.gpu.args import AwsNodes
from mlstrata.components.gpu.sharing import cutting
from mlstrata.components.manifests import manifest
from mlstrata.environments.spec.teams import GpuPoolSpec

DISK = "100Gi"
"""Of each node: images with CUDA take tens of gigabytes."""
_BOUNDARY = "//"


def node_class(nodes: AwsNodes, name: str, pool: GpuPoolSpec) -> dict[str, Any]:
    """Return the EC2NodeClass of a pool."""
    disk = {"volumeSize": DISK, "volumeType": "gp3", "encrypted": True, "deleteOnTermination": True}
    spec: dict[str, Any] = {
        "role": nodes.role,
        # An alias with its version: nodes are made anew when the file says so, not when somebody publishes an image.
        "amiSelectorTerms": [{"alias": nodes.image}],
        "subnetSelectorTerms": [{"id": one} for one in nodes.subnets],
        "securityGroupSelectorTerms": [{"id": one} for one in nodes.security_groups],
        "blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": disk}],
        "metadataOptions": {
            "httpEndpoint": "enabled",
            "httpTokens": "required",
            # One hop is the node itself: a pod cannot take the node's role.
            "httpPutResponseHopLimit": 1,
        },
        "tags": {"mlstrata.io/pool": pool.name, "mlstrata.io/cluster": nodes.cluster},
    }
    if pool.sharing is not None and pool.sharing.mig:
        spec["userData"] = _mime(cutting(pool.sharing.mig))
    return manifest("karpenter.k8s.aws/v1", "EC2NodeClass", name, spec=spec)


def _mime(script: str) -> str:
    """Wrap a script as the image takes it, beside what Karpenter adds."""
    head = f'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="{_BOUNDARY}"\n\n'
    part = f'--{_BOUNDARY}\nContent-Type: text/x-shellscript; charset="us-ascii"\n\n{script}\n'
    return f"{head}{part}--{_BOUNDARY}--\n"
