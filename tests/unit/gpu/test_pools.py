"""Pools of GPUs on a cluster: who may use them, who hears that they do nothing, and what is counted of them."""

import subprocess
from functools import cache
from pathlib import Path

import pulumi
import pytest
import yaml

from mlstrata.components.gpu.args import POOL, TOLERATIONS, tolerations
from mlstrata.components.gpu.rules import groups
from mlstrata.environments import EnvironmentSpec, SpecErrors, Workspace, load
from mlstrata.environments.spec.teams import GpuPoolSpec
from mlstrata.services.alerts.rules import Subject
from mlstrata.stacks.preconditions import problems
from mlstrata.stacks.program import plan
from tests.support.recorded import Graph, record
from tests.unit.stacks.test_kubernetes_observed import PROMTOOL

ROOT = Path(__file__).parents[3]
STAGING = ROOT / "environments/staging.yaml"
POOLS = [
    {"name": "train", "accelerator": "nvidia-l4", "nodes": {"max": 3}, "idle_after": "10m"},
    {"name": "serve", "accelerator": "nvidia-l4", "nodes": {"max": 2}, "teams": ["service-desk"]},
]


@cache
def planned() -> Graph:
    values = load(STAGING).model_dump(mode="json", by_alias=True)
    spec = EnvironmentSpec.model_validate({**values, "gpu_pools": POOLS})

    def program() -> None:
        for name, value in plan(spec, Workspace(ROOT)).items():
            pulumi.export(name, value)

    return record(program, stack="staging")


def pools(*given):
    return tuple(GpuPoolSpec.model_validate(one) for one in given or POOLS)


def test_a_team_runs_beside_the_taints_of_its_own_pools_only():
    assert tolerations(pools(), "service-desk") == TOLERATIONS
    for stranger in ("lending", None):
        (gpu, own) = tolerations(pools(), stranger)
        assert gpu == TOLERATIONS[0]
        assert own == {"key": POOL, "operator": "Equal", "value": "train", "effect": "NoSchedule"}
    assert tolerations(pools(POOLS[0]), None) == TOLERATIONS, "a pool that names no team is for all of them"


def test_the_server_refuses_the_pods_of_others_beside_a_pools_taint():
    policy = planned().one("ValidatingAdmissionPolicy", "admission-pool-serve").inputs["spec"]
    assert policy["failurePolicy"] == "Fail"
    assert "t.value == 'serve'" in policy["validations"][0]["expression"]
    binding = planned().one("ValidatingAdmissionPolicyBinding", "admission-pool-serve-binding").inputs["spec"]
    assert binding["validationActions"] == ["Deny"]
    assert {"key": "mlstrata.io/team", "operator": "NotIn", "values": ["service-desk"]} in binding["matchResources"][
        "namespaceSelector"
    ]["matchExpressions"]
    assert not [one for one in planned().all("ValidatingAdmissionPolicy") if one.name == "admission-pool-train"]


def test_a_system_in_a_pool_of_others_is_refused_by_line(tmp_path):
    text = STAGING.read_text().replace("spot: true, idle_after: 10m}", "teams: [lending]}")
    (tmp_path / "staging.yaml").write_text(text)
    with pytest.raises(SpecErrors, match=r"serving\.resources\.pool: got 'train', which is not for the system's team"):
        load(tmp_path / "staging.yaml")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("gpu_quota: 1", "gpu_quota: 0", "teams[1].gpu_quota: got 0; its systems may hold ticket-routing 1"),
        (
            "gpu: 1, pool: train",
            "gpu: 2, pool: train",
            "serving.resources.gpu: got 2; a node of train has 1 for one pod",
        ),
        ("    team: service-desk\n", "", "got 1; a namespace without a team has no GPUs, so allowed: 0"),
    ],
)
def test_gpus_that_cannot_be_had_are_refused_by_name(tmp_path, old, new, said):
    text = STAGING.read_text()
    assert old in text
    (tmp_path / "staging.yaml").write_text(text.replace(old, new))
    assert [one for one in problems(load(tmp_path / "staging.yaml")) if said in one]


def test_what_serves_comes_before_what_trains_and_training_pushes_nobody_out():
    classes = {one.name: one.inputs for one in planned().all("PriorityClass")}
    order = sorted(classes, key=lambda name: -classes[name]["value"])
    assert order == ["platform-priority-platform", "platform-priority-serving", "platform-priority-training"]
    assert classes["platform-priority-training"]["preemptionPolicy"] == "Never"
    assert classes["platform-priority-serving"]["preemptionPolicy"] == "PreemptLowerPriority"


def test_each_figure_of_a_gpu_says_its_pool():
    spec = planned().one("ServiceMonitor", "gpu-monitor").inputs["spec"]
    assert spec["attachMetadata"] == {"node": True}
    assert spec["endpoints"][0]["relabelings"] == [
        {"sourceLabels": ["__meta_kubernetes_node_label_mlstrata_io_pool"], "targetLabel": "pool"}
    ]
    names = [rule.get("alert") or rule["record"] for rule in rules_of(planned())]
    assert names == [
        *("mlstrata:gpu_held:count", "mlstrata:gpu_used:percent"),
        *("GpuHeldIdle", "GpuNodeUnused", "GpuNodeUnused"),
    ]


def rules_of(graph):
    (group,) = graph.one("PrometheusRule", "gpu-rules").inputs["spec"]["groups"]
    return group["rules"]


def gpu(value, **labels):
    named = {"gpu": "0", "pool": "train", **labels}
    text = ", ".join(f'{name}="{one}"' for name, one in named.items())
    return {"series": f"DCGM_FI_DEV_GPU_UTIL{{{text}}}", "values": f"{value}x1000"}


@pytest.mark.skipif(not Path(PROMTOOL).exists(), reason="needs promtool: run `make install`")
def test_somebody_hears_of_gpus_that_are_held_or_kept_and_do_nothing(tmp_path):
    made = groups(
        pools({**POOLS[0]}, {**POOLS[1], "nodes": {"min": 1, "max": 2}}), Subject("platform", "ops@example.com")
    )
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": made}))
    mine = {"exported_namespace": "ml-lending", "exported_pod": "training-a"}
    busy = {"exported_namespace": "ml-lending", "exported_pod": "training-b"}
    told = {"severity": "warning", "system": "platform", "owner": "ops@example.com"}

    def alert(at, name, *expected):
        return {"eval_time": at, "alertname": name, "exp_alerts": list(expected)}

    idle = {
        "exp_labels": {**told, **mine, "pool": "train"},
        "exp_annotations": {"summary": "training-a of ml-lending holds a GPU and used less than 5 % of it for 6 hours"},
    }
    unused = {
        "exp_labels": {**told, "pool": "train"},
        "exp_annotations": {
            "summary": "nodes of the pool train on which no pod holds a GPU: 1; they are to be given back after 10m"
        },
    }
    document = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    gpu(1, Hostname="a", **mine),
                    gpu(80, Hostname="b", **busy),
                    gpu(0, Hostname="c"),
                    # The one node that the pool keeps may stand still.
                    gpu(0, Hostname="d", pool="serve"),
                ],
                "alert_rule_test": [
                    alert("5h", "GpuHeldIdle"),
                    alert("7h", "GpuHeldIdle", idle),
                    alert("30m", "GpuNodeUnused"),
                    alert("45m", "GpuNodeUnused", unused),
                ],
                "promql_expr_test": [
                    {
                        "expr": "mlstrata:gpu_held:count",
                        "eval_time": "10m",
                        "exp_samples": [
                            {
                                "labels": 'mlstrata:gpu_held:count{exported_namespace="ml-lending", pool="train"}',
                                "value": 2,
                            }
                        ],
                    }
                ],
            }
        ],
    }
    (tmp_path / "test.yml").write_text(yaml.safe_dump(document))
    done = subprocess.run(
        [PROMTOOL, "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
