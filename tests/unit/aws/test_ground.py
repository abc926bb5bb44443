"""The substrate of prod: what is made, how it is closed, what stays, and what it hands over."""

import json
from functools import cache

import pytest
import yaml

from mlstrata.environments import Stage, Workspace, load
from mlstrata.environments.loading.errors import SpecErrors
from mlstrata.environments.spec.environment import EnvironmentSpec
from mlstrata.stacks.program import plan
from mlstrata.stacks.substrate import SubstrateOutputs
from tests.support.ground import ACCOUNT, PROD, ROOT, ground_of, prod
from tests.support.recorded import record

TAGS = {"mlstrata.io/owner", "mlstrata.io/cost-centre", "mlstrata.io/system", "mlstrata.io/environment", "Name"}
HOLDING_DATA = {
    *("aws:s3/bucket:Bucket", "aws:rds/instance:Instance", "aws:kms/key:Key", "aws:ecr/repository:Repository"),
    *("aws:cloudwatch/logGroup:LogGroup", "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration"),
}


@cache
def planned():
    return ground_of(prod())


@cache
def made():
    return ground_of(prod(), made=True)


def text(inputs):
    """Inputs to compare: what only AWS can say has a name and no value."""
    return json.dumps(inputs, sort_keys=True, default=lambda one: type(one).__name__)


def test_its_outputs_are_what_the_platform_takes():
    found = SubstrateOutputs.model_validate(json.loads(json.dumps(made().exports)))
    assert found.account == ACCOUNT
    assert len(found.nodes.subnets) == 3
    assert found.nodes.groups == {"serve": "mlstrata-prod-serve"}
    assert found.store.role != found.store.features_role


def test_a_plan_needs_nobodys_answer_and_is_the_same_twice():
    graphs = [planned(), ground_of(prod())]
    first, again = ({one.urn: text(one.inputs) for one in graph.resources} for graph in graphs)
    assert first == again


def test_what_holds_data_is_protected_and_stays():
    holding = [one for one in planned().resources if one.type in HOLDING_DATA]
    assert {one.type for one in holding} == HOLDING_DATA
    assert [one.name for one in holding if not (one.protect and one.retained)] == []
    database = planned().one("Instance", "database").inputs
    assert (database["deletionProtection"], database["skipFinalSnapshot"]) == (True, False)


def test_all_that_can_carry_tags_says_whose_it_is():
    import pulumi_aws

    seen = 0
    for one in planned().resources:
        if not one.type.startswith("aws:"):
            continue
        module, kind = one.type.split(":")[1].partition("/")[0], one.kind
        if "tags" not in vars(getattr(getattr(pulumi_aws, module), kind)):
            continue
        seen += 1
        assert set(one.inputs.get("tags", {})) >= TAGS, f"{one.type} {one.name}"
    assert seen > 80


def test_the_cluster_is_reached_from_its_network_alone_unless_the_file_asks():
    cluster = planned().one("Cluster", "cluster").inputs
    assert cluster["vpcConfig"]["endpointPrivateAccess"] is True
    assert cluster["vpcConfig"]["endpointPublicAccess"] is False
    assert cluster["accessConfig"]["authenticationMode"] == "API"
    assert cluster["encryptionConfig"]["resources"] == ["secrets"]
    assert len(cluster["enabledClusterLogTypes"]) == 5
    opened = ground_of(prod(api_from=["198.51.100.0/24", "10.0.0.0/8"]))
    asked = opened.one("Cluster", "cluster").inputs["vpcConfig"]
    assert asked["endpointPublicAccess"] is True
    assert asked["publicAccessCidrs"] == ["198.51.100.0/24"]
    let_in = {one.inputs.get("cidrIpv4") for one in opened.all("SecurityGroupIngressRule")} - {None}
    assert let_in == {"10.0.0.0/8", "10.64.0.0/16"}


def test_databases_have_no_way_out_and_nodes_one_by_file():
    tables = {one.name for one in planned().all("RouteTableAssociation")}
    assert not [name for name in tables if "data" in name]
    assert len(planned().all("NatGateway")) == 3
    assert len(ground_of(prod(nat="one")).all("NatGateway")) == 1
    closed = ground_of(prod(nat="none"))
    assert not closed.all("NatGateway")
    assert not closed.all("InternetGateway")
    assert not [one for one in closed.all("Route") if one.inputs["destinationCidrBlock"] == "0.0.0.0/0"]
    services = {one.inputs["serviceName"].rpartition("eu-central-1.")[2] for one in closed.all("VpcEndpoint")}
    assert services > {"s3", "ecr.api", "ecr.dkr", "sts", "secretsmanager", "eks-auth"}


def test_values_of_features_lie_in_memory_where_the_file_says_so():
    assert not planned().all("ReplicationGroup")
    graph = ground_of(prod(online_store={"machine": "cache.t4g.small"}), made=True)
    store = graph.one("ReplicationGroup", "online").inputs
    assert (store["nodeType"], store["numCacheClusters"], store["multiAzEnabled"]) == ("cache.t4g.small", 2, True)
    assert store["transitEncryptionMode"] == "required"
    assert store["atRestEncryptionEnabled"] is True
    found = SubstrateOutputs.model_validate(json.loads(json.dumps(graph.exports))).online
    assert found is not None
    assert (found.host, found.port) == ("master.mlstrata-prod-online.cache.amazonaws.com", 6379)
    (rule,) = [one for one in graph.all("SecurityGroupIngressRule") if one.name == "online"]
    assert rule.inputs["referencedSecurityGroupId"] == graph.exports["nodes"]["security_groups"][0]


def test_every_log_that_aws_would_keep_for_good_is_there_before_it_is_written():
    groups = {one.inputs["name"]: one for one in planned().all("LogGroup")}
    database, cluster = planned().one("Instance", "database"), planned().one("Cluster", "cluster")
    for exported in database.inputs["enabledCloudwatchLogsExports"]:
        assert groups[f"/aws/rds/instance/mlstrata-prod/{exported}"].urn in database.dependencies
    assert groups["/aws/eks/mlstrata-prod/cluster"].urn in cluster.dependencies
    assert {one.inputs["retentionInDays"] for one in groups.values()} == {365}, "200 days, and no group knows them"


def test_nodes_come_after_what_they_need_to_get_ready():
    early = {
        planned().one("Addon", f"nodes-{name}").urn for name in ("vpc-cni", "kube-proxy", "eks-pod-identity-agent")
    }
    for group in planned().all("NodeGroup"):
        assert early <= set(group.dependencies)


def test_documents_are_locked_for_ten_years_against_their_owner_too():
    lock = planned().one("BucketObjectLockConfiguration", "documents-lock").inputs
    assert lock["rule"]["defaultRetention"] == {"mode": "COMPLIANCE", "days": 3660}
    assert planned().one("Bucket", "documents").inputs["objectLockEnabled"] is True


def test_a_pool_that_keeps_nodes_has_a_group_that_karpenters_count_leaves_out():
    group = planned().one("NodeGroup", "nodes-serve").inputs
    assert group["scalingConfig"] == {"minSize": 1, "maxSize": 1, "desiredSize": 1}
    assert group["instanceTypes"] == ["g6.2xlarge"]
    assert group["labels"] == {"mlstrata.io/pool": "serve", "mlstrata.io/accelerator": "nvidia-l4"}
    assert {one["key"] for one in group["taints"]} == {"nvidia.com/gpu", "mlstrata.io/pool"}
    assert {one.name for one in planned().all("NodeGroup")} == {"nodes-system", "nodes-serve"}


@pytest.mark.parametrize("stage", [Stage.PREREQUISITES, Stage.MATURE])
def test_whoever_has_an_identity_in_the_cluster_has_a_role_and_nobody_else(stage):
    values = load(PROD).model_dump(mode="json", by_alias=True)
    spec = EnvironmentSpec.model_validate({**values, "stage": stage.value})
    platform = record(lambda: plan(spec, Workspace(ROOT)) and None, stack="prod", dry_run=True)
    wanted = {
        (one.inputs["metadata"]["namespace"], one.inputs["metadata"]["name"])
        for one in platform.all("ServiceAccount")
        if "mlstrata.io/aws-identity" in one.inputs["metadata"].get("annotations", {})
    }
    charts = {one.name for one in platform.all("Release")} & {"karpenter", "external-secrets"}
    given = {
        (one.inputs["namespace"], one.inputs["serviceAccount"]) for one in ground_of(spec).all("PodIdentityAssociation")
    }
    assert wanted
    controller = ("kube-system", "aws-load-balancer-controller")  # which the organisation installs
    assert given == wanted | {(name, name) for name in charts} | {controller}


def test_a_stack_of_another_target_has_no_substrate():
    from mlstrata.components.errors import PlanError
    from mlstrata.stacks.program import plan_substrate

    told = []

    def program():
        with pytest.raises(PlanError) as caught:
            plan_substrate(load(ROOT / "environments/dev.yaml"))
        told.append(str(caught.value))

    assert record(program, stack="dev.substrate", dry_run=True).resources == []
    assert told == ["stack dev.substrate: target.kind: got 'kubernetes'; only aws has a substrate"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("network: 10.64.0.0/24", "private network of /16 to /20"),
        ("network: 8.8.0.0/16", "private network of /16 to /20"),
        ("network: 10.64.1.0/16", "did you mean '10.64.0.0/16'?"),
        ("nodes: {min: 4, max: 2}", "got 4, more than max (2)"),
        ("database: {backup_days: 36}", "backup_days"),
        ('admins: ["role/a"]', "the ARN of a role of IAM"),
        ('kubernetes: "1.9"', "a version of Kubernetes"),
    ],
)
def test_a_wrong_fact_of_the_account_is_told_with_its_place(tmp_path, change, told):
    text = PROD.read_text(encoding="utf-8").replace("  zones: [a, b, c]", f"  zones: [a, b, c]\n  {change}")
    file = tmp_path / "prod.yaml"
    file.write_text(
        text.replace('  admins: ["arn:aws:iam::123456789012:role/platform-admins"]\n', "")
        if "admins" in change
        else text
    )
    with pytest.raises(SpecErrors) as caught:
        load(file)
    assert told in str(caught.value)
    assert "prod.yaml:" in str(caught.value)


def test_the_stand_in_says_of_what_is_known_what_will_be_made():
    stand_in = yaml.safe_load((ROOT / "environments/substrates/prod.yaml").read_text(encoding="utf-8"))
    told, exported = (
        SubstrateOutputs.model_validate(one).model_dump(mode="json")
        for one in (stand_in, json.loads(json.dumps(made().exports)))
    )
    only_aws_knows = [
        *(("cluster", "endpoint"), ("nodes", "subnets"), ("nodes", "security_groups"), ("store", "key")),
        ("database", "host"),
    ]
    for part, name in only_aws_knows:
        assert told[part].pop(name)
        assert exported[part].pop(name)
    # A test cluster, which takes the stand-in's other facts, has a class of this name.
    assert (told.pop("storage_class"), exported.pop("storage_class")) == ("gp3", "ebs-csi-default-sc")
    assert told == exported
