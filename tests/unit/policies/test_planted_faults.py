"""Faults planted in the compliant world: each fails its policy, and none but its listed companions."""

import pytest

from mlstrata.environments import Stage
from mlstrata.policies.core.dates import Calendar
from mlstrata.policies.core.evaluate import evaluate
from mlstrata.policies.core.rule import Outcome, undeployed
from mlstrata.policies.fixtures.compliant_world import DIGEST, HIGH_RISK, TODAY, compliant
from mlstrata.policies.fixtures.world import cut, facts, put, without
from mlstrata.policies.rules import RULES

CONTAINER = "spec.template.spec.containers.0"
PREDICTIONS, LOGS, DOCUMENTS = 400.0, 200.0, 3653.0

PLANTED = {
    "a high-risk system whose graph lacks the logger": (
        [cut("mortgage", "spec.predictors.0.graph.logger")],
        {"aia-request-logging"},
    ),
    "a high-risk system whose recorder is declared and absent": ([without("recorder")], {"aia-request-logging"}),
    "30-day retention, declared": (
        [facts(retention={"predictions": 30.0, "logs": LOGS, "documents": DOCUMENTS})],
        {"aia-log-retention-6m"},
    ),
    "30-day retention, deployed": (
        [put("predictions-lifecycle", "rules.0.expiration.days", 30)],
        {"aia-log-retention-6m"},
    ),
    "a tier below its Annex III point": ([put(HIGH_RISK, "risk.tier", "limited")], {"aia-tier-consistent"}),
    "a public bucket": ([put("predictions", "acl", "public-read")], {"data-no-public-store"}),
    "a wildcard role": ([put("reader", "rules.0.resources", ["*"])], {"sec-no-wildcard-rbac"}),
    "a GPU pool that never scales down": (
        [put("train", "spec.disruption.consolidateAfter", "Never")],
        {"gpu-idle-scale-to-zero"},
    ),
    "an unpinned image": (
        [put("recorder", f"{CONTAINER}.image", "ghcr.io/mlstrata/runtime:latest")],
        {"sec-image-digest-pinned"},
    ),
    "a plaintext secret": (
        [put("recorder", f"{CONTAINER}.env", [{"name": "DB_PASSWORD", "value": "hunter2"}])],
        {"sec-no-plaintext-secret"},
    ),
    "an unpinned image of nobody we know": (
        [put("recorder", f"{CONTAINER}.image", "docker.io/somebody/recorder:latest")],
        {"sec-image-digest-pinned", "sec-image-registry-allowed"},
    ),
}


def failing(*edits):
    world = compliant()
    for edit in edits:
        edit(world)
    calendar = Calendar.on(TODAY, world.environment.enforcement)
    report = evaluate(world.resources.values(), world.environment, calendar, rules=RULES)
    return {one.rule.id: one for one in report.results if one.outcome is Outcome.FAIL}, report


@pytest.mark.parametrize(("edits", "policies"), PLANTED.values(), ids=PLANTED)
def test_a_planted_fault_fails_its_policy_and_no_other(edits, policies):
    found, report = failing(*edits)
    assert set(found) == policies
    assert all(one.fix and one.reason for one in found.values())
    mandatory = {name for name, one in found.items() if one.rule.level_at(Stage.SCALE) == "mandatory"}
    assert report.passed == (not mandatory)


def test_all_at_once_each_is_still_found():
    # Without its recorder there is no image of it, and a system that hides its tier is not asked for its logger.
    apart = {"a high-risk system whose recorder is declared and absent", "a tier below its Annex III point"}
    together = [planted for name, planted in PLANTED.items() if name not in apart]
    edits = [edit for edits, _ in together for edit in edits]
    assert set(failing(*edits)[0]) == set().union(*(policies for _, policies in together))


def test_no_fault_no_failure():
    found, report = failing(put("recorder", f"{CONTAINER}.image", f"ghcr.io/mlstrata/runtime@{DIGEST}"))
    assert found == {}
    assert report.passed


def test_every_declared_and_absent_says_what_to_deploy():
    said = undeployed("a kill switch is declared", "is one", "oversight", part="kill-switch", capability="oversight")
    assert said.reason == "a kill switch is declared, and nothing deployed is one"
    assert said.fix == "deploy one, labelled mlstrata.io/part: kill-switch; the capability `oversight` brings it"
    assert undeployed("it serves", "scrapes it", "", fix="deploy a PodMonitor").fix == "deploy a PodMonitor"
