"""What waits in a cluster, in words: as the API server, the scheduler and the kubelet describe it."""

from collections.abc import Mapping
from typing import Any

import pytest

from mlstrata.operations.pending.claims import DEFAULT, of_claims
from mlstrata.operations.pending.pods import of_pods
from mlstrata.operations.pending.refused import lacks_pods, of_refused
from mlstrata.operations.pending.room import quantity, requests
from mlstrata.operations.pending.seen import Seen

SPACE = "ml"
TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}


def named(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "namespace": SPACE, "uid": f"uid-of-{name}", **more}


def container(name: str = "main", image: str = "registry.example/tool:1.0", **asked: str) -> dict[str, Any]:
    return {"name": name, "image": image, "resources": {"requests": {k.replace("_", "/"): v for k, v in asked.items()}}}


def unplaced(message: str, *containers: dict[str, Any], reason: str = "Unschedulable", **spec: Any) -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
    owner = {"kind": "ReplicaSet", "name": "mlflow-6d4f9", "controller": True}
    return {
        "metadata": named("mlflow-6d4f9-x2x", labels={"pod-template-hash": "6d4f9"}, ownerReferences=[owner]),
        "spec": {"containers": list(containers) or [container()], **spec},
        "status": {"phase": "Pending", "conditions": [condition]},
    }


def node(name: str, taints: tuple[Mapping[str, str], ...] = (), **there: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": {"pool": name}}, "spec": {"taints": list(taints)}} | {
        "status": {"allocatable": {k.replace("_", "/"): v for k, v in there.items()}}
    }


def on(where: str, phase: str = "Running", **asked: str) -> dict[str, Any]:
    spec = {"nodeName": where, "containers": [container(**asked)]}
    return {"metadata": named(f"on-{where}"), "spec": spec, "status": {"phase": phase}}


def waiting(reason: str, message: str = "", **of_container: Any) -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    status = {"name": "main", "image": "registry.example/tool:1.0", "state": state, **of_container}
    spec = {"nodeName": "a", "containers": [container()]}
    return {"metadata": named("tool"), "spec": spec, "status": {"phase": "Pending", "containerStatuses": [status]}}


def event(kind: str, name: str, reason: str, message: str, at: str = "2026-11-29T08:00:00Z") -> dict[str, Any]:
    about = {"kind": kind, "name": name, "namespace": SPACE, "uid": f"uid-of-{name}"}
    return {"metadata": named("e"), "reason": reason, "message": message, "involvedObject": about, "lastTimestamp": at}


def claim(storage_class: str | None, **annotations: str) -> dict[str, Any]:
    spec: dict[str, Any] = {"resources": {"requests": {"storage": "1Gi"}}}
    if storage_class is not None:
        spec["storageClassName"] = storage_class
    return {"metadata": named("data", annotations=annotations), "spec": spec, "status": {"phase": "Pending"}}


def storage(name: str, mode: str, provisioner: str = "ebs.csi.aws.com", **annotations: str) -> dict[str, Any]:
    metadata = {"name": name, "annotations": annotations}
    return {"metadata": metadata, "volumeBindingMode": mode, "provisioner": provisioner}


TOO_LARGE = (
    "0/2 nodes are available: 2 Insufficient cpu. no new claims to deallocate, preemption: 0/2 nodes are "
    "available: 2 No preemption victims found for incoming pod."
)


def reason_of(pod: dict[str, Any], **seen: Any) -> str:
    found = list(of_pods(Seen(pods=[pod], **seen)))
    assert len(found) <= 1
    return found[0].reason if found else ""


def test_a_pod_that_fits_nowhere_has_what_it_asks_and_what_is_free():
    nodes = [node("a", cpu="4", memory="16Gi"), node("b", cpu="8", memory="16Gi")]
    placed = [on("b", cpu="5500m"), on("b", cpu="500m"), on("b", "Succeeded", cpu="2"), on("a", cpu="3")]
    pod = unplaced(TOO_LARGE, container(cpu="64"))
    (wait,) = of_pods(Seen(pods=[pod], nodes=lambda: nodes, placed=lambda: placed))
    assert str(wait) == ("waits: pod mlflow in ml: no node fits: cpu 64 asked, 2 free on the freest of 2 nodes"), (
        "the controller's name: each try has a pod of another"
    )
    assert wait.topic == "no node fits: cpu", "what is free changes while others come and go"


@pytest.mark.parametrize(
    ("message", "pod", "nodes", "says"),
    [
        ("1 Insufficient memory.", {"memory": "64Gi"}, [node("a", memory="8Gi")], "memory 64 GiB asked, 8 GiB free on"),
        ("1 Insufficient nvidia.com/gpu.", {"nvidia.com_gpu": "2"}, [node("a", cpu="8")], "nvidia.com/gpu 2 asked, 0"),
        ("1 Insufficient cpu.", {"cpu": "8"}, [node("gpu", (TAINT,), cpu="64")], "no node fits: 1 Insufficient cpu"),
        ("no nodes available to schedule pods", {}, [], "no node fits: no nodes available to schedule pods"),
        (
            "0/1 nodes are available: 1 node(s) had untolerated taint(s). preemption: 0/1 nodes are available.",
            {},
            [],
            "no node fits: 0/1 nodes are available: 1 node(s) had untolerated taint(s)",
        ),
    ],
    ids=["memory", "a device", "a node that it may not be on", "no nodes", "a taint"],
)
def test_why_no_node_fits(message, pod, nodes, says):
    assert says in reason_of(unplaced(message, container(**pod)), nodes=lambda: nodes)


def test_a_pod_whose_claim_has_no_volume_is_told_by_its_claim_alone():
    said = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"
    assert not reason_of(unplaced(said))


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_what_ended_or_is_being_deleted_waits_for_nothing(phase):
    ended = waiting("ImagePullBackOff")
    ended["status"]["phase"] = phase
    assert not reason_of(ended)
    leaving = waiting("ImagePullBackOff")
    leaving["metadata"]["deletionTimestamp"] = "2026-11-29T08:00:00Z"
    assert not reason_of(leaving)


@pytest.mark.parametrize(
    ("why", "said", "events", "is_told"),
    [
        ("ErrImagePull", 'rpc error: code = NotFound desc = "x": not found', [], "image not found: {image}"),
        ("ImagePullBackOff", 'Back-off pulling image "x": ErrImagePull: x: not found', [], "image not found: {image}"),
        (
            "ImagePullBackOff",
            'Back-off pulling image "x"',
            [event("Pod", "tool", "Failed", 'Failed to pull image "x": manifest unknown')],
            "image not found: {image}",
        ),
        (
            "ErrImagePull",
            "pull access denied, repository does not exist or may require authorization",
            [],
            "the registry refuses {image}: pull access denied, repository does not exist or may require authorization",
        ),
        ("ErrImagePull", "dial tcp: i/o timeout", [], "image cannot be pulled: {image}: dial tcp: i/o timeout"),
        ("ContainerCreating", "", [], ""),
        (
            "ContainerCreating",
            "",
            [event("Pod", "tool", "FailedMount", 'MountVolume.SetUp failed : secret "mlflow-access" not found')],
            'MountVolume.SetUp failed : secret "mlflow-access" not found',
        ),
        ("CreateContainerConfigError", 'secret "mlflow-access" not found', [], 'secret "mlflow-access" not found'),
    ],
    ids=["image", "again", "in the event alone", "refused", "silent", "starting", "mount", "secret"],
)
def test_why_a_container_does_not_start(why, said, events, is_told):
    image = "registry.example/tool:1.0"
    assert reason_of(waiting(why, said), events=events) == is_told.format(image=image)


def test_an_event_about_an_earlier_object_of_the_same_name_is_not_this_ones():
    earlier = event("Pod", "tool", "FailedMount", "gone")
    earlier["involvedObject"]["uid"] = "another"
    assert not reason_of(waiting("ContainerCreating"), events=[earlier])


def test_what_ends_again_and_again_has_its_code_and_where_its_words_are():
    ended = {"terminated": {"exitCode": 3, "message": "no such table"}}
    told = reason_of(waiting("CrashLoopBackOff", "back-off 10s restarting", lastState=ended))
    assert told.startswith("main ends again and again with code 3: no such table; kubectl logs -n ml tool -c main")


@pytest.mark.parametrize(
    ("one", "classes", "is_told"),
    [
        (claim("fast"), [storage("slow", "Immediate")], "no storage class 'fast'; the cluster has slow: target."),
        (claim("fast"), [], "no storage class 'fast'; the cluster has none: target."),
        (claim(None), [storage("slow", "Immediate")], "no volume: it names no storage class, and the cluster has no"),
        (claim("fast"), [storage("fast", "WaitForFirstConsumer")], ""),
        (
            claim("fast", **{"volume.kubernetes.io/selected-node": "a"}),
            [storage("fast", "WaitForFirstConsumer")],
            "no volume yet: ebs.csi.aws.com is to make 1Gi of class 'fast'",
        ),
        (
            claim("disk"),
            [storage("disk", "Immediate", "kubernetes.io/no-provisioner")],
            "no volume: no 1Gi of class 'disk' is free, and nothing makes one",
        ),
        (claim("fast"), None, "no volume of class 'fast'"),
    ],
    ids=["unknown class", "no classes", "no default", "first consumer", "a node is chosen", "static", "not allowed"],
)
def test_what_a_claim_waits_for(one, classes, is_told):
    found = [wait.reason for wait in of_claims(Seen(claims=[one], classes=classes))]
    assert len(found) == bool(is_told)
    assert all(reason.startswith(is_told) for reason in found)


def test_a_provisioner_that_fails_is_told_in_its_own_words_and_one_that_works_is_given_time():
    fast = storage("fast", "Immediate", **{DEFAULT: "true"})
    failed = event("PersistentVolumeClaim", "data", "ProvisioningFailed", "quota of disks reached")
    (wait,) = of_claims(Seen(claims=[claim("fast")], classes=[fast], events=[failed]))
    assert (wait.reason, wait.passing) == ("no volume: quota of disks reached", False)
    (wait,) = of_claims(Seen(claims=[claim("fast")], classes=[fast]))
    assert wait.passing
    static = storage("fast", "Immediate", "kubernetes.io/no-provisioner")
    (wait,) = of_claims(Seen(claims=[claim("fast")], classes=[static], events=[failed]))
    assert wait.reason == "no volume: no 1Gi of class 'fast' is free, and nothing makes one"
    bound = claim("fast")
    bound["status"]["phase"] = "Bound"
    assert not list(of_claims(Seen(claims=[bound], classes=[fast])))


QUOTA = (
    'pods "mlflow-6d4f9abc-" is forbidden: exceeded quota: mlstrata, requested: limits.memory=2Gi,requests.cpu=64, '
    "used: limits.memory=1Gi,requests.cpu=3, limited: limits.memory=4Gi,requests.cpu=8"
)


def test_a_quota_has_what_is_asked_and_what_is_used_of_it():
    (wait,) = of_refused(Seen(events=[event("ReplicaSet", "mlflow-6d4f9abc", "FailedCreate", QUOTA)]))
    assert (wait.kind, wait.name) == ("deployment", "mlflow")
    assert wait.reason == (
        "quota 'mlstrata': limits.memory 2Gi asked, 1Gi of 4Gi used; requests.cpu 64 asked, 3 of 8 used"
    )


def test_only_the_newest_refusal_counts_and_only_while_pods_are_missing():
    early = event("StatefulSet", "store", "FailedCreate", QUOTA, "2026-11-29T08:00:00Z")
    late = event(
        "StatefulSet", "store", "FailedCreate", 'pods "store-0" is forbidden: violates PodSecurity', "2026-11-30"
    )
    (wait,) = of_refused(Seen(events=[late, early]))
    assert (wait.kind, wait.reason) == ("statefulset", "its pods are refused: violates PodSecurity")
    assert not list(of_refused(Seen(events=[late, early], short=lambda _event: False)))


@pytest.mark.parametrize(
    ("kind", "controller", "lacks"),
    [
        ("ReplicaSet", {"spec": {"replicas": 2}, "status": {"replicas": 1}}, True),
        ("StatefulSet", {"spec": {"replicas": 2}, "status": {"replicas": 2}}, False),
        ("DaemonSet", {"status": {"desiredNumberScheduled": 2, "currentNumberScheduled": 1}}, True),
        ("Job", {"status": {"active": 1}}, False),
        ("Job", {"status": {}}, True),
    ],
)
def test_whether_a_controller_lacks_pods(kind, controller, lacks):
    assert lacks_pods(kind, controller) is lacks


@pytest.mark.parametrize(
    ("text", "amount"), [("500m", 0.5), ("64", 64), ("2Gi", 2**31), ("1e3", 1000), ("1.5k", 1500), ("100n", 1e-7)]
)
def test_quantities_are_those_of_kubernetes(text, amount):
    assert float(quantity(text)) == amount


@pytest.mark.parametrize("text", ["", "many", "1 Gi", "1gi"])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(ValueError, match="not a quantity"):
        quantity(text)


def test_a_first_step_counts_where_it_is_larger_and_a_sidecar_beside_the_others():
    first, sidecar = container("first", cpu="4"), {**container("sidecar", cpu="1"), "restartPolicy": "Always"}
    limited = {"name": "limited", "resources": {"limits": {"cpu": "2"}}}
    spec = {"containers": [limited], "initContainers": [first, sidecar], "overhead": {"cpu": "100m"}}
    assert float(requests({"spec": spec})["cpu"]) == pytest.approx(4.1)
