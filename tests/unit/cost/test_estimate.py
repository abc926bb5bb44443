"""What planned resources cost a month: sums reckoned by hand, ranges, owners, and what has no price."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstrata.operations.cost.document import GROUPS
from mlstrata.operations.cost.model import Owner, Range, split
from mlstrata.operations.errors import UsageError
from mlstrata.policies.core.values import UNKNOWN
from tests.support.priced import deployment, node_class, pool, record, system, table_of

GROUP = "aws:eks/nodeGroup:NodeGroup"


def amounts(low, high=None):
    return Range(Decimal(str(low)), Decimal(str(low if high is None else high)))


def group(low, high, **more):
    scaling = {"minSize": low, "maxSize": high, "desiredSize": low}
    return record(GROUP, "system", {"scalingConfig": scaling, "instanceTypes": ["m.large"], "diskSize": 50, **more})


def account():
    """Resources of an account whose costs are reckoned beside them, 700 hours to the month."""
    return [
        record("aws:eks/cluster:Cluster", "cluster"),  # 0.1 x 700 = 70
        group(3, 9),  # 3 to 9 x (0.2 x 700 + 50 x 0.08) = 3 to 9 x 144 = 432 to 1296
        record("aws:ec2/natGateway:NatGateway", "nat"),  # 0.05 x 700 = 35
        record("aws:kms/key:Key", "key"),  # 1
        record(
            "aws:ec2/vpcEndpoint:VpcEndpoint", "sts", {"vpcEndpointType": "Interface", "subnetIds": ["a", "b", "c"]}
        ),  # 3 x 0.01 x 700 = 21
        record("aws:ec2/vpcEndpoint:VpcEndpoint", "s3", {"vpcEndpointType": "Gateway"}),  # free
        record(
            "aws:rds/instance:Instance",
            "postgres",
            {
                "engine": "postgres",
                "instanceClass": "db.m.large",
                "multiAz": True,
                "allocatedStorage": 100,
                "maxAllocatedStorage": 500,
                "storageType": "gp3",
            },
        ),  # 0.3 x 700 + 100 to 500 x 0.25 = 235 to 335
        record("aws:iam/role:Role", "role"),  # free
    ]


def test_an_account_adds_up_as_by_hand(priced):
    found = priced(account())
    assert found.total == amounts(70 + 432 + 35 + 1 + 21 + 235, 70 + 1296 + 35 + 1 + 21 + 335)
    assert found.free == 2
    # What is paid by use is listed, and so is what has no price at all.
    assert {(one.resource, one.why.split(":")[0]) for one in found.not_priced} == {
        ("nat", "traffic through it"),
        ("sts", "traffic through it"),
        ("postgres", "backups beyond the size of the database"),
    }


def test_a_group_costs_the_disks_of_its_launch_template(priced):
    disks = [{"ebs": {"volumeSize": 100}}, {"ebs": {"volumeSize": 50}}]
    template = record("aws:ec2/launchTemplate:LaunchTemplate", "nodes", {"blockDeviceMappings": disks})
    nodes = replace(group(2, 2, diskSize=20), property_dependencies={"launchTemplate": (template.urn,)})
    assert priced([template, nodes]).total == amounts(2 * (140 + 150 * 0.08))


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("100", "the budget of 100.00 is exceeded by what always runs alone, by 188.00"),
        ("300", "the budget of 300.00 is exceeded by 276.00 when all runs that may"),
        ("576", "the budget of 576.00 holds"),
    ],
)
def test_a_budget_of_the_plan_is_held_against_it(priced, limit, said):
    budget = {"limitAmount": limit, "limitUnit": "USD", "timeUnit": "MONTHLY"}
    found = priced([group(2, 4), record("aws:budgets/budget:Budget", "budget", budget)])
    assert found.total == amounts(288, 576)
    assert found.beyond_budget == said
    assert found.free == 1
    assert priced([record("aws:budgets/budget:Budget", "budget", budget)], currency="EUR").budget is None


def test_use_is_priced_where_it_is_assumed_and_told(priced):
    assumed = [{"name": "nat/traffic", "quantity": 250, "why": "measured in May"}]
    found = priced([record("aws:ec2/natGateway:NatGateway", "nat")], assumed=assumed)
    assert found.total == amounts(35 + 10)
    assert found.assumed == ("nat/traffic: 250 GB a month each; measured in May",)
    assert not found.not_priced


def test_pods_on_a_cluster_of_ones_own_cost_what_they_ask_for(priced):
    scaler = record(
        "kubernetes:autoscaling/v2:HorizontalPodAutoscaler",
        "scaler",
        {
            "metadata": {"namespace": "mlstrata"},
            "spec": {
                "scaleTargetRef": {"kind": "Deployment", "name": "scorer"},
                "minReplicas": 2,
                "maxReplicas": 5,
            },
        },
    )
    claim = {"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "20Gi"}}}}
    found = priced(
        [
            system(),
            deployment("scorer", system="loans"),  # (0.01 + 2 x 0.002) x 700 = 9.80 each, 2 to 5 of them
            deployment("catalog", replicas=2, cpu="500m", memory="512Mi"),  # 2 x (0.005 + 0.001) x 700 = 8.40
            record("kubernetes:core/v1:PersistentVolumeClaim", "data", claim),  # 20 x 0.05 = 1
            scaler,
        ]
    )
    assert found.total == amounts(19.6 + 8.4 + 1, 49 + 8.4 + 1)
    assert found.by(GROUPS["system"]) == {"loans": amounts(19.6, 49), "": amounts(9.4)}
    assert found.by(GROUPS["team"]) == {"lending": amounts(19.6, 49), "": amounts(9.4)}
    assert found.by(GROUPS["cost_centre"]) == {"4711": amounts(19.6, 49), "1000": amounts(9.4)}


def test_pods_on_machines_of_the_plan_are_not_paid_twice_and_say_whose_the_machines_are(priced):
    pods = [system(), deployment("scorer", replicas=3, system="loans"), deployment("catalog")]
    found = priced([group(2, 2), *pods])
    assert found.total == amounts(288)
    assert found.included == 2
    # Three of four equal pods are the system's.
    assert found.by(GROUPS["system"]) == {"loans": amounts(216), "": amounts(72)}


def test_a_pool_costs_from_what_pods_hold_to_all_that_it_may_have(priced):
    # One node: 700 x 0.5 of spot or 700 x 2 on demand, and 100 x 0.08 of disk.
    found = priced([node_class(), pool(4)])
    assert found.total == amounts(0, 4 * (1400 + 8))
    # Nobody holds any of it, so it is the teams' by their quotas of 3 and 1.
    assert found.by(GROUPS["team"]) == {"lending": amounts(0, 4224), "desk": amounts(0, 1408)}
    holding = priced([system(), node_class(), pool(4), deployment("scorer", replicas=2, system="loans", gpu="1")])
    assert holding.total == amounts(2 * (350 + 8), 4 * (1400 + 8))
    assert holding.by(GROUPS["system"])["loans"] == amounts(716, 2816)


def test_gpus_of_ones_own_are_paid_by_the_hour_and_once(priced):
    found = priced([system(), pool(4), deployment("scorer", system="loans", gpu="1")])
    # The pod's CPU and memory; its GPU is the pool's: 1 to 4 x 700.
    assert found.total == amounts(9.8 + 700, 9.8 + 2800)


def test_gpus_in_no_pool_are_paid_each_and_in_one_of_several_told(priced, spec):
    asking = deployment("scorer", replicas=2, gpu="1")
    assert priced([asking]).total == amounts(2 * (9.8 + 700))
    several = spec.model_copy(
        update={"gpu_pools": (*spec.gpu_pools, spec.gpu_pools[0].model_copy(update={"name": "b"}))}
    )
    found = priced([node_class(), pool(4), pool(4, name="b"), asking], several)
    assert found.total.low == 0
    assert [one.resource for one in found.not_priced if "may be of any pool" in one.why] == ["scorer"]


@pytest.mark.parametrize("resources", [[node_class(), pool(3)], [pool(3)], [group(2, 5)]])
def test_doubling_doubles(priced, resources):
    doubled = {
        "gpu-train": lambda one: pool(2 * int(one.inputs["spec"]["limits"]["nvidia.com/gpu"])),
        "system": lambda _: group(4, 10),
    }
    twice = [doubled[one.name](one) if one.name in doubled else one for one in resources]
    once, after = priced(resources).total, priced(twice).total
    assert after == Range(2 * once.low, 2 * once.high)
    assert once.high


def test_no_order_of_resources_changes_anything(priced):
    resources = [
        *account(),
        system(),
        node_class(),
        pool(4),
        deployment("scorer", replicas=2, system="loans", gpu="1"),
        deployment("catalog"),
    ]
    first = priced(resources)
    for at in range(len(resources)):
        assert priced([*resources[at:], *resources[:at]][::-1]) == first


def test_every_grouping_adds_up_to_the_total(priced):
    found = priced([*account(), system(), node_class(), pool(4), deployment("scorer", 3, "loans"), deployment("other")])
    assert found.total.low
    for of in GROUPS.values():
        assert sum(found.by(of).values(), Range()) == found.total


cents = st.integers(0, 10**9).map(lambda one: Decimal(one) / 100)
weights = st.lists(st.decimals("0.001", 1000, places=3), min_size=1, max_size=8)


@given(cents, weights)
def test_parts_are_whole_cents_that_add_up(amount, given_weights):
    owners = {Owner(f"part{at}"): weight for at, weight in enumerate(given_weights)}
    parts = split(amount, owners)
    assert sum(parts.values()) == amount
    assert all(part >= 0 and part == round(part, 2) for part in parts.values())
    exact = {owner: amount * weight / sum(given_weights) for owner, weight in owners.items()}
    assert all(abs(parts[owner] - exact[owner]) < Decimal("0.011") for owner in owners)


@pytest.mark.parametrize(
    ("resource", "why"),
    [
        (record("aws:neptune/cluster:Cluster", "graph"), "no measure is known"),
        (record("gcp:compute/instance:Instance", "elsewhere"), "no measure is known"),
        (record("kubernetes:example.com/v1:Oracle", "oracle"), "no measure is known"),
        (group(1, 2, instanceTypes=["x.huge"]), "no price of ec2/x.huge in eu-central-1"),
        (record("aws:ebs/volume:Volume", "disk", {"size": UNKNOWN}), "known only after the deployment"),
        (record("aws:secretsmanager/secret:Secret", "password"), "no price secret in eu-central-1"),
        (record("kubernetes:helm.sh/v3:Release", "operator"), "a chart or bundle"),
        (record("kubernetes:apps/v1:DaemonSet", "agent"), "once on each node"),
        (record("kubernetes:core/v1:Service", "door", {"spec": {"type": "LoadBalancer"}}), "load balancer"),
        (record("kubernetes:batch/v1:CronJob", "nightly"), "paid by use"),
        (deployment("careless", cpu="0", memory="0"), "ask for no CPU or no memory"),
        (pool(4, name="unheard"), "nothing bounds what it costs"),
    ],
)
def test_what_has_no_price_is_listed_and_never_nothing(priced, resource, why):
    found = priced([resource])
    assert found.total == Range()
    assert [one.resource for one in found.not_priced] == [resource.name]
    assert why in found.not_priced[0].why


def test_a_price_of_another_unit_is_refused(priced):
    prices = [one | {"unit": "month"} if one["name"] == "eks/cluster" else one for one in table_of()["prices"]]
    with pytest.raises(UsageError, match=r"eks/cluster: got a price for a month; allowed hour"):
        priced([record("aws:eks/cluster:Cluster", "cluster")], prices=prices)


def test_a_price_of_another_region_is_none(priced):
    prices = [one | {"region": "us-east-1"} for one in table_of()["prices"]]
    found = priced([record("aws:eks/cluster:Cluster", "cluster")], prices=prices)
    assert found.not_priced[0].why == "1 cluster: no price eks/cluster in eu-central-1"


def test_a_price_that_stands_for_another_region_says_so(priced):
    prices = [one | {"region": "us-east-1", "also": ["eu-central-1"]} for one in table_of()["prices"]]
    found = priced([record("aws:eks/cluster:Cluster", "cluster")], prices=prices)
    assert found.total == amounts(70)
    assert found.assumed == ("prices of us-east-1 stand for those of eu-central-1 that no source has",)
