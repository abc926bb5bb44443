"""Over random valid files: no addresses twice, nothing public unless asked, what holds data protected, all tagged."""

import os
from datetime import timedelta
from ipaddress import IPv4Network

from hypothesis import given, settings
from hypothesis import strategies as st

from mlstrata.components.aws.account import Account
from mlstrata.components.aws.addresses import ZONES, addresses, of_services
from mlstrata.components.aws.instances import MACHINES
from mlstrata.components.aws.logs import period
from mlstrata.components.cluster import Ownership
from mlstrata.environments import EnvironmentSpec
from tests.support.ground import ground_of, prod

STATEFUL = (
    *("aws:s3/bucket:", "aws:rds/instance:", "aws:kms/key:", "aws:ecr/repository:", "aws:cloudwatch/logGroup:"),
    *("aws:s3/bucketObjectLockConfiguration:", "aws:elasticache/replicationGroup:"),
)
TAGS = {"mlstrata.io/owner", "mlstrata.io/cost-centre", "mlstrata.io/system", "mlstrata.io/environment", "Name"}
FILES = int(os.environ.get("MLSTRATA_RANDOM_FILES", "8"))
"""Graphs of whole substrates: each takes a second of a processor, so CI tries few; whoever wants a thousand asks."""


@st.composite
def networks(draw):
    wide = draw(
        st.sampled_from([IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16")])
    )
    prefix = draw(st.integers(16, 20))
    at = draw(st.integers(0, 2 ** (prefix - wide.prefixlen) - 1))
    return IPv4Network((int(wide.network_address) + at * 2 ** (32 - prefix), prefix))


zones = st.lists(st.sampled_from(ZONES), min_size=2, max_size=6, unique=True)


@settings(max_examples=1000)
@given(networks(), zones)
def test_no_two_subnets_overlap_and_all_are_in_the_network_beside_the_services(network, letters):
    made = [one for of in addresses(str(network), letters).values() for one in (of.private, of.public, of.data)]
    assert len(made) == 3 * len(letters)
    assert all(one.subnet_of(network) for one in made)
    assert all(not one.overlaps(other) for at, one in enumerate(made) for other in made[at + 1 :])
    # AWS takes none smaller; a load balancer needs eight addresses in each.
    assert all(one.prefixlen <= 27 for one in made)
    assert not IPv4Network(of_services(str(network))).overlaps(network)


@given(networks(), zones, st.sampled_from(ZONES))
def test_another_zone_moves_nobody(network, letters, more):
    before = addresses(str(network), letters)
    after = addresses(str(network), [*letters, more])
    assert before.items() <= after.items()


@given(st.timedeltas(min_value=timedelta(days=1), max_value=timedelta(days=3653)))
def test_logs_are_kept_as_long_as_the_file_says(kept):
    assert period(kept) >= kept / timedelta(days=1)


@given(st.text("abcdefghijklmnopqrstuvwxyz-", min_size=2, max_size=40), st.text("abc-", min_size=1, max_size=60))
def test_names_are_short_enough_and_different(environment, what):
    account = Account(environment, "eu-central-1", "1" * 12, Ownership("a@example.com", "1"))
    for longest in (32, 63, 64):
        assert len(account.name(what, longest)) <= longest
        assert account.name(what, longest) != account.name(f"{what}x", longest)
    assert len(account.bucket("documents")) <= 63


public = st.integers(1, 200).map(lambda at: f"198.51.{at}.0/24")
private = st.integers(0, 255).map(lambda at: f"10.{at}.0.0/16")
pools = st.lists(
    st.sampled_from([(kind, count) for kind, machines in MACHINES.items() for count in machines]),
    max_size=3,
    unique=True,
)


@st.composite
def files(draw):
    """prod's file with another account: every fact of it that the substrate reads."""
    system = draw(st.booleans())
    asked = draw(pools)
    made = prod(
        network=str(draw(networks())),
        zones=draw(zones),
        nat=draw(st.sampled_from([None, "none", "one", "zones"])),
        open_to=draw(st.sampled_from(["network", "internet"])),
        api_from=draw(st.lists(public | private, max_size=2, unique=True)),
        online_store=draw(st.none() | st.just({})),
        budget=draw(st.none() | st.integers(1, 10_000)),
        nodes={"min": draw(st.integers(1, 3)), "max": draw(st.integers(3, 9))},
        database={"version": draw(st.integers(14, 18)), "backup_days": draw(st.integers(1, 35))},
    ).model_dump(mode="json", by_alias=True)
    return EnvironmentSpec.model_validate(
        {
            **made,
            "name": draw(st.sampled_from(["prod", "a1", "x" * 40])),
            "production": draw(st.sampled_from([None, True, False])),
            "cost_centre": draw(st.none() | st.just("47 11/a")),
            "labels": draw(st.dictionaries(st.sampled_from(["unit", "floor"]), st.sampled_from(["a", "ü?"]))),
            "retention": {**made["retention"], "logs": draw(st.sampled_from(["30d", "184d", "9y"]))},
            "systems": made["systems"][:1] if system else [],
            "gpu_pools": [
                {
                    "name": f"pool{at}",
                    "accelerator": kind.value,
                    "gpus_per_node": count,
                    "nodes": {"min": at, "max": 3},
                }
                for at, (kind, count) in enumerate(asked)
            ],
        }
    )


def taggable(one):
    import pulumi_aws

    module = getattr(pulumi_aws, one.type.split(":")[1].partition("/")[0])
    return "tags" in vars(getattr(module, one.kind))


@settings(max_examples=FILES, deadline=None)
@given(files())
def test_whatever_the_file_nothing_is_public_unless_asked_nothing_with_data_goes_and_all_is_tagged(spec):
    graph = ground_of(spec)
    ours = [one for one in graph.resources if one.type.startswith("aws:")]
    assert [one.name for one in ours if one.type.startswith(STATEFUL) and not (one.protect and one.retained)] == []
    assert [one.name for one in ours if taggable(one) and not set(one.inputs.get("tags", {})) >= TAGS] == []
    asked = {one for one in spec.target.api_from if one.startswith("198.")}
    plane = graph.one("Cluster", "cluster").inputs["vpcConfig"]
    assert plane["endpointPublicAccess"] is bool(asked)
    assert set(plane.get("publicAccessCidrs", [])) == asked
    assert graph.one("Instance", "database").inputs["publiclyAccessible"] is False
    for one in graph.all("SecurityGroupIngressRule"):
        assert one.inputs.get("cidrIpv4") in {None, spec.target.network, *spec.target.api_from}
    assert not [one for one in graph.all("Subnet") if one.inputs["mapPublicIpOnLaunch"]]
    made = [IPv4Network(one.inputs["cidrBlock"]) for one in graph.all("Subnet")]
    assert all(not one.overlaps(other) for at, one in enumerate(made) for other in made[at + 1 :])
    ways_out = {one.name for one in graph.all("Route") if one.inputs.get("destinationCidrBlock") == "0.0.0.0/0"}
    assert bool(ways_out) == (spec.target.nat != "none" or spec.target.open_to == "internet")
    names = [(one.type, one.name) for one in ours]
    assert len(names) == len(set(names))
