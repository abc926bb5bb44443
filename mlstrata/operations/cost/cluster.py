"""What the objects of a cluster are measured by: on machines of one's own by what their pods ask for."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from decimal import Decimal

from mlstrata.operations.cost.measured import FREE, INCLUDED, Measured, Meter, by_use, count, fixed, metered, unknown
from mlstrata.operations.cost.pods import Pods, Scaled, pods_of, volumes_of
from mlstrata.operations.cost.prices import Unit
from mlstrata.policies.core.graph import Resource
from mlstrata.policies.core.kinds import HIDING, is_of

CPU, MEMORY, STORAGE, JOB = "unit/cpu", "unit/memory", "unit/storage", "unit/job"
DISK, BALANCER, BALANCED = "ebs/gp3", "balancer/network", "balancer/capacity"
ANY_GPU = "unit/gpu"
_ANY_POOL = "its GPUs may be of any pool, so the least of none counts them; name one in serving.resources.pool"
_OWN_DOOR = "a load balancer of the cluster's own: what it costs is not in a plan"
RUNNING = frozenset(
    {
        *("Deployment", "StatefulSet", "ReplicaSet", "SeldonDeployment", "EnvoyProxy", "Prometheus", "Alertmanager"),
        *("Cluster", "PersistentVolumeClaim"),
    }
)
"""Kinds that always have pods or volumes."""
_COMING, _EVERYWHERE = frozenset({"CronJob", "Job"}), "DaemonSet"
_UNHEARD = "no measure is known for its kind"
_HIDDEN = "what a chart or bundle runs is not inspected before a cluster's own tools render it"
_OTHERS = {_EVERYWHERE: "it runs once on each node, and the plan of a cluster of one's own has no nodes"}
_HELD = frozenset(
    {
        *("Namespace", "ServiceAccount", "ConfigMap", "Secret", "LimitRange", "ResourceQuota", "NetworkPolicy"),
        *("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "PriorityClass", "StorageClass"),
        *("PodDisruptionBudget", "HorizontalPodAutoscaler", "CustomResourceDefinition"),
        *("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration"),
        *("GatewayClass", "Gateway", "HTTPRoute", "HTTPRouteFilter", "GRPCRoute", "ReferenceGrant"),
        *("BackendTrafficPolicy", "ClientTrafficPolicy", "SecurityPolicy", "Ingress"),
        *("ServiceMonitor", "PodMonitor", "PrometheusRule", "AlertmanagerConfig", "Probe"),
        *("Issuer", "ClusterIssuer", "Certificate", "Database", "FeatureStore", "EC2NodeClass"),
        *("ExternalSecret", "SecretStore", "ClusterSecretStore", "ScheduledBackup"),
        *("ResourceFlavor", "ClusterQueue", "LocalQueue", "Cohort", "WorkloadPriorityClass"),
    }
)
"""Kinds that run nothing: what they describe is paid where it runs."""


def measured(resource: Resource, by: Scaled, pools: Collection[str], *, rented: bool) -> Measured:
    """Return what an object of a cluster is measured by; pools of machines are `pools.measured`'s.

    Args:
        resource: The object.
        by: What autoscalers resize.
        pools: The pools of GPUs that the plan has.
        rented: Its pods run on machines that the plan has too, which are what is paid.

    Raises:
        UnknownValueError: something that counts is known only after the deployment.
    """
    kind = resource.kind
    if is_of(resource.type, HIDING):
        return _hiding(resource, rented=rented)
    if kind in RUNNING:
        return _running(resource, by, pools, rented=rented)
    if kind == "Service":
        return _door(rented=rented) if resource.get("spec.type") == "LoadBalancer" else FREE
    if kind in _HELD:
        return FREE
    if rented and kind in {*_COMING, _EVERYWHERE}:
        return INCLUDED
    return metered(by_use(JOB, Unit.CPU_HOUR, "its runs")) if kind in _COMING else unknown(_OTHERS.get(kind, _UNHEARD))


def _hiding(resource: Resource, *, rented: bool) -> Measured:
    if resource.name.endswith("-crds"):  # definitions of kinds run nothing
        return FREE
    return INCLUDED if rented else unknown(_HIDDEN)


def _running(resource: Resource, by: Scaled, pools: Collection[str], *, rented: bool) -> Measured:
    volumes, pods = tuple(_volumes(resource, by, rented=rented)), list(pods_of(resource, by))
    loose = [one for one in pods if one.gpus and not one.in_pool(pools)]
    if rented:
        door = _door(rented=True).meters if _opens(resource) else ()
        beside = _ANY_POOL if loose else ""
        return metered(*volumes, *door, beside=beside) if volumes or door or beside else INCLUDED
    if not all(one.cpu and one.memory for one in pods):
        return unknown("its pods ask for no CPU or no memory, by which they would be priced; set its requests")
    meters = [meter for one in pods for meter in _pods(one)]
    # Those of a pool are the pool's to pay.
    meters += [_gpus(one) for one in loose]
    return metered(*meters, *volumes, beside=_OWN_DOOR if _opens(resource) else "")


def _pods(pods: Pods) -> Iterator[Meter]:
    low, high = Decimal(pods.low), Decimal(pods.high)
    number = count(pods.low, pods.high)
    for name, unit, each, what in (
        (CPU, Unit.CPU_HOUR, pods.cpu, "CPU"),
        (MEMORY, Unit.GIB_HOUR, pods.memory, "GiB of memory"),
    ):
        if each:
            yield fixed(name, unit, f"{number} x {_number(each)} {what}", each * low, each * high)


def _gpus(pods: Pods) -> Meter:
    number, each = count(pods.low, pods.high), pods.gpus
    return fixed(ANY_GPU, Unit.GPU_HOUR, f"{number} x {_number(each)} GPUs", each * pods.low, each * pods.high)


def _volumes(resource: Resource, by: Scaled, *, rented: bool) -> Iterator[Meter]:
    for one in volumes_of(resource, by):
        what = f"{count(one.low, one.high)} x {_number(one.size)} GiB of storage"
        # Volumes of pods that were scaled away stay.
        yield fixed(DISK if rented else STORAGE, Unit.GIB_MONTH, what, one.size * one.low, one.size * one.high)


def _opens(resource: Resource) -> bool:
    """Return whether a load balancer is made for it."""
    at = "spec.provider.kubernetes.envoyService.type"
    return resource.kind == "EnvoyProxy" and bool(resource.get(at, "LoadBalancer") == "LoadBalancer")


def _door(*, rented: bool) -> Measured:
    if not rented:
        return unknown(_OWN_DOOR)
    return metered(
        fixed(BALANCER, Unit.HOUR, "1 network load balancer"),
        by_use(BALANCED, Unit.HOUR, "capacity units of its traffic"),
    )


def _number(value: Decimal) -> str:
    return f"{value.normalize():f}" if value == value.to_integral_value() else f"{float(value):.3g}"
