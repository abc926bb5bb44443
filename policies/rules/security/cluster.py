"""Clusters: restricted pods and closed networks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlstrata.policies.core.graph import Resource
from mlstrata.policies.core.rule import (
    Context,
    Domain,
    Rule,
    Verdicts,
    cannot_tell,
    fails,
    not_applicable,
    passes,
    spares,
    violates,
)
from mlstrata.policies.core.values import UNKNOWN, Value, dig, listed
from mlstrata.policies.fixtures.world import cut, having, nothing, put, without
from mlstrata.policies.remedies.cluster import RESTRICTED, SECCOMP
from mlstrata.policies.views.iam import EVERYWHERE
from mlstrata.policies.views.kubernetes import WORKLOADS, Pod, namespace, pods

VOLUMES = frozenset(
    {
        *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image"),
        *("persistentVolumeClaim", "projected", "secret", "name"),
    }
)
"""Sources of volumes that the standard allows, and the name that each has."""
SYSCTLS = frozenset(
    {
        *("kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start"),
        *("net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports"),
        *("net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout"),
        *("net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes"),
    }
)
WAYS = {"Ingress": "from", "Egress": "to"}
NETWORK_POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"


def _restricted(workload: Resource, _: Context) -> Verdicts:
    found = list(pods(workload))
    if not found:
        yield not_applicable("it makes no pods")
    for pod in found:
        for what in _looseness(pod):
            yield fails(f"'{workload.name}': {what}", "meet the pod security standard 'restricted'")


def _looseness(pod: Pod) -> Iterator[str]:
    whole = dig(pod.spec, "securityContext", {})
    yield from (f"{field} is on" for field in ("hostNetwork", "hostPID", "hostIPC") if dig(pod.spec, field))
    for volume in listed(pod.spec, "volumes"):
        if "hostPath" in volume:
            yield "a volume is a path of the node"
        elif not VOLUMES.issuperset(volume):
            yield "a volume has a source that the standard does not allow"
    if not SYSCTLS.issuperset(dig(one, "name") for one in listed(whole, "sysctls")):
        yield "a setting of the node's kernel is changed"
    yield from (f"the pod {what}" for what in _common(whole))
    for container in pod.containers:
        name = dig(container, "name", "?")
        yield from (f"container {name} {what}" for what in _open(container, whole))


def _open(container: Value, whole: Value) -> Iterator[str]:
    own = dig(container, "securityContext", {})
    yield from _common(own)
    if dig(own, "privileged"):
        yield "is privileged"
    if dig(own, "allowPrivilegeEscalation", True):
        yield "may gain privileges"
    if dig(own, "runAsNonRoot", dig(whole, "runAsNonRoot")) is not True:
        yield "may run as root"
    if "ALL" not in listed(own, "capabilities.drop"):
        yield "keeps the kernel's capabilities"
    if set(listed(own, "capabilities.add")) - {"NET_BIND_SERVICE"}:
        yield "is given capabilities of the kernel"
    if dig(own, "seccompProfile.type", dig(whole, "seccompProfile.type")) not in SECCOMP:
        yield "has no seccomp profile"
    if dig(own, "procMount", "Default") != "Default":
        yield "sees all of /proc"
    if any(dig(port, "hostPort") for port in listed(container, "ports")):
        yield "takes a port of its node"


def _common(context: Value) -> Iterator[str]:
    """Yield what neither a pod's nor a container's context may say."""
    if dig(context, "runAsUser") == 0:
        yield "runs as root"
    if dig(context, "windowsOptions.hostProcess"):
        yield "is a process of its node"
    if dig(context, "appArmorProfile.type") == "Unconfined":
        yield "has no AppArmor profile"


def _denied(context: Context) -> Verdicts:
    spaces = {namespace(workload) for workload in context.graph.of(*WORKLOADS)}
    if not spaces:
        yield not_applicable("nothing runs in a cluster")
    closed: dict[str, set[str]] = {}
    for policy in context.graph.of(NETWORK_POLICY):
        selector = policy.get("spec.podSelector", {})
        if dig(selector, "matchLabels") or dig(selector, "matchExpressions"):
            continue
        space = namespace(policy)
        ways = policy.all("spec.policyTypes") or ["Ingress"]
        closed.setdefault(space, set()).update(way for way in ways if not policy.all(f"spec.{str(way).lower()}"))
        for way in WAYS:
            if space in spaces and any(_everything(rule, way) for rule in policy.all(f"spec.{way.lower()}")):
                yield fails(
                    f"'{policy.name}' allows all {way.lower()} in namespace '{space}', whatever others deny",
                    "name the peers or the ports",
                    subject=space,
                )
    for space in sorted(spaces):
        if missing := sorted({"Ingress", "Egress"} - closed.get(space, set())):
            yield fails(
                f"nothing denies {' and '.join(missing).lower()} by default in namespace '{space}'",
                "add a NetworkPolicy for all pods that allows nothing, and one for each way that is needed",
                subject=space,
            )


def _everything(rule: Value, way: str) -> bool:
    """Return whether a rule names neither ports nor peers, or everywhere as its peer."""
    peers = listed(rule, WAYS[way])
    anywhere = any(dig(peer, "ipBlock.cidr") in EVERYWHERE and not dig(peer, "ipBlock.except") for peer in peers)
    return not listed(rule, "ports") and (not peers or anywhere)


def _allowing(way: str, rule: dict[str, Any], selector: object = None, space: str = "lending") -> dict[str, Any]:
    spec = {"podSelector": selector or {}, "policyTypes": [way.capitalize()], way: [rule]}
    return {"metadata": {"namespace": space}, "spec": spec}


_POD = "spec.template.spec"
_C0 = f"{_POD}.containers.0.securityContext"
_DENY = "default-deny"
_POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
_SYSCTLS = f"{_POD}.securityContext.sysctls"
_SAFE = (
    *("kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start"),
    *("net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports"),
    *("net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout"),
    *("net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes"),
)
_SOURCES = (
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"),
)
_ANYWHERE = {"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "to": [{"ipBlock": {"cidr": "::/0"}}]}
_LOOSE_PODS = (
    ("an empty path of the node", "volumes", [{"name": "v", "hostPath": {}}]),
    ("a volume of the network", "volumes", [{"name": "v", "nfs": {"server": "s", "path": "/"}}]),
    ("a setting of the kernel", "securityContext.sysctls", [{"name": "kernel.msgmax"}]),
    ("root", "securityContext.runAsUser", 0),
    ("a process of the node", "securityContext.windowsOptions", {"hostProcess": True}),
    ("no AppArmor", "securityContext.appArmorProfile", {"type": "Unconfined"}),
)
_LOOSE_CONTAINERS = (
    ("root", "securityContext.runAsUser", 0),
    ("a capability", "securityContext.capabilities.add", ["NET_BIND_SERVICE", "SYS_ADMIN"]),
    ("seccomp switched off", "securityContext.seccompProfile", {"type": "Unconfined"}),
    ("all of /proc", "securityContext.procMount", "Unmasked"),
    ("a port of the node", "ports", [{"containerPort": 80, "hostPort": 80}]),
    ("root, against what the pod says", "securityContext.runAsNonRoot", False),
)
_BARE = {"containers": [{"name": "c", "image": "docker.io/library/c:1"}]}
_ELSEWHERE: dict[str, dict[str, Any]] = {
    "core/v1:PodTemplate": {"template": {"spec": _BARE}},
    "core/v1:PodList": {"items": [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": _BARE}]},
    "core/v1:PodPatch": {"spec": _BARE},
    "core/v1:ReplicationController": {"spec": {"template": {"spec": _BARE}}},
    "apps/v1:ReplicaSet": {"spec": {"template": {"spec": _BARE}}},
    "batch/v1:CronJob": {"spec": {"jobTemplate": {"spec": {"template": {"spec": _BARE}}}}},
    "serving.kserve.io/v1beta1:InferenceService": {"spec": {"predictor": {"model": {"image": "x"}}}},
    "serving.knative.dev/v1:Service": {"spec": {"template": {"spec": _BARE}}},
    "argoproj.io/v1alpha1:Workflow": {"spec": {"templates": [{"name": "t", "container": {"image": "x"}}]}},
    "argoproj.io/v1alpha1:Rollout": {"spec": {"template": {"spec": _BARE}}},
    "kubeflow.org/v1:PyTorchJob": {"spec": {"pytorchReplicaSpecs": {"Worker": {"template": {"spec": _BARE}}}}},
    "ray.io/v1:RayCluster": {"spec": {"workerGroupSpecs": [{"template": {"spec": _BARE}}]}},
    "keda.sh/v1alpha1:ScaledJob": {"spec": {"jobTargetRef": {"template": {"spec": _BARE}}}},
}

RULES = (
    Rule(
        number=40,
        id="sec-pod-restricted",
        title="Every pod meets the standard 'restricted'.",
        holds="its pods are restricted",
        domain=Domain.SECURITY,
        references=("AI Act Art. 15(5)",),
        types=WORKLOADS,
        resource=_restricted,
        remedies=(RESTRICTED,),
        cases=(
            *(
                violates(field, put("recorder", f"{_POD}.{field}", True))
                for field in ("hostNetwork", "hostPID", "hostIPC")
            ),
            violates("a node's path", put("recorder", f"{_POD}.volumes", [{"hostPath": {"path": "/"}}])),
            violates("privileged", put("recorder", f"{_C0}.privileged", True)),
            violates("may gain privileges", cut("recorder", f"{_C0}.allowPrivilegeEscalation")),
            violates("may be root", cut("recorder", f"{_C0}.runAsNonRoot")),
            violates("keeps capabilities", put("recorder", f"{_C0}.capabilities.drop", ["NET_RAW"])),
            violates("no seccomp", cut("recorder", f"{_C0}.seccompProfile")),
            violates(
                "an open predictor",
                cut("mortgage", "spec.predictors.0.componentSpecs.0.spec.containers.0.securityContext"),
            ),
            *(violates(f"pod: {what}", put("recorder", f"{_POD}.{path}", value)) for what, path, value in _LOOSE_PODS),
            *(
                violates(f"container: {what}", put("recorder", f"{_POD}.containers.0.{path}", value))
                for what, path, value in _LOOSE_CONTAINERS
            ),
            violates("open, put in to look inside", put("recorder", f"{_POD}.ephemeralContainers", [{"name": "look"}])),
            *(
                violates(f"in a {kind}", having(f"kubernetes:{kind}", "open", inputs), companions=("*",))
                for kind, inputs in _ELSEWHERE.items()
            ),
            violates("an open first container", put("recorder", f"{_POD}.initContainers", [{"name": "first"}])),
            passes("restricted"),
            passes("a port below 1024", put("recorder", f"{_C0}.capabilities.add", ["NET_BIND_SERVICE"])),
            *(
                passes(f"a volume of {source}", put("recorder", f"{_POD}.volumes", [{"name": "v", source: {}}]))
                for source in _SOURCES
            ),
            *(passes(f"the safe setting {one}", put("recorder", _SYSCTLS, [{"name": one}])) for one in _SAFE),
            passes("a profile of its own", put("recorder", f"{_C0}.seccompProfile.type", "Localhost")),
            spares(
                "a scaler has no pods",
                nothing,
                having("kubernetes:keda.sh/v1alpha1:ScaledObject", "s", {"spec": {}}),
                companions=("*",),
            ),
            passes(
                "said for the whole pod",
                cut("recorder", f"{_C0}.runAsNonRoot"),
                cut("recorder", f"{_C0}.seccompProfile"),
                put(
                    "recorder",
                    f"{_POD}.securityContext",
                    {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                ),
            ),
            spares("no workloads", nothing),
            cannot_tell("known later", put("recorder", _C0, UNKNOWN)),
            cannot_tell(
                "pods of another maker's kind known later",
                having("kubernetes:ray.io/v1:RayJob", "ray", {"spec": {"rayClusterSpec": {"template": UNKNOWN}}}),
            ),
        ),
    ),
    Rule(
        number=41,
        id="sec-default-deny-network",
        title="Every namespace with workloads denies traffic that nothing allows.",
        holds="traffic is denied unless something allows it",
        domain=Domain.SECURITY,
        references=("AI Act Art. 15(5)",),
        environment=_denied,
        cases=(
            violates("no policy", without(_DENY)),
            violates("one for some pods", put(_DENY, "spec.podSelector", {"matchLabels": {"app": "x"}})),
            violates("one for some expressions", put(_DENY, "spec.podSelector", {"matchExpressions": [{"key": "x"}]})),
            violates("in only", put(_DENY, "spec.policyTypes", ["Ingress"])),
            violates("one that lets all in", put(_DENY, "spec.ingress", [{}])),
            violates("in another namespace", put(_DENY, "metadata.namespace", "other")),
            *(
                violates(f"another lets everything {way}", having(_POLICY, "open", _allowing(way, rule)))
                for way, rule in (("ingress", {}), ("egress", {}), ("ingress", _ANYWHERE), ("egress", _ANYWHERE))
            ),
            violates("by labels that all have", put(_DENY, "spec.podSelector", {"matchExpressions": [{"key": "x"}]})),
            passes("denied"),
            passes(
                "another lets some ports in", having(_POLICY, "some", _allowing("ingress", {"ports": [{"port": 80}]}))
            ),
            passes(
                "another lets a network in",
                having(_POLICY, "some", _allowing("ingress", {"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]})),
            ),
            passes(
                "another lets everything into some pods",
                having(_POLICY, "some", _allowing("ingress", {}, {"matchLabels": {"app": "x"}})),
            ),
            passes(
                "out, to everywhere but a network",
                having(
                    _POLICY,
                    "some",
                    _allowing("egress", {"to": [{"ipBlock": {"cidr": "::/0", "except": ["fd00::/8"]}}]}),
                ),
            ),
            passes("another, elsewhere", having(_POLICY, "other", _allowing("ingress", {}, space="other"))),
            passes(
                "in, without saying so",
                put(_DENY, "spec.policyTypes", ["Egress"]),
                having(_POLICY, "in", {"metadata": {"namespace": "lending"}, "spec": {"podSelector": {}}}),
            ),
            passes(
                "by two",
                put(_DENY, "spec.policyTypes", ["Ingress"]),
                having(
                    "kubernetes:networking.k8s.io/v1:NetworkPolicy",
                    "out",
                    {"metadata": {"namespace": "lending"}, "spec": {"podSelector": {}, "policyTypes": ["Egress"]}},
                ),
            ),
            spares("no workloads", nothing),
            cannot_tell("known later", put(_DENY, "spec.podSelector", UNKNOWN)),
        ),
    ),
)
