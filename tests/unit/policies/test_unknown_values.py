"""What is known only after the deployment is neither missing nor fine, wherever it is: a policy says unknown."""

from dataclasses import replace

import pytest

from mlstrata.policies.core.dates import Calendar
from mlstrata.policies.core.evaluate import evaluate
from mlstrata.policies.core.graph import Record
from mlstrata.policies.core.rule import Outcome
from mlstrata.policies.core.values import UNKNOWN
from mlstrata.policies.fixtures.by_policy import cases_of
from mlstrata.policies.fixtures.compliant_world import TODAY, compliant
from mlstrata.policies.rules import RULES

FAULTS = [
    pytest.param(rule, case, id=f"{rule.id}: {case.title}")
    for rule in RULES
    for case in cases_of(rule)
    if case.outcome is Outcome.FAIL and rule.id != "sec-no-plaintext-secret"  # what is not known is not written down
]
SILENT = (Outcome.PASS, Outcome.NOT_APPLICABLE)
PASSED_OVER = {
    "aia-log-retention-6m: a local gateway's log of 30 days",
    "sec-mlflow-auth: a service that does not say",
    "sec-mlflow-auth: the last address counts",
    "sec-mlflow-auth: one of two containers",
}
"""A word of a command that nothing known beside it makes a registry's, or the flag of a log: commands name those."""
BY_ORIGIN = {"data-pii-encrypted-cmk: the provider's key, beside one of this plan"}
"""What is recorded to come from a key of this plan is one, though its name is not known yet."""


def paths(value, path=()):
    """Every place inside a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from paths(inner, (*path, key))


def put(value, path):
    """A copy of a value with one place not known."""
    if not path:
        return UNKNOWN
    key, *rest = path
    if isinstance(value, dict):
        return {**value, key: put(value[key], rest)}
    return [put(inner, rest) if at == key else inner for at, inner in enumerate(value)]


def judged(world, rules=RULES):
    calendar = Calendar.on(TODAY, world.environment.enforcement)
    return evaluate(world.resources.values(), world.environment, calendar, rules=rules)


@pytest.mark.parametrize("name", sorted(compliant().resources))
def test_nothing_is_called_missing_that_is_not_known(name):
    world = compliant()
    record = world.resources[name]
    for path in paths(record.inputs):
        world.resources[name] = replace(record, inputs=put(record.inputs, path))
        failed = [one for one in judged(world).results if one.outcome is Outcome.FAIL and not one.undetermined]
        assert not failed, (path, [(one.rule.id, one.reason) for one in failed])


@pytest.mark.parametrize(("rule", "case"), FAULTS)
def test_no_fault_is_passed_over_that_may_be_in_what_is_not_known(rule, case):
    before, world = compliant(), compliant()
    for edit in case.edits:
        edit(world)
    changed = [one for name, one in world.resources.items() if before.resources.get(name) != one]
    places = [(record, path) for record in changed for path in paths(record.inputs)]
    silent = [
        (record.name, path)
        for record, path in places
        if worst(world, rule, replace(record, inputs=put(record.inputs, path))) in SILENT
    ]
    assert bool(silent) == (f"{rule.id}: {case.title}" in PASSED_OVER | BY_ORIGIN), silent


def worst(world, rule, record: Record) -> Outcome:
    found = world.copy()
    found.resources[record.name] = record
    return judged(found, [rule]).worst[rule.id]


def test_an_unknown_item_of_a_list_is_a_resource_that_is_not_known():
    world = compliant()
    pods = {"items": [UNKNOWN, {"kind": UNKNOWN, "apiVersion": "v1"}]}
    world.add("kubernetes:core/v1:PodList", "pods", pods)
    found = [one for one in judged(world).results if one.rule.id == "sec-pod-restricted" and "pods" in one.subject]
    assert {one.outcome for one in found} == {Outcome.UNKNOWN, Outcome.FAIL}, (
        "a pod without a specification runs nothing"
    )
