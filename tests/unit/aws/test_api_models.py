"""Every planned input is what AWS's own API takes: names, types, enums, patterns and required members."""

from functools import cache

import pytest

from tests.support.aws_calls import calls, complaints
from tests.support.ground import ground_of, prod

UNMAPPED = {
    # Nothing creates it: the provider takes over the group that the network has already.
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
}


@cache
def planned():
    spec = prod(api_from=["198.51.100.0/24"], online_store={})
    return [one for one in ground_of(spec, made=True).resources if one.custom]


def test_what_is_planned_is_what_the_api_takes():
    assert [what for one in planned() if one.type in calls() for what in complaints(one)] == []


def test_what_has_no_call_is_counted_and_named():
    kinds = {one.type for one in planned() if one.type.startswith("aws:")}
    assert kinds - set(calls()) == UNMAPPED
    assert set(calls()) - kinds == set(), "a mapping that nothing is held against"


@pytest.mark.parametrize(
    ("kind", "change", "told"),
    [
        ("Vpc", {"cidrBlok": "10.0.0.0/16"}, "cidrBlok is no member of ec2.CreateVpc"),
        ("NodeGroup", {"capacityType": "SPOTTY"}, "got 'SPOTTY'; allowed"),
        ("Cluster", {"roleArn": None}, 'Missing required parameter in input: "roleArn"'),
        ("Repository", {"name": "Upper Case"}, "not of the form"),
        ("Instance", {"allocatedStorage": "much"}, "Invalid type for parameter AllocatedStorage"),
        ("Role", {"tags": {"a?": "b"}}, "tag a?"),
        ("Role", {"name": "x" * 65}, "x" * 20),
    ],
)
def test_a_planted_mistake_is_told(kind, change, told):
    from dataclasses import replace

    one = next(one for one in planned() if one.kind == kind)
    inputs = {key: value for key, value in {**one.inputs, **change}.items() if value is not None}
    assert told in "\n".join(complaints(replace(one, inputs=inputs)))
