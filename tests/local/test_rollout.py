"""Releases and rollbacks, for real: MLflow, MLServer and Envoy, under load and killed at every step."""

import json
import os
import shutil
import subprocess
import sys
import threading
from contextlib import suppress

import pytest

from mlstrata.audit import read, verify
from mlstrata.clients.mlflow import Registry
from mlstrata.files import write
from mlstrata.operations.releases import RolloutError, release, rollback, status
from mlstrata.operations.releases.local import STEPS
from mlstrata.services.serving.releases import FILE, Releases
from tests.support.patience import PATIENCE, eventually

SYSTEM, CRASHED, LOADED = "rollout-test", "crash-test", "load-test"


@pytest.fixture(scope="module")
def platform(platforms, registered):
    return platforms(SYSTEM, registered.uri)


@pytest.fixture
def released(platform):
    """Version 1 released, whatever a test before left."""
    release(platform.context(), SYSTEM, "1", reason="for the test")
    return platform


def serves(platform):
    answer = platform.predict()
    assert answer.status_code == 200, answer.text
    return answer.json()["model"]["version"]


def history(platform):
    return Releases.read(platform.serving.directory).history


def test_a_first_release_and_the_next_are_recorded_everywhere(platform, registered):
    steps = []
    context = platform.context(on_step=steps.append)
    first = release(context, SYSTEM, "1", reason="the first", decider="ana")
    assert (first.version, first.previous, first.changed) == ("1", None, True)
    assert steps == list(STEPS)
    assert serves(platform) == "1"
    second = release(context, SYSTEM, "2", reason="better auc")
    assert (second.version, second.previous) == ("2", "1")
    assert serves(platform) == "2"
    told = [(one.kind, one.who, one.why, one.from_, one.to) for one in history(platform)]
    assert told == [("release", "ana", "the first", None, "1"), ("release", "tester", "better auc", "1", "2")]
    assert [one.metrics["auc"] for one in history(platform)] == pytest.approx(registered.scores[:2])
    assert all(one.when.tzinfo is not None for one in history(platform))
    seen = status(platform.context(), SYSTEM)
    assert (seen.alias, seen.latest, seen.in_memory, seen.differences) == ("2", "3", ("1", "2"), ())


def test_each_decision_has_one_entry_in_the_audit_log(platform):
    log = platform.context().audit_file
    told = [record.entry for record in read(log) if record.entry["outcome"] == "done"]
    assert [(one["version_from"], one["version_to"]) for one in told] == [(e.from_, e.to) for e in history(platform)]
    assert verify(log).ok


def test_the_same_release_again_changes_nothing(released):
    before = (released.serving.directory / FILE).read_bytes()
    again = release(released.context(), SYSTEM, "1", reason="again")
    assert not again.changed
    assert (released.serving.directory / FILE).read_bytes() == before


def test_a_rollback_returns_to_the_version_before_and_then_has_nowhere_to_go(platform):
    platform_history = len(history(platform))
    release(platform.context(), SYSTEM, "2", reason="on")
    release(platform.context(), SYSTEM, "1", reason="and on")
    done = rollback(platform.context(), SYSTEM, reason="complaints")
    assert (done.version, done.previous, done.warnings) == ("2", "1", ())
    assert serves(platform) == "2"
    assert Registry(platform.tracking_uri).champion(SYSTEM) == "2"
    assert history(platform)[-1].kind == "rollback"
    assert len(history(platform)) > platform_history
    with pytest.raises(RolloutError, match="can go back to what it served: 1, 2"):
        rollback(platform.context(), SYSTEM, "9", reason="no")


def test_a_version_whose_example_is_implausible_is_refused_and_leaves_nothing(released):
    with pytest.raises(RolloutError, match=r"version 3 on its input example.*withheld"):
        release(released.context(), SYSTEM, reason="the latest, which is broken")
    assert serves(released) == "1"
    assert not (released.serving.directory / "models" / "3").exists()
    seen = status(released.context(), SYSTEM)
    assert "3" not in seen.in_memory
    assert seen.differences == ()


@pytest.mark.parametrize(
    ("system", "version", "message"),
    [
        (SYSTEM, "99", "registered of rollout-test: 1, 2, 3"),
        ("nowhere", None, "this environment serves rollout-test"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(released, system, version, message):
    with pytest.raises(RolloutError, match=message):
        release(released.context(), system, version, reason="no")


def test_with_the_registry_down_a_release_waits_and_a_rollback_does_not(released):
    release(released.context(), SYSTEM, "2", reason="on")
    down = released.context(tracking_uri="http://127.0.0.1:9")
    with pytest.raises(RolloutError, match=r"registry at http://127.0.0.1:9"):
        release(down, SYSTEM, "1", reason="no")
    assert serves(released) == "2"
    done = rollback(down, SYSTEM, reason="now")
    assert serves(released) == "1"
    assert "alias is not moved yet" in done.warnings[0]
    seen = status(released.context(), SYSTEM)
    assert any("champion is 2, released is 1" in one for one in seen.differences)
    # The same command, once the registry answers, goes on and not one version further back.
    again = rollback(released.context(), SYSTEM, reason="now")
    assert (again.version, again.warnings) == ("1", ())
    assert status(released.context(), SYSTEM).differences == ()


def test_a_gateway_that_does_not_follow_undoes_the_release(released):
    lost = released.context(gateway_url="http://127.0.0.1:9", gateway_timeout_s=0.3)
    before = (released.serving.directory / FILE).read_bytes()
    with pytest.raises(RolloutError, match=r"did not take the new routes in 0\.3 s"):
        release(lost, SYSTEM, "2", reason="no")
    assert (released.serving.directory / FILE).read_bytes() == before
    eventually(lambda: serves(released) == "1")
    assert status(released.context(), SYSTEM).differences == ()


def test_a_process_that_is_down_is_named(released):
    down = released.context(serving_urls={SYSTEM: "http://127.0.0.1:9"})
    with pytest.raises(RolloutError, match=r"does not answer.*is the environment up"):
        release(down, SYSTEM, "2", reason="no")
    assert serves(released) == "1"


def test_an_interrupt_undoes_what_was_begun(released):
    def interrupt(step):
        if step == "serve":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        release(released.context(on_step=interrupt), SYSTEM, "2", reason="no")
    eventually(lambda: serves(released) == "1")
    assert status(released.context(), SYSTEM).differences == ()


def test_two_at_once_are_one_and_a_refusal(released):
    held, let_go = threading.Event(), threading.Event()

    def hold(step):
        if step == "smoke":
            held.set()
            assert let_go.wait(PATIENCE)

    first = threading.Thread(
        target=release, args=(released.context(on_step=hold), SYSTEM, "2"), kwargs={"reason": "slowly"}
    )
    first.start()
    try:
        assert held.wait(PATIENCE)
        with pytest.raises(RolloutError, match=f"another rollout is running .pid {os.getpid()}: release of {SYSTEM}"):
            rollback(released.context(), SYSTEM, reason="no")
    finally:
        let_go.set()
        first.join()
    assert serves(released) == "2"


def test_edited_releases_are_named_not_overwritten(released):
    path = released.serving.directory / FILE
    good = path.read_bytes()
    path.write_text('{"champion": "one"}')
    try:
        with pytest.raises(RolloutError, match=r"releases\.json: not what a release writes \(champion: "):
            release(released.context(), SYSTEM, "2", reason="no")
        assert path.read_text() == '{"champion": "one"}'
    finally:
        path.write_bytes(good)


@pytest.fixture(scope="module")
def busy(platforms, registered):
    platform = platforms(LOADED, registered.uri)
    release(platform.context(), LOADED, "1", reason="first")
    return platform


def answers_from_now_on(load):
    """The versions of the next answers, without those that may have been under way at the flip."""
    at = len(load.versions) + 8
    eventually(lambda: len(load.versions) > at + 8)
    return set(load.versions[at:])


def test_release_and_rollback_under_load_fail_no_request(busy, record_property):
    took, back = [], []
    with busy.load() as load:
        load.more()
        for _ in range(3):
            took.append(release(busy.context(), LOADED, "2", reason="on").seconds)
            assert answers_from_now_on(load) == {"2"}
            back.append(rollback(busy.context(), LOADED, reason="back").seconds)
            assert answers_from_now_on(load) == {"1"}
    assert set(load.statuses) == {200}
    # What it takes is noted, not judged: that is the affair of the machine and of what else it does.
    ordered = sorted(load.seconds)
    record_property("requests_per_second", load.statuses[200] / load.elapsed)
    record_property("p50_s", ordered[len(ordered) // 2])
    record_property("p99_s", ordered[int(len(ordered) * 0.99)])
    record_property("slowest_release_s", max(took))
    record_property("slowest_rollback_s", max(back))


KILLED = """
import json, os, signal, sys
from pathlib import Path
from mlstrata.operations.releases import LocalBackend, release, rollback

given = json.loads(sys.argv[1])
def die(step):
    if step == given["step"]:
        os.kill(os.getpid(), signal.SIGKILL)
context = LocalBackend(**given["context"] | {"home": Path(given["context"]["home"]), "on_step": die})
action = release if given["kind"] == "release" else rollback
action(context, given["system"], given["version"], reason="killed")
"""


@pytest.fixture(scope="module")
def crashing(platforms, registered):
    platform = platforms(CRASHED, registered.uri)
    release(platform.context(), CRASHED, "1", reason="first")
    return platform


def run_killed(platform, kind, version, step):
    context = platform.context()
    plain = {name: getattr(context, name) for name in ("tracking_uri", "serving_urls", "gateway_url", "decider")}
    given = {"step": step, "kind": kind, "system": CRASHED, "version": version}
    given["context"] = plain | {"home": str(context.home)}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, json.dumps(given)], capture_output=True, text=True, check=False
    )
    assert done.returncode == -9, done.stderr


def settled(platform, version):
    """Everything agrees on `version`, nothing half done is left, and the last decision has its one entry."""
    last = history(platform)[-1]
    entries = [record.entry["id"] for record in read(platform.context().audit_file)]
    assert entries.count(f"{last.kind}/{CRASHED}/{last.when.isoformat()}") == 1
    assert verify(platform.context().audit_file).problems == ()
    assert serves(platform) == version
    seen = status(platform.context(), CRASHED)
    assert (seen.releases.champion, seen.alias, seen.differences) == (version, version, ())
    left = {path.name for path in (platform.serving.directory / "models").iterdir()}
    assert set(seen.releases.loaded) == set(seen.in_memory)
    # What was taken back stays as it was, for whoever looks into it.
    assert left == {*seen.releases.loaded, *seen.releases.held}


@pytest.mark.parametrize("step", STEPS)
def test_a_release_killed_at_any_step_leaves_a_version_serving_and_goes_on(crashing, step):
    before = len(history(crashing))
    run_killed(crashing, "release", "2", step)
    # The routes decide: until they are renamed it is the old version, and both may be right while they are.
    late = {"serve": ("1", "2"), "alias": ("2",), "audit": ("2",), "settle": ("2",), "prune": ("2",)}
    assert serves(crashing) in late.get(step, ("1",))
    release(crashing.context(), CRASHED, "2", reason="killed")
    settled(crashing, "2")
    assert [one.to for one in history(crashing)[before:]] == ["2"]
    # Back to where the next step's test begins, with version 2 gone from disk and memory.
    rollback(crashing.context(), CRASHED, reason="back")
    _forget(crashing)


@pytest.mark.parametrize("step", [step for step in STEPS if step not in ("registry",)])
def test_a_rollback_killed_at_any_step_goes_back_once(crashing, step):
    release(crashing.context(), CRASHED, "2", reason="on")
    before = len(history(crashing))
    run_killed(crashing, "rollback", None, step)
    late = {"alias": ("1",), "audit": ("1",), "settle": ("1",), "prune": ("1",)}
    assert serves(crashing) in ({"serve": ("1", "2")} | late).get(step, ("2",))
    if step == "prune":
        settled(crashing, "1")
    else:
        rollback(crashing.context(), CRASHED, reason="killed")
        settled(crashing, "1")
    assert [one.kind for one in history(crashing)[before:]] == ["rollback"]


def test_a_half_downloaded_version_is_downloaded_anew(crashing):
    _forget(crashing)
    half = crashing.serving.directory / "models" / "2.tmp"
    half.mkdir()
    (half / "MLmodel").write_text("half")
    release(crashing.context(), CRASHED, "2", reason="on")
    settled(crashing, "2")


def _forget(platform):
    """Have the platform as if version 1 alone had ever been released."""
    release(platform.context(), CRASHED, "1", reason="only one")
    write(
        platform.serving.directory / FILE,
        Releases(champion="1", loaded=("1",), history=history(platform)[:1]).to_json(),
    )
    platform.versions("DELETE", "2")
    with suppress(FileNotFoundError):
        shutil.rmtree(platform.serving.directory / "models" / "2")
