"""Remedies of what runs in a cluster: restricted pods, copies, limits, idle nodes, doors, loggers."""

from __future__ import annotations

from collections.abc import Mapping

from mlstrata.policies.adapters.remedy import Options, Remedy, changed
from mlstrata.policies.core.graph import Resource
from mlstrata.policies.core.kinds import KSERVE, LONG_RUNNING, SELDON, WORKLOADS
from mlstrata.policies.core.values import Value, dig, listed
from mlstrata.policies.views.kubernetes import accelerators, kept, units
from mlstrata.policies.views.pods import Pod, pods
from mlstrata.policies.views.serving import is_serving

FEWEST = 2
SECCOMP = {"RuntimeDefault", "Localhost"}
IDLE = "10m"
COUNTED = tuple(kind for kind in LONG_RUNNING if not kind.endswith(":DaemonSet"))
"""What runs in a number of copies: a DaemonSet has one a node."""
INGRESS = "kubernetes:networking.k8s.io/v1:Ingress"
GATEWAY = "kubernetes:gateway.networking.k8s.io/v1:Gateway"
NODE_POOL = "kubernetes:karpenter.sh/v1:NodePool"
NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"


def _restricted(workload: Resource, _: Options) -> Mapping[str, Value]:
    inputs = workload.inputs
    for pod in _written(workload):
        if any("hostPath" in volume for volume in listed(pod.spec, "volumes")):
            return workload.inputs  # where its files come from instead, a person must say
        for field in ("hostNetwork", "hostPID", "hostIPC"):
            if dig(pod.spec, field):
                inputs = changed(inputs, f"{pod.path}.{field}", False)
        whole, windows = dig(pod.spec, "securityContext", {}), dig(pod.spec, "os.name") == "windows"
        for kind in ("initContainers", "containers", "ephemeralContainers"):
            for at, container in enumerate(listed(pod.spec, kind)):
                old = dig(container, "securityContext", {})
                if (new := _context(old, whole, windows=windows)) != old:
                    inputs = changed(inputs, f"{pod.path}.{kind}.{at}.securityContext", new)
    return inputs


def _written(workload: Resource) -> list[Pod]:
    """Return the pods that stand in a workload as they are."""
    return [pod for pod in pods(workload) if not pod.assembled]


def _context(own: Mapping[str, Value], whole: Value, *, windows: bool) -> Mapping[str, Value]:
    """Return a container's security context as the pod security standard 'restricted' has it."""
    new = {
        key: value for key, value in own.items() if (key, value) not in (("runAsUser", 0), ("procMount", "Unmasked"))
    }
    if dig(own, "privileged"):
        new["privileged"] = False
    if dig(own, "runAsNonRoot", dig(whole, "runAsNonRoot")) is not True:
        new["runAsNonRoot"] = True
    if windows:
        return new
    new["allowPrivilegeEscalation"] = False
    dropped, added = listed(own, "capabilities.drop"), listed(own, "capabilities.add")
    kept = [one for one in added if one == "NET_BIND_SERVICE"]
    if "ALL" not in dropped or kept != added:
        drop = dropped if "ALL" in dropped else [*dropped, "ALL"]
        new["capabilities"] = {"drop": drop, **({"add": kept} if kept else {})}
    if dig(own, "seccompProfile.type", dig(whole, "seccompProfile.type")) not in SECCOMP:
        new["seccompProfile"] = {"type": "RuntimeDefault"}
    return new


def _copies(serving: Resource, options: Options) -> Mapping[str, Value]:
    inputs = serving.inputs
    if not is_serving(serving) or options["production"].lower() != "true":
        return inputs
    common = int(serving.get("spec.replicas", 1))
    if not serving.type.startswith(SELDON):
        return changed(inputs, "spec.replicas", FEWEST) if common < FEWEST else inputs
    for at, predictor in enumerate(serving.all("spec.predictors")):
        # An autoscaler's bounds are a person's to raise: they say what the load may cost.
        if (
            not dig(predictor, "shadow")
            and kept(predictor) is None
            and int(dig(predictor, "replicas", common)) < FEWEST
        ):
            inputs = changed(inputs, f"spec.predictors.{at}.replicas", FEWEST)
    return inputs


def _limits(workload: Resource, _: Options) -> Mapping[str, Value]:
    """Limit a container to what it asks for; one that asks for no CPU or memory is a person's to bound."""
    inputs = workload.inputs
    for pod in _written(workload):
        for kind in ("initContainers", "containers"):
            for at, container in enumerate(listed(pod.spec, kind)):
                if not (kinds := {name: str(count) for name, count in accelerators(container).items() if count}):
                    continue
                asked, limits = dig(container, "resources.requests", {}), dig(container, "resources.limits", {})
                wanted = {**asked, **kinds, **{key: value for key, value in limits.items() if value}}
                new = {**limits, **{key: wanted.get(key) for key in (*kinds, "cpu", "memory")}}
                if not all(new.values()):
                    return workload.inputs
                if new != limits:
                    inputs = changed(inputs, f"{pod.path}.{kind}.{at}.resources.limits", new)
    return inputs


def _idle(pool: Resource, _: Options) -> Mapping[str, Value]:
    if pool.type == NODE_POOL:
        keys = [str(dig(one, "key", "")) for one in pool.all("spec.template.spec.requirements")]
        never = str(pool.get("spec.disruption.consolidateAfter", "Never")) == "Never"
        if never and any("gpu" in key or "accelerator" in key for key in keys):
            return changed(pool.inputs, "spec.disruption.consolidateAfter", IDLE)
    return pool.inputs


def _doors(door: Resource, options: Options) -> Mapping[str, Value]:
    """Give a door the certificate that a person chose."""
    secret = options["certificate_secret"]
    if door.type == INGRESS:
        if door.all("spec.tls"):
            return door.inputs
        hosts = [host for rule in door.all("spec.rules") if (host := dig(rule, "host"))]
        return changed(door.inputs, "spec.tls", [{"hosts": hosts, "secretName": secret}])
    inputs = door.inputs
    for at, listener in enumerate(door.all("spec.listeners")):
        if dig(listener, "protocol") == "HTTP":
            tls = {"mode": "Terminate", "certificateRefs": [{"name": secret}]}
            inputs = changed(inputs, f"spec.listeners.{at}", {**listener, "protocol": "HTTPS", "tls": tls})
    return inputs


def _recorded(serving: Resource, _: Options) -> Mapping[str, Value]:
    """Have a logger that is there, and knows where to send, send everything; where to, a person must say."""
    inputs = serving.inputs
    if serving.type.startswith(KSERVE):
        known = serving.get("spec.predictor.logger.url") and serving.get("spec.predictor.logger.mode") != "all"
        return changed(inputs, "spec.predictor.logger.mode", "all") if known else inputs
    for at, predictor in enumerate(serving.all("spec.predictors")):
        graph = dig(predictor, "graph")
        if any(dig(unit, "logger.mode") == "all" and dig(unit, "logger.url") for unit in units(graph)):
            continue
        if not dig(graph, "logger.url"):
            return serving.inputs
        inputs = changed(inputs, f"spec.predictors.{at}.graph.logger.mode", "all")
    return inputs


RESTRICTED = Remedy(WORKLOADS, _restricted)
COPIES = Remedy(
    (SELDON, *COUNTED), _copies, {"production": "`true` where people depend on it, which the resource does not say."}
)
LIMITS = Remedy(WORKLOADS, _limits)
IDLE_NODES = Remedy((NODE_POOL,), _idle)
DOORS = Remedy((INGRESS, GATEWAY), _doors, {"certificate_secret": "Secret with the certificate of a door without one."})
RECORDED = Remedy((SELDON, KSERVE), _recorded)
