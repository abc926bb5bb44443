"""What is decided about a rollout of the shipped system, from what is recorded, and what is there to see of it."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from mlstrata.environments import load
from mlstrata.operations import rollout
from mlstrata.operations.releases.progress import consider
from mlstrata.services.recording.record import Instance, Record
from mlstrata.services.recording.sqlite import open_store
from mlstrata.services.recording.store import Feedback
from mlstrata.services.rollout.plan import Action
from mlstrata.services.rollout.standing import read_standing
from mlstrata.services.rollout.tally import Tallies
from mlstrata.services.serving.releases import Releases
from mlstrata.services.serving.running import Running
from tests.support.command import ROOT

BEGUN = datetime(2026, 11, 30, tzinfo=UTC)
NOW = BEGUN + timedelta(seconds=20)
RUNNING = Running(strategy="canary", candidate="2", share=10, begun=BEGUN, since=BEGUN, who="ada", why="more data")
RELEASES = Releases(champion="1", challenger="2", loaded=("1", "2"), rollout=RUNNING)


@pytest.fixture(scope="module")
def system():
    return load(ROOT / "environments/local.yaml").systems[0]


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def answered(number, version, status):
    given = Instance(inputs={}, output={"probability": 0.7, "label": 1} if status == 200 else None)
    known = {"id": f"r{number}", "version": version, "status": status, "at": BEGUN.timestamp() + 1, "ms": 5.0}
    return Record(**known, system="mortgage-approval", instances=(given,))


def test_a_candidate_that_fails_is_taken_back_and_its_figures_are_there_to_see(system, store, tmp_path):
    store.add([answered(number, "1", 200) for number in range(400)])
    store.add([answered(number, "2", 500 if number % 3 else 200) for number in range(1000, 1045)])
    store.tell([Feedback(f"r{number}", 1.0, truth="yes", groups={"afam": "no"}) for number in range(400)])
    decision, evidence = consider(system, RELEASES, store, NOW, Tallies())
    assert (decision.action, "worse: errors 67 % to 0 %" in decision.reason) == (Action.ROLL_BACK, True)
    assert rollout.figures(evidence.candidate)["errors"] == 30
    rollout._note(SimpleNamespace(home=tmp_path), system, RELEASES, decision, evidence=evidence, now=NOW)
    found = read_standing(tmp_path, system.name)
    assert (found.action, found.reason, found.is_of(RUNNING)) == ("roll_back", decision.reason, True)
    assert (found.ours.errors, found.theirs.requests, found.theirs.truths) == (30, 400, 400)
    assert [one.of for one in found.questions if one.alert] == ["errors"]


def test_without_a_rollout_or_a_record_nothing_is_counted_and_nothing_kept(system, store):
    tallies = Tallies()
    store.add([answered(1, "2", 200)])
    assert consider(system, RELEASES, store, NOW, tallies)[1].candidate.requests == 1
    assert consider(system, RELEASES, None, NOW, tallies)[1].candidate.requests == 0
    over = RELEASES.model_copy(update={"rollout": None})
    assert consider(system, over, store, NOW, tallies)[0].reason == "no rollout is under way"
    assert tallies._known == {}
