"""What people see of an environment on a cluster, logs and dashboards; what its teams share: GPUs, Ray, a store."""

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pulumi
import pytest
import yaml

from mlstrata.environments import EnvironmentSpec, SpecErrors, Workspace, load
from mlstrata.stacks.program import plan
from tests.support.recorded import Graph, record

ROOT = Path(__file__).parents[3]
DEV = ROOT / "environments/dev.yaml"
TOOLS = Path(os.environ.get("MLSTRATA_TOOLS", Path.home() / ".cache/mlstrata/tools")) / "bin"
PROMTOOL = shutil.which("promtool") or str(TOOLS / "promtool")


def graph_of(**changes) -> Graph:
    values = load(DEV).model_dump(mode="json", by_alias=True)
    spec = EnvironmentSpec.model_validate({**values, **changes})

    def program() -> None:
        for name, value in plan(spec, Workspace(ROOT)).items():
            pulumi.export(name, value)

    return record(program, stack="dev")


@cache
def shipped() -> Graph:
    return graph_of()


@cache
def stored() -> Graph:
    """An environment whose store is made in the cluster."""
    return graph_of(storage={"kind": "s3"})


def test_logs_are_kept_as_long_as_the_file_says():
    settings = yaml.safe_load(shipped().one("ConfigMap", "logs-settings").inputs["data"]["loki.yaml"])
    assert settings["limits_config"]["retention_period"] == f"{14 * 24}h"
    assert settings["compactor"]["retention_enabled"] is True
    assert settings["analytics"] == {"reporting_enabled": False}
    store = shipped().one("StatefulSet", "logs").inputs["spec"]
    assert store["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}


def test_whoever_collects_logs_reads_them_and_nothing_else():
    graph = shipped()
    roles = [one for one in graph.all("Role") if one.inputs["metadata"]["name"] == "logs"]
    spaces = {one.inputs["metadata"]["namespace"] for one in roles}
    assert spaces == {"mlstrata-dev", "mlstrata-dev-lending", "mlstrata-dev-service-desk"}
    for one in roles:
        assert {resource for rule in one.inputs["rules"] for resource in rule["resources"]} == {"pods", "pods/log"}
        assert {verb for rule in one.inputs["rules"] for verb in rule["verbs"]} == {"get", "list", "watch"}
    pipeline = graph.one("ConfigMap", "logs-collector-settings").inputs["data"]["config.alloy"]
    assert ", ".join(f'"{space}"' for space in sorted(spaces)) in pipeline
    assert pipeline.count("{") == pipeline.count("}")
    assert 'url = "http://mlstrata-dev-logs:3100/loki/api/v1/push"' in pipeline
    (pod,) = [one.inputs["spec"]["template"]["spec"] for one in graph.all("Deployment") if "collector" in one.name]
    assert not [volume for volume in pod["volumes"] if "hostPath" in volume]


def test_without_network_copyleft_there_is_neither_store_nor_dashboards():
    names = {one.name for one in graph_of(licences={"deny": ["AGPL-3.0-only"]}).resources}
    assert not {"logs", "dashboards", "grafana"} & names


@pytest.mark.skipif(not Path(PROMTOOL).exists(), reason="needs promtool: run `make install`")
def test_every_dashboard_asks_prometheus_what_it_understands(tmp_path):
    dashboards = {
        name: json.loads(text)
        for one in shipped().all("ConfigMap")
        if one.inputs["metadata"].get("labels", {}).get("grafana_dashboard") == "1"
        for name, text in one.inputs["data"].items()
    }
    assert set(dashboards) == {"dev-systems.json", "dev-platform.json", "dev-gpus.json"}
    asked = [target["expr"] for one in dashboards.values() for panel in one["panels"] for target in panel["targets"]]
    rules = [{"record": f"panel:{at}", "expr": expression} for at, expression in enumerate(asked)]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(
        [PROMTOOL, "check", "rules", "rules.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for one in dashboards.values():
        places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in one["panels"]]
        assert len(set(places)) == len(places)
    assert len({one["uid"] for one in dashboards.values()}) == len(dashboards)


def pool(**changes) -> list[dict]:
    return [{"name": "shared", "accelerator": "nvidia-a100", "nodes": {"max": 2}, **changes}]


def test_a_gpu_is_shared_in_turns():
    graph = graph_of(gpu_pools=pool(sharing={"time_slices": 4}), systems=[])
    made = graph.one("NodePool", "gpu-shared").inputs["spec"]
    assert made["limits"] == {"nvidia.com/gpu": "8"}, "two nodes with a GPU of four turns each"
    config = made["template"]["metadata"]["labels"]["nvidia.com/device-plugin.config"]
    values = graph.one("Release", "nvidia-device-plugin").inputs["values"]["config"]
    assert values["default"] == "whole"
    slicing = yaml.safe_load(values["map"][config])["sharing"]["timeSlicing"]
    assert slicing["resources"] == [{"name": "nvidia.com/gpu", "replicas": 4}]
    assert "sharing" not in yaml.safe_load(values["map"]["whole"])


def test_a_gpu_is_cut_into_parts():
    graph = graph_of(gpu_pools=pool(sharing={"mig": "3g.20gb"}), systems=[])
    made = graph.one("NodePool", "gpu-shared").inputs["spec"]
    assert made["limits"] == {"nvidia.com/gpu": "4"}, "two nodes with a GPU in two parts each"
    values = graph.one("Release", "nvidia-device-plugin").inputs["values"]["config"]["map"]
    config = made["template"]["metadata"]["labels"]["nvidia.com/device-plugin.config"]
    assert yaml.safe_load(values[config])["flags"] == {"migStrategy": "single"}


@pytest.mark.parametrize(
    ("sharing", "accelerator", "told"),
    [
        ({"mig": "1g.10gb"}, "nvidia-l4", "nvidia-l4 cannot be cut; allowed nvidia-a100, nvidia-h100, nvidia-h200"),
        (
            {"mig": "1g.10gb", "time_slices": 2},
            "nvidia-a100",
            "got both of time_slices and mig; give time_slices or mig",
        ),
        ({}, "nvidia-a100", "got neither; give time_slices or mig"),
        ({"mig": "8g.10gb"}, "nvidia-a100", "allowed a profile such as 1g.10gb or 3g.40gb"),
        ({"time_slices": 1}, "nvidia-a100", "gpu_pools[0].sharing.time_slices"),
    ],
)
def test_sharing_that_no_gpu_can_do_is_refused(tmp_path, sharing, accelerator, told):
    document = {
        "name": "dev",
        "target": {"kind": "kubernetes", "context": "c"},
        "stage": "foundation",
        "gpu_pools": pool(sharing=sharing, accelerator=accelerator),
    }
    (tmp_path / "dev.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(SpecErrors) as caught:
        load(tmp_path / "dev.yaml")
    assert told in str(caught.value)


def test_ray_comes_with_a_system_that_trains_in_several_processes():
    values = load(DEV).model_dump(mode="json", by_alias=True)["systems"][0]
    values["model"]["settings"] = {"workers": 4}
    graph = graph_of(systems=[values])
    assert graph.one("Release", "kuberay").inputs["skipCrds"] is True
    rights = graph.one("Role", "ray-lending-role").inputs["rules"]
    assert {resource for rule in rights for resource in rule["resources"]} == {"rayclusters", "rayjobs"}
    subjects = graph.one("RoleBinding", "ray-lending-binding").inputs["subjects"]
    assert {one["name"] for one in subjects} == {"mlstrata:dev:lending", "team"}
    assert not [one for one in shipped().resources if "ray" in one.name], "nobody asked for it"


def test_a_cluster_without_a_store_gets_one_whose_clients_reach_it_alone():
    graph = stored()
    server = graph.one("StatefulSet", "storage").inputs["spec"]
    (container,) = server["template"]["spec"]["containers"]
    assert {one["name"] for one in container["env"]} == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    way = graph.one("NetworkPolicy", "mlflow-store").inputs["spec"]["egress"][0]
    assert way["ports"] == [{"port": 8333, "protocol": "TCP"}]
    assert "ipBlock" not in json.dumps(way["to"])
    (client,) = graph.one("StatefulSet", "mlflow").inputs["spec"]["template"]["spec"]["containers"]
    told = {one["name"]: one.get("value") for one in client["env"]}
    assert told["AWS_ENDPOINT_URL_S3"] == "http://object-store.mlstrata-dev.svc:8333"
    made = graph.one("Job", "storage-bucket").inputs["spec"]["template"]["spec"]["containers"][0]
    assert made["args"] == ["--bucket=mlstrata-dev", "--versioning"]
    assert (
        graph.one("StatefulSet", "storage").inputs["metadata"]["labels"]["mlstrata.io/data-classification"]
        == "personal"
    )


def test_what_no_capability_brings_comes_when_the_file_names_it():
    graph = graph_of(upstream=[{"name": "keda"}])
    assert graph.one("Release", "keda").inputs["skipCrds"] is True
    assert graph.one("Release", "seldon-core").inputs["values"]["keda"] == {"enabled": True}
    (open_,) = [
        one.inputs["spec"]["ingress"][0]["ports"]
        for one in graph.all("NetworkPolicy")
        if (one.inputs["metadata"]["name"], one.inputs["metadata"]["namespace"]) == ("allow-webhooks", "keda")
    ]
    assert {"port": 6443, "protocol": "TCP"} in open_, "the API server asks it for metrics"
    assert not [one for one in shipped().resources if "keda" in one.name], "nobody named it"


def test_a_job_that_would_change_is_another_one_as_none_can_be_changed():
    first = stored().one("Job", "storage-bucket").inputs
    other = graph_of(storage={"kind": "s3", "versioning": False}).one("Job", "storage-bucket").inputs
    assert first["spec"] != other["spec"]
    assert first["metadata"]["name"] != other["metadata"]["name"]


def test_a_postgres_of_ones_own_is_used_and_none_is_made():
    own = {"host": "db.example.com", "port": 6432, "network": "10.1.0.0/16"}
    target = {**load(DEV).target.model_dump(mode="json"), "database": own}
    graph = graph_of(target=target)
    assert not {"database", "cloudnative-pg"} & {one.name for one in graph.resources}
    way = graph.one("NetworkPolicy", "mlflow-database").inputs["spec"]["egress"][0]
    assert way == {"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}], "ports": [{"port": 6432, "protocol": "TCP"}]}
    asked = {(one["namespace"], one["name"]): one["keys"] for one in graph.exports["references"]}
    assert asked["mlstrata-dev", "database"] == ["password", "uri", "username"]
