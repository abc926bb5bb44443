"""What the API server itself refuses in an environment's namespaces, whoever asks: what went round the deployment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from mlstrata.components.cluster import Cluster, ClusterComponent
from mlstrata.components.cluster_site import ClusterSite
from mlstrata.components.gpu.args import POOL
from mlstrata.components.manifests import manifest
from mlstrata.components.namespaces.args import OPERATORS
from mlstrata.components.naming.forms import part
from mlstrata.components.upstream.selection import bill_images, mirror_of

KIND = "admissionregistration.k8s.io/v1"
SYSTEM, TEAM, RELEASES = "mlstrata.io/system", "mlstrata.io/team", "release-"
_LABELLED = f"has(object.metadata.labels) && '{SYSTEM}' in object.metadata.labels"
_CONTAINERS = (
    "object.spec.containers + (has(object.spec.initContainers) ? object.spec.initContainers : []) + "
    "(has(object.spec.ephemeralContainers) ? object.spec.ephemeralContainers : [])"
)


@dataclass(frozen=True)
class AdmissionArgs:
    """Arguments of `Admission`.

    Attributes:
        cluster: Where.
        tagged: Images that may run by their tag, as nobody has resolved their digest yet; none once all are locked.
        pools: Pool of GPUs to the teams that alone may use it.
        after: What must be there before it.
    """

    cluster: Cluster
    tagged: Sequence[str] = ()
    pools: Mapping[str, Sequence[str]] = field(default_factory=dict)
    after: Sequence[pulumi.Resource] = ()


class Admission(ClusterComponent):
    """Rules that the API server holds: what serves says which system, an image stays what it was, no job releases."""

    def __init__(self, name: str, args: AdmissionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("admission", name, args.cluster, opts)
        rules = {"serving": _serving(), "images": _images(args.tagged), "accounts": _accounts()}
        rules |= {f"pool-{pool}": only_for(pool, teams) for pool, teams in args.pools.items()}
        for role, spec in rules.items():
            full = part(args.cluster.namespace, role)
            policy = self.add(role, self._object("ValidatingAdmissionPolicy", full, spec), after=args.after)
            # The namespaces of upstream operators run what their charts name; people's own are held to this.
            where: list[dict[str, Any]] = [{"key": OPERATORS, "operator": "DoesNotExist"}]
            if teams := args.pools.get(role.removeprefix("pool-")):
                where.append({"key": TEAM, "operator": "NotIn", "values": list(teams)})
            ours = {"matchLabels": {"mlstrata.io/environment": args.cluster.environment}, "matchExpressions": where}
            binding = {
                "policyName": full,
                "validationActions": ["Deny"],
                "matchResources": {"namespaceSelector": ours},
            }
            self.add(f"{role}-binding", self._object("ValidatingAdmissionPolicyBinding", full, binding), after=[policy])
        self.register_outputs({})

    def _object(self, kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
        return manifest(KIND, kind, name, spec=spec)


def _serving() -> dict[str, Any]:
    """Return the rule that whatever serves is of a declared system: nothing else is judged under the AI Act."""
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [
                _rule("machinelearning.seldon.io", ["v1"], ["seldondeployments"]),
                _rule("serving.kserve.io", ["v1beta1"], ["inferenceservices"]),
            ]
        },
        "validations": [
            {
                "expression": _LABELLED,
                "message": f"what serves predictions must say for which AI system: label {SYSTEM}; declare the system "
                "in the environment's file and deploy it from there",
                "reason": "Forbidden",
            }
        ],
    }


def _images(tagged: Sequence[str]) -> dict[str, Any]:
    """Return the rule that an image is named by its digest, or is one that is known to have none yet."""
    listed = ", ".join(f"'{image}'" for image in sorted(tagged))
    pinned = r"c.image.matches('@sha256:[0-9a-f]{64}$')"
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [
                # A container that somebody adds to look into a running pod is a container too.
                _rule("", ["v1"], ["pods", "pods/ephemeralcontainers"]),
            ]
        },
        "variables": [
            {"name": "containers", "expression": _CONTAINERS},
            # An empty list has no type of its own.
            {"name": "tagged", "expression": f"[{listed}]" if tagged else "['']"},
        ],
        "validations": [
            {
                "expression": f"variables.containers.all(c, {pinned} || c.image in variables.tagged)",
                "message": "an image named by its tag can change under the same name; name it by digest, @sha256:…",
                "reason": "Forbidden",
            }
        ],
    }


def _accounts() -> dict[str, Any]:
    """Return the rule that no pod is an account that releases: whoever may start jobs would be let in by it."""
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [_rule("", ["v1"], ["pods"])]},
        "validations": [
            {
                "expression": f"!object.spec.?serviceAccountName.orValue('').startsWith('{RELEASES}')",
                "message": f"an account {RELEASES}* releases versions; it is for a pipeline outside of the cluster, "
                "with a token of its own: run this under another account",
                "reason": "Forbidden",
            }
        ],
    }


def only_for(pool: str, teams: Sequence[str]) -> dict[str, Any]:
    """Return the rule that no pod of another team runs beside a pool's taint, which keeps everybody else from it."""
    named = f"(has(t.operator) && t.operator == 'Exists') || (has(t.value) && t.value == '{pool}')"
    beside = f"(!has(t.key) || t.key == '{POOL}') && ({named})"
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [_rule("", ["v1"], ["pods"])]},
        "validations": [
            {
                "expression": f"!has(object.spec.tolerations) || !object.spec.tolerations.exists(t, {beside})",
                "message": f"the GPU pool {pool} is for {', '.join(teams)}: remove the toleration, or add the team to "
                "the pool in the environment's file",
                "reason": "Forbidden",
            }
        ],
    }


def _rule(group: str, versions: list[str], resources: list[str]) -> dict[str, Any]:
    return {
        "apiGroups": [group],
        "apiVersions": versions,
        "operations": ["CREATE", "UPDATE"],
        "resources": resources,
    }


def build(site: ClusterSite) -> None:
    """Build what the API server refuses."""
    # Operators put images of their own into people's namespaces; all of the bill's, so that a stage changes none.
    known = {*site.cluster.images.values(), *bill_images(site.selection, mirror_of(site.spec))}
    tagged = sorted(image for image in known if "@sha256:" not in image)
    pools = {one.name: one.teams for one in site.spec.gpu_pools if one.teams}
    Admission("admission", AdmissionArgs(site.cluster, tagged, pools, site.ready), site.opts)
