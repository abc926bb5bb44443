"""Rollouts for real: MLflow, MLServer and Envoy, judged from a store of what was answered, under load."""

from datetime import UTC, datetime

import pytest

from mlstrata.audit import read, verify
from mlstrata.clients.mlflow import Registry
from mlstrata.environments.spec.system import SystemSpec
from mlstrata.operations.releases import halt, progress, release, status
from mlstrata.operations.releases.beginning import begin
from mlstrata.services.recording.sqlite import open_store
from mlstrata.services.rollout.tally import Tallies
from mlstrata.services.serving.releases import Releases
from tests.support.between import Between
from tests.support.patience import eventually

SYSTEM = "canary-test"
LAST = 64
"""Answers of one version in a row: by chance so many of a half are never seen."""


def declared(**rollout):
    return SystemSpec.model_validate(
        {
            "name": SYSTEM,
            "purpose": "Tells whether an application is likely to be denied.",
            "risk": {"tier": "minimal", "practice": "none", "contact": False},
            "owner": "ana@example.org",
            "model": {"modality": "tabular", "target": "deny", "positive": "yes"},
            "serving": {"sla": {"p99": "2s"}, "limits": {"timeout": "60s"}},
            "rollout": {"strategy": "canary", "steps": [20, 50], "min_sample": 60, "step_time": "1s"} | rollout,
        }
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    opened = open_store(tmp_path_factory.mktemp("store"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def platform(platforms, registered, store):
    one = platforms(SYSTEM, registered.uri, started=False)
    one.between = Between(SYSTEM, one.serving.http_port, store)
    first, *others = one.gateway.systems
    behind = first.model_copy(update={"upstream_port": one.between.port})
    one.gateway = one.gateway.model_copy(update={"systems": (behind, *others)})
    one.start_serving()
    one.start_gateway()
    release(one.context(), SYSTEM, "1", reason="the first")
    yield one
    one.between.end()


@pytest.fixture(autouse=True)
def begun_anew(platform):
    """Version 1 answers, whatever a test before left."""
    platform.between.slow.clear()
    platform.between.ill.clear()
    release(platform.context(), SYSTEM, "1", reason="for the test")


def releases(platform):
    return Releases.read(platform.serving.directory)


def decided(platform, store, system):
    """Advance until the rollout ends; return the actions, each once."""
    actions = []

    def ended():
        found = progress.advance(platform.context(), system, store, datetime.now(UTC), decider="rollout")
        if not actions or actions[-1] != found.action:
            actions.append(found.action)
        return releases(platform).rollout is None

    eventually(ended)
    return [str(one) for one in actions if one != "wait"]


def test_a_good_candidate_takes_over_step_by_step_and_no_request_fails(platform, registered, store):
    with platform.load() as load:
        load.more()
        begin(platform.context(), declared(), "2", reason="better auc", decider="ana")
        registry = Registry(registered.uri)
        assert registry.alias(SYSTEM, "challenger") == "2"
        seen = status(platform.context(), SYSTEM)
        assert (seen.releases.champion, seen.releases.rollout.share, seen.differences) == ("1", 20, ())
        assert decided(platform, store, declared()) == ["advance", "promote"]
        load.more()
    assert set(load.statuses) == {200}
    assert load.versions[-1] == "2"
    assert {"1", "2"} == set(load.versions)
    assert (registry.champion(SYSTEM), registry.alias(SYSTEM, "challenger")) == ("2", None)
    assert status(platform.context(), SYSTEM).differences == ()
    log = platform.context().audit_file
    told = [(one.entry["action"], one.entry["version_to"]) for one in read(log)]
    assert told[-3:] == [("rollout-begin", "2"), ("rollout-advance", "2"), ("release", "2")]
    assert verify(log).ok


@pytest.mark.parametrize("fault", ["ill", "slow"])
def test_a_candidate_that_fails_or_is_slow_is_taken_back_and_kept(platform, registered, store, fault):
    if fault == "ill":
        platform.between.ill.add("2")
    else:
        platform.between.slow["2"] = 2.5
    with platform.load(8) as load:
        begin(platform.context(), declared(), "2", reason="untested")
        assert decided(platform, store, declared()) == ["roll_back"]
        # What was under way is answered by the version that it was sent to.
        eventually(lambda: len(load.versions) > LAST and set(load.versions[-LAST:]) == {"1"})
    found = releases(platform)
    assert (found.champion, found.challenger, found.held) == ("1", None, ("2",))
    assert (platform.serving.directory / "models" / "2").is_dir(), "kept for whoever looks into it"
    assert Registry(registered.uri).alias(SYSTEM, "challenger") is None
    assert "worse: " in [one.entry for one in read(platform.context().audit_file)][-1]["reason"]


def test_a_shadow_is_recorded_answers_nobody_and_waits_for_a_person(platform, store):
    shadow = declared(strategy="shadow", steps=[], min_sample=20)
    tallies = Tallies()
    with platform.load() as load:
        begin(platform.context(), shadow, "2", reason="to compare")

        def judged():
            found, _ = progress.consider(shadow, releases(platform), store, datetime.now(UTC), tallies)
            return found.action == "needs_approval" and "both answered the scores differ by" in found.reason

        eventually(judged)
    assert set(load.versions) == {"1"}
    assert set(load.statuses) == {200}
    progress.approve(platform.context(), SYSTEM, reason="they agree", decider="ana")
    assert decided(platform, store, shadow) == ["promote"]
    assert releases(platform).history[-1].who == "ana"


def test_a_stopped_system_stays_stopped_over_a_restart_until_it_is_resumed(platform):
    assert platform.predict().status_code == 200
    halt.stop(platform.context(), SYSTEM, reason="wrong source", decider="ana")
    refused = platform.predict()
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "stopped")
    # A release changes nothing about it: only a person resumes.
    release(platform.context(), SYSTEM, "2", reason="mended")
    assert platform.predict().json()["error"]["code"] == "stopped"
    halt.resume(platform.context(), SYSTEM, reason="source corrected", decider="ana")
    assert platform.predict().status_code == 200
    told = [one.entry["action"] for one in read(platform.context().audit_file)]
    assert told[-3:] == ["stop", "release", "resume"]
