"""What `mlstrata render` writes is taken by a real API server, stage after stage, and holds what it promises there."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from mlstrata.components.admission.kubernetes import KIND, only_for
from mlstrata.components.gateway.system_route import ON
from tests.support.cluster import Answer, Cluster, Json
from tests.support.rendered import ROOT, STAGES, key

PINNED = "registry.example/tool@sha256:" + "0" * 64
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 10001,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def test_every_stage_is_taken_and_only_adds(stages: dict[str, list[Json]]):
    sizes = [len(stages[stage]) for stage in STAGES]
    assert sizes == sorted(sizes)
    assert sizes[0] > 100


def test_pods_of_what_an_operator_makes_are_taken_as_pods(cluster: Cluster, stages: dict[str, list[Json]]):
    """The definition of a SeldonDeployment leaves pods open: they are asked for as pods."""
    found = 0
    for one in stages[STAGES[-1]]:
        if one["kind"] != "SeldonDeployment":
            continue
        for predictor in one["spec"]["predictors"]:
            for component in predictor["componentSpecs"]:
                name = f"{one['metadata']['name']}-{predictor['name']}"
                metadata = {"name": name, "namespace": one["metadata"]["namespace"]}
                pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": component["spec"]}
                cluster.must([pod], "--dry-run=server")
                found += 1
    assert found


def differences(wanted: Any, live: Any, path: str = "") -> Iterator[str]:
    """Yield where an object that was applied and read back is another than what was written.

    What the server adds is none: whoever deploys by Git compares what was written with what is there.
    """
    if isinstance(wanted, dict) and isinstance(live, dict):
        for key, value in wanted.items():
            yield from differences(value, live.get(key), f"{path}.{key}")
    elif isinstance(wanted, list) and isinstance(live, list) and len(wanted) == len(live):
        for at, (value, there) in enumerate(zip(wanted, live, strict=True)):
            yield from differences(value, there, f"{path}[{at}]")
    elif wanted != live:
        yield f"{path}: {wanted!r} was written, {live!r} is there"


def test_nothing_differs_after_it_was_applied(cluster: Cluster, stages: dict[str, list[Json]]):
    """No tool that compares Git with the cluster, such as Argo CD, sees a change that nobody made."""
    wanted = stages[STAGES[-1]]
    read = cluster.kubectl("get", "-f", "-", "-o", "json", stdin=yaml.safe_dump_all(wanted))
    assert read.code == 0, read.err
    live = {key(one): one for one in read.json["items"]}
    found = [
        f"{one['kind']} {one['metadata']['name']}{line}" for one in wanted for line in differences(one, live[key(one)])
    ]
    assert found == []


def lending(stages: dict[str, list[Json]]) -> str:
    """Return the namespace of the team `lending`."""
    found = [
        one["metadata"]["name"]
        for one in stages[STAGES[-1]]
        if one["kind"] == "Namespace" and one["metadata"].get("labels", {}).get("mlstrata.io/team") == "lending"
    ]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    ("verb", "resource", "allowed"),
    [
        ("get", "pods", True),
        ("get", "pods/log", True),
        ("list", "seldondeployments.machinelearning.seldon.io", True),
        ("list", "httproutes.gateway.networking.k8s.io", True),
        ("create", "jobs.batch", True),
        ("get", "resourcequotas", True),
        ("get", "secrets", False),
        ("list", "secrets", False),
        ("create", "pods", False),
        ("create", "pods/exec", False),
        ("update", "seldondeployments.machinelearning.seldon.io", False),
        ("update", "resourcequotas", False),
        ("delete", "networkpolicies.networking.k8s.io", False),
        ("create", "rolebindings.rbac.authorization.k8s.io", False),
        ("escalate", "roles.rbac.authorization.k8s.io", False),
        ("create", "serviceaccounts/token", False),
        ("impersonate", "serviceaccounts", False),
    ],
)
def test_a_team_can_do_this_at_home_and_nothing_elsewhere(
    cluster: Cluster, stages: dict[str, list[Json]], verb: str, resource: str, allowed: bool
):
    home = lending(stages)
    account = f"{home}:team"
    assert cluster.can(account, verb, resource, home) is allowed
    for other in ("kube-system", home.replace("lending", "service-desk"), home.removesuffix("-lending")):
        assert cluster.can(account, verb, resource, other) is False


def test_nobody_in_the_cluster_has_a_right_without_a_name(cluster: Cluster, stages: dict[str, list[Json]]):
    assert cluster.can(f"{lending(stages)}:default", "list", "pods", lending(stages)) is False
    assert cluster.can("somebody", "list", "pods", lending(stages)) is False


def pod(namespace: str, name: str, *, gpus: int = 0, **container: Any) -> Json:
    limits = {"cpu": "100m", "memory": "64Mi", **({"nvidia.com/gpu": str(gpus)} if gpus else {})}
    only = {
        "name": "main",
        "image": PINNED,
        "resources": {"limits": limits},
        "securityContext": {**RESTRICTED, **container},
    }
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [only]}}


def test_a_pool_of_one_team_takes_no_pod_of_another(cluster: Cluster, stages: dict[str, list[Json]]):
    rule = {"policyName": "only-theirs", "validationActions": ["Deny"]}
    where = {"key": "mlstrata.io/team", "operator": "NotIn", "values": ["service-desk"]}
    match = {"namespaceSelector": {"matchLabels": {"mlstrata.io/environment": "dev"}, "matchExpressions": [where]}}
    made = [
        {"apiVersion": KIND, "kind": kind, "metadata": {"name": "only-theirs"}, "spec": spec}
        for kind, spec in (
            ("ValidatingAdmissionPolicy", only_for("serve", ["service-desk"])),
            ("ValidatingAdmissionPolicyBinding", {**rule, "matchResources": match}),
        )
    ]
    cluster.must(made)
    home = lending(stages)
    taint = {"key": "mlstrata.io/pool", "effect": "NoSchedule"}

    def beside(namespace: str, *tolerations: Json) -> Answer:
        one = pod(namespace, "beside")
        return cluster.apply([{**one, "spec": {**one["spec"], "tolerations": list(tolerations)}}], "--dry-run=server")

    theirs = {**taint, "operator": "Equal", "value": "serve"}
    cluster.eventually("the policy's first refusal", lambda: beside(home, theirs).code != 0)
    for everything in ({**taint, "operator": "Exists"}, {"operator": "Exists"}):
        assert "is for service-desk" in beside(home, everything).err
    assert beside(home, {**taint, "operator": "Equal", "value": "train"}).code == 0
    assert beside(home).code == 0
    assert beside(home.replace("lending", "service-desk"), theirs).code == 0
    cluster.kubectl("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", "only-theirs")


def test_a_quota_refuses_the_gpu_over_the_limit(cluster: Cluster, stages: dict[str, list[Json]]):
    home = lending(stages)
    quota = next(
        one["spec"]["hard"]["requests.nvidia.com/gpu"]
        for one in stages[STAGES[-1]]
        if one["kind"] == "ResourceQuota" and one["metadata"]["namespace"] == home
    )
    allowed = int(quota)
    assert allowed > 0
    cluster.eventually(
        "the quota's first count",
        lambda: "used" in cluster.get("resourcequota", "quota", home).get("status", {}),
    )
    cluster.must([pod(home, "fits", gpus=allowed)], "--dry-run=server")
    refused = cluster.apply([pod(home, "greedy", gpus=allowed + 1)])
    assert refused.code != 0
    assert "exceeded quota" in refused.err


def test_only_the_named_namespaces_may_hold_privileged_pods(stages: dict[str, list[Json]]):
    """DCGM, the device plugin and node-exporter look at the nodes themselves; Kubeflow's workflows are its own."""
    levels = {
        one["metadata"]["name"]: one["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        for one in stages[STAGES[-1]]
        if one["kind"] == "Namespace"
    }
    assert {name for name, level in levels.items() if level != "restricted"} == {"gpu-system", "kubeflow", "monitoring"}
    assert len(levels) > len({"gpu-system", "kubeflow", "monitoring"})


@pytest.mark.parametrize(
    "wrong", [{"privileged": True, "allowPrivilegeEscalation": True}, {"runAsNonRoot": False, "runAsUser": 0}]
)
def test_a_pod_that_asks_for_more_is_refused(cluster: Cluster, stages: dict[str, list[Json]], wrong: dict[str, Any]):
    refused = cluster.apply([pod(lending(stages), "mighty", **wrong)])
    assert refused.code != 0
    assert "violates PodSecurity" in refused.err


def test_an_image_that_can_change_is_refused(cluster: Cluster, stages: dict[str, list[Json]]):
    home = lending(stages)
    moving = {"image": "registry.example/tool:1.0"}

    def refused() -> bool:
        one = pod(home, "moving")
        one["spec"]["containers"][0].update(moving)
        answer = cluster.apply([one], "--dry-run=server")
        return answer.code != 0 and "name it by digest" in answer.err

    # A policy holds some moments after it was taken.
    cluster.eventually("the policy on images", refused)
    cluster.must([pod(home, "fixed")])
    # Nor does it come in by the door for looking into a pod that runs.
    added = {"name": "look", "image": moving["image"], "securityContext": RESTRICTED}
    patch = ("patch", "pod", "fixed", "-n", home, "--subresource=ephemeralcontainers", "--type=strategic", "-p")
    looked = cluster.kubectl(*patch, json.dumps({"spec": {"ephemeralContainers": [added]}}), "--dry-run=server")
    assert looked.code != 0
    assert "name it by digest" in looked.err
    pinned = json.dumps({"spec": {"ephemeralContainers": [{**added, "image": PINNED}]}})
    allowed = cluster.kubectl(*patch, pinned, "--dry-run=server")
    assert allowed.code == 0, allowed.err
    cluster.kubectl("delete", "pod", "fixed", "-n", home, "--now")


def test_who_may_start_jobs_cannot_release_by_one(cluster: Cluster, stages: dict[str, list[Json]]):
    home, account = lending(stages), "release-mortgage-approval"
    cluster.get("serviceaccount", account, home)
    taken = pod(home, "quiet")

    def refused() -> bool:
        one = {**taken, "spec": {**taken["spec"], "serviceAccountName": account}}
        answer = cluster.apply([one], "--dry-run=server")
        return answer.code != 0 and "run this under another account" in answer.err

    cluster.eventually("the policy on accounts", refused)
    cluster.must([{**taken, "spec": {**taken["spec"], "serviceAccountName": "team"}}], "--dry-run=server")


def test_what_serves_must_say_for_which_system(cluster: Cluster, stages: dict[str, list[Json]]):
    served = next(one for one in stages[STAGES[-1]] if one["kind"] == "SeldonDeployment")
    stray = {**served, "metadata": {"name": "stray", "namespace": served["metadata"]["namespace"]}}

    def refused() -> bool:
        answer = cluster.apply([stray], "--dry-run=server")
        return answer.code != 0 and "must say for which AI system" in answer.err

    cluster.eventually("the policy on what serves", refused)
    cluster.must([served], "--dry-run=server")


def test_whoever_watches_over_a_system_can_stop_it_and_do_nothing_else(cluster: Cluster, stages: dict[str, list[Json]]):
    """By the command that the documentation gives."""
    text = (ROOT / "docs/kubernetes.md").read_text(encoding="utf-8")
    (patch,) = re.findall(r"kubectl patch httproute <system>-stop .* --type=json -p '(.*?)'", text, re.DOTALL)
    watcher = ("--as=watcher", "--as-group=mlstrata:dev:mortgage-approval:stop")

    def patched(route: str) -> Answer:
        command = ("patch", "httproute", route, "-n", lending(stages), "--type=json", "-p", patch, "-o", "json")
        return cluster.kubectl(*command, "--dry-run=server", *watcher)

    stopped = patched("mortgage-approval-stop")
    assert stopped.code == 0, stopped.err
    assert stopped.json["spec"]["rules"][0]["matches"][0]["headers"] == [ON]
    assert "forbidden" in patched("mortgage-approval").err
    assert cluster.can("watcher", "list", "httproutes", lending(stages), *watcher[1:]) is False


def test_no_secret_is_rendered(stages: dict[str, list[Json]]):
    assert not [one for objects in stages.values() for one in objects if one["kind"] == "Secret"]
