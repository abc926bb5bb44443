"""The platform of a cloud stands on typed outputs of its substrate: a stack's, in a plan else those of a file."""

import json
from functools import cache
from pathlib import Path

import pulumi
import pytest
import yaml

import pulumi_embedded
from mlstrata.components.errors import PlanError
from mlstrata.components.storage.objects import IDENTITY
from mlstrata.environments import EnvironmentSpec, Stage, Workspace, load
from mlstrata.stacks.program import plan
from mlstrata.stacks.substrate import SubstrateOutputs
from tests.support.recorded import Graph, record

ROOT = Path(__file__).parents[3]
PROD = ROOT / "environments/prod.yaml"
STAND_IN = yaml.safe_load((ROOT / "environments/substrates/prod.yaml").read_text(encoding="utf-8"))


def graph_of(spec: EnvironmentSpec, workspace: Workspace | None = None) -> Graph:
    def program() -> None:
        for name, value in plan(spec, workspace or Workspace(ROOT)).items():
            pulumi.export(name, value)

    return record(program, stack=spec.name, dry_run=True)


def refused(folder: Path, **changes: object) -> str:
    """Plan prod over a changed stand-in; return what is told before anything is registered."""
    (folder / "environments/substrates").mkdir(parents=True)
    text = yaml.safe_dump({**STAND_IN, **changes})
    (folder / "environments/substrates/prod.yaml").write_text(text, encoding="utf-8")
    told = []

    def program() -> None:
        with pytest.raises(PlanError) as caught:
            plan(load(PROD), Workspace(folder))
        told.append(str(caught.value))

    assert record(program, stack="prod", dry_run=True).resources == []
    return told[0]


@cache
def shipped() -> Graph:
    return graph_of(load(PROD))


def test_the_provider_reaches_the_substrates_cluster_by_who_deploys():
    (provider,) = [one for one in shipped().resources if one.type == "pulumi:providers:kubernetes"]
    config = json.loads(provider.inputs["kubeconfig"])
    assert config["clusters"][0]["cluster"]["server"] == STAND_IN["cluster"]["endpoint"]
    user = config["users"][0]["user"]
    assert user["exec"]["command"] == "aws"
    assert set(user) == {"exec"}, "no key and no token lies in the state"


def test_the_database_and_the_bucket_are_the_substrates():
    graph = shipped()
    assert not [one for one in graph.resources if one.name == "database"]
    container = graph.one("StatefulSet", "mlflow").inputs["spec"]["template"]["spec"]["containers"][0]
    assert f"--artifacts-destination=s3://{STAND_IN['store']['bucket']}/mlflow" in container["args"]
    assert "AWS_ACCESS_KEY_ID" not in {one["name"] for one in container["env"]}, "a role gets at it, no key"
    dump = graph.one("CronJob", "backup").inputs["spec"]["jobTemplate"]["spec"]["template"]["spec"]["initContainers"][0]
    assert {one["name"]: one.get("value") for one in dump["env"]}["PGHOST"] == STAND_IN["database"]["host"]
    way = graph.one("NetworkPolicy", "mlflow-database").inputs["spec"]["egress"][0]
    assert way == {"to": [{"ipBlock": {"cidr": STAND_IN["network"]}}], "ports": [{"port": 5432, "protocol": "TCP"}]}


def test_whoever_uses_the_bucket_has_its_role_and_nobody_else_has():
    having = {
        one.name for one in shipped().all("ServiceAccount") if IDENTITY in one.inputs["metadata"].get("annotations", {})
    }
    assert having == {
        "mlflow-account",
        "backup-account",
        "serving-mortgage-approval-account",
        "serving-ticket-routing-account",
    }


@cache
def mature() -> Graph:
    values = load(PROD).model_dump(mode="json", by_alias=True)
    return graph_of(EnvironmentSpec.model_validate({**values, "stage": "mature"}))


def test_the_feature_stores_pods_have_a_role_of_their_own_that_only_reads():
    graph = mature()
    account = graph.one("ServiceAccount", "features-account").inputs
    store = graph.one("FeatureStore", "features").inputs
    # The operator makes an account of this name for its pods, unless there is one.
    assert account["metadata"]["name"] == f"feast-{store['metadata']['name']}"
    assert account["metadata"]["namespace"] == store["metadata"]["namespace"]
    assert account["metadata"]["annotations"][IDENTITY] == "pod-identity", "the substrate gives it a role of its own"
    assert account["automountServiceAccountToken"] is False
    env = store["spec"]["services"]["onlineStore"]["server"]["env"]
    assert env == [{"name": "AWS_DEFAULT_REGION", "value": "eu-central-1"}], "no key: its role"
    assert store["spec"]["services"]["onlineStore"]["persistence"]["store"]["type"] == "postgres"
    registered = next(one for one in graph.resources if one.name == "features" and one.kind == "FeatureStore")
    assert graph.one("ServiceAccount", "features-account").urn in registered.dependencies


def test_the_feature_stores_values_lie_in_memory_where_the_substrate_has_a_place_for_them(tmp_path):
    online = {"host": "master.online.cache.amazonaws.com", "port": 6379}
    (tmp_path / "environments/substrates").mkdir(parents=True)
    text = yaml.safe_dump({**STAND_IN, "online": online})
    (tmp_path / "environments/substrates/prod.yaml").write_text(text, encoding="utf-8")
    values = load(PROD).model_dump(mode="json", by_alias=True)
    graph = graph_of(EnvironmentSpec.model_validate({**values, "stage": "mature"}), Workspace(tmp_path))
    services = graph.one("FeatureStore", "features").inputs["spec"]["services"]
    assert services["onlineStore"]["persistence"]["store"]["type"] == "redis"
    assert services["registry"]["local"]["persistence"]["store"]["type"] == "sql", (
        "what is registered stays in Postgres"
    )
    way = graph.one("NetworkPolicy", "features-online").inputs["spec"]["egress"]
    assert way == [{"to": [{"ipBlock": {"cidr": STAND_IN["network"]}}], "ports": [{"port": 6379, "protocol": "TCP"}]}]
    asked = next(one for one in graph.exports["references"] if one["name"] == "feast-stores")
    assert asked["keys"] == ["redis", "sql"]


def service_of_envoy(graph: Graph) -> dict:
    return graph.one("EnvoyProxy", "gateway-proxy").inputs["spec"]["provider"]["kubernetes"]["envoyService"]


def test_the_gateways_load_balancer_is_the_networks_own_unless_the_file_opens_it():
    values = load(PROD).model_dump(mode="json", by_alias=True)
    target = {**values["target"], "open_to": "internet"}
    opened = EnvironmentSpec.model_validate({**values, "target": target})
    prefix, told = "service.beta.kubernetes.io/aws-load-balancer-", []
    for graph in (shipped(), graph_of(opened)):
        service = service_of_envoy(graph)
        assert service["type"] == "LoadBalancer"
        assert service["loadBalancerClass"] == "service.k8s.aws/nlb"
        assert service["allocateLoadBalancerNodePorts"] is False
        told.append({name.removeprefix(prefix): value for name, value in service["annotations"].items()})
    assert [one["scheme"] for one in told] == ["internal", "internet-facing"]
    assert told[0]["subnets"].split(",") == STAND_IN["nodes"]["subnets"]
    assert "subnets" not in told[1], "those of the internet are others"
    for one in told:
        assert one["nlb-target-type"] == "ip"
        assert one["attributes"] == "load_balancing.cross_zone.enabled=true"
        assert (one["healthcheck-protocol"], one["healthcheck-port"]) == ("TCP", "traffic-port")
        # Its one port passes through to Envoy, which has the certificate: nothing is open in plain text.
        assert not {"ssl-cert", "ssl-ports", "backend-protocol"} & set(one)
    (gateway,) = [one for one in shipped().all("Gateway") if one.custom]
    (listener,) = gateway.inputs["spec"]["listeners"]
    assert (listener["protocol"], listener["port"], listener["tls"]["mode"]) == ("HTTPS", 443, "Terminate")


def test_pools_are_made_from_the_substrates_nodes_and_kept_ones_only_grow():
    graph = shipped()
    made = graph.one("EC2NodeClass", "gpu-train-nodes").inputs
    assert made["spec"]["role"] == STAND_IN["nodes"]["role"]
    assert made["spec"]["amiSelectorTerms"] == [{"alias": STAND_IN["nodes"]["image"]}]
    assert [one["id"] for one in made["spec"]["subnetSelectorTerms"]] == STAND_IN["nodes"]["subnets"]
    assert made["spec"]["metadataOptions"]["httpTokens"] == "required"
    pools = {one.name: one.inputs["spec"] for one in graph.all("NodePool")}
    assert pools["gpu-train"]["limits"] == {"nvidia.com/gpu": "8"}
    assert pools["gpu-serve"]["limits"] == {"nvidia.com/gpu": "3"}, "one of four is the node group's"
    reference = pools["gpu-train"]["template"]["spec"]["nodeClassRef"]
    assert reference == {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": made["metadata"]["name"]}


def test_a_pool_that_is_cut_into_parts_is_cut_as_its_nodes_start():
    values = load(PROD).model_dump(mode="json", by_alias=True)
    pool = {"name": "train", "accelerator": "nvidia-a100", "nodes": {"max": 2}, "sharing": {"mig": "2g.10gb"}}
    pool["gpus_per_node"] = 8  # AWS has no smaller machine with these
    spec = EnvironmentSpec.model_validate({**values, "gpu_pools": [pool], "systems": []})
    made = graph_of(spec).one("EC2NodeClass", "gpu-train-nodes").inputs["spec"]
    assert "nvidia-smi mig -cgi 2g.10gb,2g.10gb,2g.10gb -C\n" in made["userData"]
    assert made["userData"].startswith("MIME-Version: 1.0\n")
    assert made["userData"].endswith("--//--\n")
    whole = shipped().one("EC2NodeClass", "gpu-train-nodes").inputs["spec"]
    assert "userData" not in whole


def test_karpenter_and_external_secrets_are_told_where_they_are_and_no_key():
    graph = shipped()
    karpenter = graph.one("Release", "karpenter").inputs["values"]
    assert karpenter["settings"] == {
        "clusterName": STAND_IN["cluster"]["name"],
        "interruptionQueue": STAND_IN["karpenter"]["queue"],
    }
    for name in ("karpenter", "external-secrets"):
        values = graph.one("Release", name).inputs["values"]
        assert "annotations" not in values.get("serviceAccount", {}), "who it is, EKS says by its account's name"
    store = graph.one("ClusterSecretStore", "secrets-store").inputs["spec"]["provider"]["aws"]
    assert store == {"service": "SecretsManager", "region": "eu-central-1"}


def test_moving_up_a_stage_only_adds():
    """But for what predicts: from the stage that records on its pods are told of the recorder."""
    told = ("ConfigMap::serving-", "SeldonDeployment::serving-")
    values = load(PROD).model_dump(mode="json", by_alias=True)
    before: dict[str, dict] = {}
    for stage in Stage:
        spec = EnvironmentSpec.model_validate({**values, "stage": stage.value})
        after = {one.urn: one.inputs for one in graph_of(spec).resources}
        lost = [urn for urn, inputs in before.items() if after.get(urn) != inputs]
        assert [urn for urn in lost if urn not in after or not any(one in urn for one in told)] == [], stage
        before = after
    assert len(before) > 200


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"account": "999999999999"}, "account: got 999999999999, but the environment's target is in 123456789012"),
        ({"region": "eu-west-1"}, "region: got eu-west-1"),
        ({"surprise": 1}, "surprise: extra inputs are not permitted"),
        ({"database": {"host": "db", "port": 0}}, "database.port: input should be greater than or equal to 1"),
        (
            {"nodes": {**STAND_IN["nodes"], "groups": {}}},
            "gpu_pools[1].nodes.min: got 1, but the substrate has no node group for 'serve'",
        ),
        (
            {"store": {**STAND_IN["store"], "features_role": STAND_IN["store"]["role"]}},
            "store: value error, features_role is the role of all others",
        ),
        ({"cluster": {**STAND_IN["cluster"], "endpoint": "http://open"}}, "cluster.endpoint: string should match"),
    ],
)
def test_outputs_that_do_not_fit_are_refused_with_their_place(tmp_path, changes, told):
    assert told in refused(tmp_path, **changes)


def test_with_neither_stack_nor_file_it_is_said_what_to_do(tmp_path):
    def program() -> None:
        with pytest.raises(PlanError, match=r"bring stack prod\.substrate up, or write its outputs there"):
            plan(load(PROD), Workspace(tmp_path))

    assert record(program, stack="prod", dry_run=True).resources == []


PROGRAM = """
import pulumi
from pathlib import Path
from mlstrata.components.errors import PlanError
from environments import Workspace, load
from mlstrata.stacks.substrate import outputs
if pulumi.get_stack() == "prod.substrate":
    for name, value in {given!r}.items():
        pulumi.export(name, value)
else:
    try:
        found = outputs(load(Path({file!r})), Workspace(Path({root!r})))
    except PlanError as error:
        raise pulumi.RunError(str(error)) from None
    pulumi.export("cluster", found.cluster.name)
"""


def test_a_substrate_that_is_up_counts_before_the_file_and_nothing_is_deployed_onto_a_file(tmp_path):
    given = {**STAND_IN, "cluster": {**STAND_IN["cluster"], "name": "real"}}
    (tmp_path / "__main__.py").write_text(PROGRAM.format(given=given, file=str(PROD), root=str(ROOT)), encoding="utf-8")
    (tmp_path / "Pulumi.yaml").write_text("name: seam\nruntime: python\n", encoding="utf-8")
    backend, options = (
        pulumi_embedded.Backend(tmp_path / ".pulumi"),
        pulumi_embedded.Options(passphrase=pulumi_embedded.Passphrase("p")),
    )

    def program(stack: str) -> pulumi_embedded.Program:
        return pulumi_embedded.Program(
            project="seam", stack=stack, main=tmp_path, settings=tmp_path / f"Pulumi.{stack}.yaml"
        )

    assert pulumi_embedded.preview(program("prod"), backend, options).outputs["cluster"] == STAND_IN["cluster"]["name"]
    with pytest.raises(pulumi_embedded.ProgramFailed, match="bring the substrate up first: nothing stands on a file"):
        pulumi_embedded.up(program("prod"), backend, options)
    pulumi_embedded.up(program("prod.substrate"), backend, options)
    assert pulumi_embedded.preview(program("prod"), backend, options).outputs["cluster"] == "real"
    assert pulumi_embedded.up(program("prod"), backend, options).outputs["cluster"] == "real"


def test_the_contract_is_what_a_substrate_exports():
    assert SubstrateOutputs.model_validate(STAND_IN).model_dump(mode="json", exclude_defaults=True) == STAND_IN
