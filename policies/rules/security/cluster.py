"""Clusters: restricted pods and closed networks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from mlstrata.policies.core.graph import Resource
from mlstrata.policies.core.rule import Context, Domain, Rule, Verdicts, fails, not_applicable
from mlstrata.policies.core.values import Value, dig, listed
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
        ways = [str(way) for way in policy.all("spec.policyTypes") or ["Ingress"]]
        closed.setdefault(space, set()).update(way for way in ways if not policy.all(f"spec.{way.lower()}"))
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


_rule = partial(Rule, domain=Domain.SECURITY)

RULES = (
    _rule(
        id="sec-pod-restricted",
        title="Every pod meets the standard 'restricted'.",
        holds="its pods are restricted",
        references=("AI Act Art. 15(5)",),
        types=WORKLOADS,
        resource=_restricted,
        remedies=(RESTRICTED,),
    ),
    _rule(
        id="sec-default-deny-network",
        title="Every namespace with workloads denies traffic by default.",
        holds="traffic is denied by default",
        references=("AI Act Art. 15(5)",),
        environment=_denied,
    ),
)
