"""The phases of the loop over parts that answer as the real ones do."""

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import pytest

from mlstrata.operations.errors import Failed
from mlstrata.operations.loop import run, watch
from mlstrata.operations.loop.run import Options
from mlstrata.operations.loop.watch import Watch
from mlstrata.services.serving.releases import Releases
from mlstrata.services.serving.running import Running

WHEN = "2026-11-30T10:00:00+00:00"
ALERT = {
    "fingerprint": "f",
    "startsAt": WHEN,
    "labels": {"alertname": "InputDrift", "cause": "input_drift", "column": "pirat"},
    "annotations": {"summary": "pirat has drifted, PSI 0.4"},
}


class Parts:
    """A platform whose state goes one step further each time that it is looked at."""

    def __init__(self, *states: tuple[str, object]) -> None:
        self.states = list(states)
        self.released, self.alerts, self.decided = Releases(champion="1"), [], []

    def step(self) -> None:
        if not self.states:
            return
        kind, value = self.states.pop(0)
        if kind == "alert":
            self.alerts.append(value)
        elif kind == "releases":
            self.released = value
        else:
            number = len(self.decided) + 1
            one = {"number": number, "kind": kind, "reason": value, "at": 1e9 + number, "version": "", "training": ""}
            self.decided.append(one)


@pytest.fixture
def watched(monkeypatch):
    def make(*states):
        parts, told = Parts(*states), []
        deployment = SimpleNamespace(
            target=SimpleNamespace(here=lambda _command: SimpleNamespace(released=lambda _system: parts.released))
        )

        class Learning:
            def __init__(self, _deployment) -> None:
                pass

            def state(self, _system):
                return {"decisions": [], "trainings": []}

            def decisions(self, _system, after):
                parts.step()
                return [one for one in parts.decided if one["number"] > after]

        monkeypatch.setattr(watch, "Learning", Learning)
        monkeypatch.setattr(watch, "POLL_SECONDS", 0)
        monkeypatch.setattr(Watch, "_asked", lambda _self: iter(parts.alerts))
        return Watch(deployment, "credit", told.append), told

    return make


RUNNING = Running(strategy="canary", candidate="2", share=10, begun=WHEN, since=WHEN, who="learning", why="drift")
CANARY = Releases(champion="1", rollout=RUNNING)
HALF = Releases(champion="1", rollout=RUNNING.model_copy(update={"share": 50, "step": 1}))
TRAFFIC = SimpleNamespace(problem="", answers=Counter(), told=0)
UP_TO_THE_ROLLOUT = (
    ("alert", ALERT),
    ("accepted", "InputDrift: pirat has drifted"),
    ("started", "InputDrift"),
    ("composed", "hmda + 400 recorded predictions"),
    ("trained", "version 2 passed its gates"),
    ("rollout", "version 2 begins to take over"),
)


def test_each_event_is_told_once_and_in_order(watched):
    released = Releases(champion="2")
    seen, told = watched(*UP_TO_THE_ROLLOUT, ("releases", CANARY), ("releases", HALF), ("releases", released))
    run._learn(seen, TRAFFIC, Options())
    end = run._rolled_out(seen, TRAFFIC, "1", Options())
    kinds = [one.kind for one in told]
    assert sorted(kinds[:2]) == ["accepted", "alert"]
    assert kinds[2:] == [*("started", "composed", "trained", "rollout"), *("traffic_split",) * 2, "champion"]
    assert end.text == "version 2 answers everyone"
    alert = next(one for one in told if one.kind == "alert")
    assert alert.text == "InputDrift: pirat has drifted, PSI 0.4"
    assert alert.figures == {"cause": "input_drift", "column": "pirat"}


def test_a_bad_version_that_is_taken_back_is_the_end_that_was_to_come(watched):
    seen, told = watched(*UP_TO_THE_ROLLOUT, ("releases", CANARY), ("releases", Releases(champion="1")))
    run._learn(seen, TRAFFIC, Options(bad=True))
    assert run._rolled_out(seen, TRAFFIC, "1", Options(bad=True)).kind == "taken_back"
    assert told[-1].text == "version 2 is taken back"


@pytest.mark.parametrize(
    ("states", "says"),
    [
        ((), "an alert of drift: it did not come within 0 s; the last that happened: nothing happened"),
        (
            (("alert", ALERT), ("stopped", "3 in a row")),
            "a training: it does not come: stopped: 3 in a row",
        ),
        ((*UP_TO_THE_ROLLOUT[:4], ("failed", "gate auc 0.6")), "passes its gates: it does not come: failed: gate auc"),
    ],
)
def test_where_it_hangs_is_said(watched, states, says):
    seen, _ = watched(*states)
    with pytest.raises(Failed, match=says):
        run._learn(seen, TRAFFIC, Options(seconds=0 if not states else 60))


def test_a_released_version_that_was_to_be_taken_back_is_an_error(watched):
    seen, _ = watched(*UP_TO_THE_ROLLOUT, ("releases", CANARY), ("releases", Releases(champion="2")))
    run._learn(seen, TRAFFIC, Options(bad=True))
    with pytest.raises(Failed, match="is taken back: it does not come: version 2 answers everyone"):
        run._rolled_out(seen, TRAFFIC, "1", Options(bad=True))


def test_traffic_that_ended_is_said(watched):
    seen, _ = watched()
    ended = SimpleNamespace(**{**vars(TRAFFIC), "problem": "the gateway answered 503"})
    with pytest.raises(Failed, match="it does not come: the gateway answered 503"):
        run._learn(seen, ended, Options())


def test_defaults_are_what_the_monitor_needs():
    system = SimpleNamespace(monitor=SimpleNamespace(drift=SimpleNamespace(min_sample=500)))
    assert run._enough(system, Options()) == 600
    assert run._enough(system, replace(Options(), requests=7)) == 7
