"""Clusters: restricted pods and closed networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from mlstrata.policies.core.facts import PodStandard
from mlstrata.policies.core.graph import Resource
from mlstrata.policies.core.kinds import WORKLOADS
from mlstrata.policies.core.rule import Context, Domain, Rule, Verdicts, fails, not_applicable
from mlstrata.policies.core.values import Value, dig, listed
from mlstrata.policies.remedies.cluster import RESTRICTED, SECCOMP
from mlstrata.policies.views.iam import EVERYWHERE
from mlstrata.policies.views.kubernetes import namespace
from mlstrata.policies.views.pods import Pod, misshapen, pods, workloads

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
SELINUX = frozenset({"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"})
"""Types of SELinux that the standard allows."""
CAPABILITIES = frozenset(
    {
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE"),
        *("SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    }
)
"""Capabilities of the kernel that the standard `baseline` lets a container add."""
APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
"""What an annotation is called that says a container's AppArmor profile, before its name."""
_ASKED = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle.postStart", "lifecycle.preStop")
WAYS = {"Ingress": "from", "Egress": "to"}
NETWORK_POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"


def _restricted(workload: Resource, context: Context) -> Verdicts:
    standard = context.environment.pods
    strict = standard is PodStandard.RESTRICTED
    found = list(pods(workload))
    odd = list(misshapen(workload, found))
    for what in odd:
        yield fails(f"'{workload.name}' {what}, so nobody knows what runs", "write it as the API of its kind has it")
    if not found and not odd:
        yield not_applicable("it makes no pods")
    for pod in found:
        for what in _looseness(pod, strict=strict):
            yield fails(f"'{workload.name}': {what}", f"meet the pod security standard '{standard}'")


def _looseness(pod: Pod, *, strict: bool) -> Iterator[str]:
    whole = dig(pod.spec, "securityContext", {})
    yield from (f"{field} is on" for field in ("hostNetwork", "hostPID", "hostIPC") if dig(pod.spec, field))
    for volume in listed(pod.spec, "volumes"):
        if "hostPath" in volume:
            yield "a volume is a path of the node"
        elif strict and not VOLUMES.issuperset(volume):
            yield "a volume has a source that the standard does not allow"
    if not SYSCTLS.issuperset(dig(one, "name") for one in listed(whole, "sysctls")):
        yield "a setting of the node's kernel is changed"
    yield from (f"the pod {what}" for what in _common(whole, strict=strict))
    if strict and dig(whole, "runAsNonRoot") is False:
        yield "the pod may run as root"
    for name, profile in dict(pod.annotations or {}).items():
        if name.startswith(APPARMOR) and profile != "runtime/default" and not str(profile).startswith("localhost/"):
            yield f"container {name.removeprefix(APPARMOR)} has no AppArmor profile"
    for container in pod.containers:
        name = dig(container, "name", "?")
        found = _open(container, whole, windows=dig(pod.spec, "os.name") == "windows", strict=strict)
        yield from (f"container {name} {what}" for what in found)


def _open(container: Value, whole: Value, *, windows: bool, strict: bool) -> Iterator[str]:
    """Yield what a container may that the standard forbids; Windows has none of what Linux must drop."""
    own = dig(container, "securityContext", {})
    yield from _common(own, strict=strict)
    if dig(own, "privileged"):
        yield "is privileged"
    if strict and not windows:
        yield from _kept(own, whole)
    if strict and dig(own, "runAsNonRoot", dig(whole, "runAsNonRoot")) is not True:
        yield "may run as root"
    if set(listed(own, "capabilities.add")) - ({"NET_BIND_SERVICE"} if strict else CAPABILITIES):
        yield "is given capabilities of the kernel"
    if dig(own, "procMount", "Default") != "Default":
        yield "sees all of /proc"
    if any(dig(port, "hostPort") for port in listed(container, "ports")):
        yield "takes a port of its node"
    yield from (f"has a {probe} that asks a host of its own" for probe in _ASKED if _asks_a_host(dig(container, probe)))


def _kept(own: Value, whole: Value) -> Iterator[str]:
    if dig(own, "allowPrivilegeEscalation", True):
        yield "may gain privileges"
    if "ALL" not in listed(own, "capabilities.drop"):
        yield "keeps the kernel's capabilities"
    if dig(own, "seccompProfile.type", dig(whole, "seccompProfile.type")) not in SECCOMP:
        yield "has no seccomp profile"


def _common(context: Value, *, strict: bool) -> Iterator[str]:
    """Yield what neither a pod's nor a container's context may say."""
    if strict and dig(context, "runAsUser") == 0:
        yield "runs as root"
    if dig(context, "windowsOptions.hostProcess"):
        yield "is a process of its node"
    if dig(context, "appArmorProfile.type") == "Unconfined":
        yield "has no AppArmor profile"
    if dig(context, "seccompProfile.type") == "Unconfined":
        yield "switches seccomp off"
    if dig(context, "seLinuxOptions.type", "") not in SELINUX:
        yield "has a type of SELinux that the standard does not allow"
    if dig(context, "seLinuxOptions.user") or dig(context, "seLinuxOptions.role"):
        yield "has a user or role of SELinux"


def _asks_a_host(action: Value) -> bool:
    """Return whether a probe, or an action of a container's life, asks another host than its own pod."""
    return any(dig(action, f"{way}.host") for way in ("httpGet", "tcpSocket"))


def _denied(context: Context) -> Verdicts:
    spaces = {namespace(workload) for workload in workloads(context.graph)}
    if not spaces:
        yield not_applicable("nothing runs in a cluster")
    closed: dict[str, set[str]] = {}
    for policy in context.graph.of(NETWORK_POLICY):
        selector = policy.get("spec.podSelector", {})
        if not (isinstance(policy.get("spec"), Mapping) and isinstance(selector, Mapping)):
            continue  # what is not shaped as a policy closes nothing
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
        of_pods=True,
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
