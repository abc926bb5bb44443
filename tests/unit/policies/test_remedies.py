"""A remedied resource passes its policy, mending twice is mending once, and nothing else is touched."""

import copy
from dataclasses import replace

import pytest

from mlstrata.policies.core.catalogue import CATALOGUE
from mlstrata.policies.core.dates import Calendar
from mlstrata.policies.core.evaluate import evaluate
from mlstrata.policies.core.graph import Graph, Resource
from mlstrata.policies.core.levels import Asked, Wish, configured
from mlstrata.policies.core.rule import Domain, Level, Outcome
from mlstrata.policies.core.values import UNKNOWN
from mlstrata.policies.fixtures.by_policy import cases_of
from mlstrata.policies.fixtures.compliant_world import HIGH_RISK, TODAY, compliant
from mlstrata.policies.fixtures.world import cut, having, nothing, put
from mlstrata.policies.rules import RULES
from mlstrata.policies.views.kubernetes import GPU

OPTIONS = {
    "classification": "confidential",
    "owner": "lending@example.com",
    "cost_centre": "4711",
    "certificate_secret": "door",
    "production": "true",
}
BY_ID = {rule.id: rule for rule in RULES}
MENDED = [
    "aia-request-logging", "aia-log-retention-6m", "data-classification-tag",
    "data-no-public-store", "sec-pod-restricted", "sec-tls-ingress", "sec-private-db-endpoint", "rel-prod-replicas",
    "rel-backup-metadata-db", "gpu-limits-set", "gpu-idle-scale-to-zero", "cost-owner-tags",
]  # fmt: skip
CASES = [
    pytest.param(rule, case, id=f"{rule.id}: {case.title}")
    for rule in RULES
    if rule.remedies
    for case in cases_of(rule)
]
_POD = "spec.template.spec"
_C0 = f"{_POD}.containers.0"


def mend(rule, record, options=OPTIONS):
    """A resource's inputs as a policy would have them, by all of its remedies."""
    for remedy in rule.remedies:
        after = remedy.of(Resource(record, Graph([record])), options)
        record = record if after is None else replace(record, inputs=after)
    return record


def check(world):
    calendar = Calendar.on(TODAY, world.environment.enforcement)
    report = evaluate(world.resources.values(), world.environment, calendar, rules=RULES)
    return {result.rule.id for result in report.results if result.outcome is Outcome.FAIL}


def edited(*edits):
    world = compliant()
    for edit in edits:
        edit(world)
    return world


def test_those_that_one_resource_decides_have_a_remedy():
    assert sorted(rule.id for rule in RULES if rule.remedies) == sorted(MENDED)
    assert set(MENDED) <= set(CATALOGUE)


@pytest.mark.parametrize(("rule", "case"), CASES)
def test_mending_is_pure_done_once_and_breaks_no_other_policy(rule, case):
    world = edited(*case.edits)
    before, seen = check(world), copy.deepcopy({name: one.inputs for name, one in world.resources.items()})
    mended = {name: mend(rule, one) for name, one in world.resources.items()}
    assert repr({name: one.inputs for name, one in world.resources.items()}) == repr(seen), "the given stays as it was"
    assert not [one.name for one in mended.values() if mend(rule, one) is not one], "a second time changes nothing"
    touched = [name for name, one in mended.items() if one is not world.resources[name]]
    # A remedy reads the environment's name from the resource's URN, which the fixtures leave as it is.
    if case.outcome is not Outcome.FAIL and not before and world.environment.production:
        assert touched == []
    world.resources = mended
    assert check(world) <= before


@pytest.mark.parametrize(
    ("name", "edits"),
    [
        ("aia-request-logging", [put("mortgage", "spec.predictors.0.graph.logger.mode", "response")]),
        (
            "aia-log-retention-6m",
            [put("platform-logs", "retentionInDays", 30), put("prometheus", "spec.retention", "15d")],
        ),
        ("aia-log-retention-6m", [cut("prometheus", "spec.retention")]),
        ("data-classification-tag", [cut("documents", "tags.mlstrata~io/data-classification")]),
        (
            "data-no-public-store",
            [put("predictions-closed", "blockPublicAcls", False), put("predictions", "acl", "public-read")],
        ),
        (
            "sec-pod-restricted",
            [put("recorder", f"{_POD}.hostNetwork", True), cut("recorder", f"{_C0}.securityContext")],
        ),
        (
            "sec-pod-restricted",
            [put("recorder", f"{_C0}.securityContext", {"privileged": True, "capabilities": {"add": ["NET_ADMIN"]}})],
        ),
        ("sec-tls-ingress", [put("entrance", "spec.listeners.0.protocol", "HTTP")]),
        (
            "sec-tls-ingress",
            [having("kubernetes:networking.k8s.io/v1:Ingress", "open", {"spec": {"rules": [{"host": "a.example"}]}})],
        ),
        ("sec-private-db-endpoint", [put("metadata", "publiclyAccessible", True)]),
        ("rel-prod-replicas", [put("tickets", "spec.replicas", 1), put("mortgage", "spec.predictors.0.replicas", 1)]),
        ("rel-backup-metadata-db", [cut("metadata", "backupRetentionPeriod")]),
        ("gpu-limits-set", [cut("mortgage-training", f"{_C0}.resources.limits")]),
        ("gpu-idle-scale-to-zero", [put("train", "spec.disruption", {})]),
        (
            "cost-owner-tags",
            [cut("metadata", "tags"), put("metadata", "tags", {"mlstrata.io/data-classification": "internal"})],
        ),
        ("cost-owner-tags", [cut("lending", "metadata.labels.mlstrata~io/owner")]),
    ],
)
def test_a_mended_world_passes(name, edits):
    world = edited(*edits)
    assert check(world) == {name}
    world.resources = {key: mend(BY_ID[name], one) for key, one in world.resources.items()}
    assert check(world) == set()


@pytest.mark.parametrize("kind", ["amd.com/gpu", "nvidia.com/mig-1g.5gb"])
def test_the_limit_is_on_the_accelerator_that_is_asked_for(kind):
    """A limit on another kind would leave the pod waiting for nodes that nobody has."""
    asked = {"cpu": "4", "memory": "16Gi", kind: "2"}
    world = edited(put("mortgage-training", f"{_C0}.resources", {"requests": asked, "limits": {kind: "2"}}))
    mended = mend(BY_ID["gpu-limits-set"], world.resources["mortgage-training"])
    (container,) = mended.inputs["spec"]["template"]["spec"]["containers"]
    assert container["resources"] == {"requests": asked, "limits": asked}


@pytest.mark.parametrize(
    ("name", "edits", "why"),
    [
        ("aia-request-logging", [cut("mortgage", "spec.predictors.0.graph.logger")], "where to, nobody said"),
        (
            "sec-pod-restricted",
            [put("recorder", f"{_POD}.volumes", [{"name": "a", "hostPath": {"path": "/"}}])],
            "a path",
        ),
        ("gpu-limits-set", [put("mortgage-training", f"{_C0}.resources", {"requests": {GPU: 1}})], "no memory asked"),
        ("rel-prod-replicas", [put("tickets", "spec.replicas", UNKNOWN)], "not known yet"),
        ("sec-no-wildcard-rbac", [put("reader", "rules.0.verbs", ["*"])], "which rights, nobody said"),
        ("sec-tls-ingress", [having("aws:lb/listener:Listener", "plain", {"protocol": "HTTP"})], "which certificate"),
    ],
)
def test_what_a_person_must_decide_is_left_alone(name, edits, why):
    world = edited(*edits)
    assert not [one.name for one in world.resources.values() if mend(BY_ID[name], one) is not one], why


def test_nothing_is_mended_without_what_must_be_chosen():
    for rule in RULES:
        needs = {option for remedy in rule.remedies for option in remedy.options}
        if needs:
            world = edited(cut("metadata", "tags"), put("tickets", "metadata.labels", {"mlstrata.io/part": "serving"}))
            assert not [one for one in world.resources.values() if mend(rule, one, {}) is not one]
    world = edited(cut("documents", "tags.mlstrata~io/data-classification"))
    rule = BY_ID["data-classification-tag"]
    assert mend(rule, world.resources["documents"], {"classification": "whatever"}) is world.resources["documents"]


def test_copies_are_added_in_production_only():
    world = edited(put("tickets", "spec.replicas", 1))
    rule, tickets = BY_ID["rel-prod-replicas"], world.resources["tickets"]
    for said in ({}, {"production": "false"}):
        assert mend(rule, tickets, said) is tickets
    assert mend(rule, tickets, {"production": "true"}).inputs["spec"]["replicas"] == 2


def test_a_kind_that_only_begins_like_another_is_left_alone():
    world = edited(put("mortgage-alerts", "spec.retention", "1d"))
    rules, prometheus = world.resources["mortgage-alerts"], world.resources["prometheus"]
    assert rules.type.startswith(prometheus.type)
    assert mend(BY_ID["aia-log-retention-6m"], rules) is rules
    (short,) = [edited(put("prometheus", "spec.retention", "1d")).resources["prometheus"]]
    assert mend(BY_ID["aia-log-retention-6m"], short) is not short


def test_an_empty_world_has_nothing_to_mend():
    world = edited(nothing)
    assert world.resources == {}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
@pytest.mark.parametrize("asked", list(Asked))
def test_a_configured_level_never_lowers_what_must_hold(rule, asked):
    found = configured(RULES, {rule.id: Wish(asked)})
    others = [one for one in found.rules if one.id != rule.id]
    assert others == [one for one in RULES if one is not rule]
    now = next((one for one in found.rules if one.id == rule.id), None)
    if rule.domain in {Domain.AI_ACT, Domain.DATA, Domain.SECURITY}:
        assert now is not None
        assert now.level is Level.MANDATORY or now.level is rule.level
        lowers = asked is Asked.DISABLED or (asked is Asked.ADVISORY and rule.level is Level.MANDATORY)
        assert found.refused == ((rule.id,) if lowers else ())
    elif asked is Asked.DISABLED:
        assert now is None
    elif asked in {Asked.ADVISORY, Asked.MANDATORY}:
        assert now.level.value == asked.value
    assert set(found.remedying) == ({rule.id} if asked is Asked.REMEDIATE and rule.remedies else set())


def test_a_level_that_a_policy_has_anyway_leaves_its_stage_to_decide():
    rule = BY_ID["life-promotion-gate"]
    (same,) = (one for one in configured(RULES, {rule.id: Wish(Asked.MANDATORY)}).rules if one.id == rule.id)
    assert same is rule
    assert compliant().resources[HIGH_RISK].inputs
