"""The watcher of an update: each wait once, and again when its reason is another; never an end of the update."""

import threading

import pytest

from mlstrata.clients.kubernetes import ClusterError, Forbidden
from mlstrata.operations.pending.seen import Wait
from mlstrata.operations.pending.watch import PASSING_S, SETTLED_S, Watch
from tests.support.patience import PATIENCE

ROOM = Wait("ml", "pod", "mlflow", "no node fits: cpu 64 asked, 2 free on the one node", "no node fits: cpu")
VOLUME = Wait("ml", "claim", "data", "no volume yet", passing=True)


class Cluster:
    """What is seen, on a clock of the test's."""

    def __init__(self) -> None:
        self.now, self.waits, self.error, self.said = 0.0, [], None, []
        self.watch = Watch(self.look, self.said.append, lambda: self.now)

    def look(self):
        if self.error:
            raise self.error
        return self.waits

    def after(self, seconds: float, *waits: Wait) -> list[str]:
        """Let time pass, look, and return what is told."""
        self.now += seconds
        self.waits, before = list(waits), len(self.said)
        self.watch.once()
        return self.said[before:]


def test_a_wait_is_told_once_it_lasts_and_once_only():
    cluster = Cluster()
    assert cluster.after(0, ROOM) == []
    (line,) = cluster.after(SETTLED_S, ROOM)
    assert line.startswith(f"{ROOM} (the update goes on with what does not depend on it")
    assert cluster.after(5, ROOM) == []


def test_the_same_reason_with_another_amount_is_no_other_reason():
    cluster = Cluster()
    cluster.after(0, ROOM)
    cluster.after(SETTLED_S, ROOM)
    less = Wait("ml", "pod", "mlflow", "no node fits: cpu 64 asked, 1 free on the one node", "no node fits: cpu")
    assert cluster.after(5, less) == []


def test_another_reason_is_told_too():
    cluster = Cluster()
    cluster.after(0, ROOM)
    cluster.after(SETTLED_S, ROOM)
    image = Wait("ml", "pod", "mlflow", "image not found: tool:1.0")
    assert cluster.after(2, image) == []
    assert cluster.after(SETTLED_S, image) == [str(image)]
    assert [one.document()["reason"] for one in cluster.watch.told] == [ROOM.reason, image.reason]


def test_what_passes_at_once_is_not_told():
    cluster = Cluster()
    assert [cluster.after(0, ROOM), cluster.after(SETTLED_S), cluster.after(SETTLED_S, ROOM)] == [[], [], []]


def test_what_mostly_passes_is_given_more_time_but_no_ten_seconds():
    cluster = Cluster()
    cluster.after(0, VOLUME)
    assert cluster.after(SETTLED_S, VOLUME) == []
    assert len(cluster.after(PASSING_S - SETTLED_S, VOLUME)) == 1
    assert PASSING_S < 8


def test_a_cluster_that_does_not_answer_for_a_moment_is_asked_again():
    cluster = Cluster()
    cluster.error = ClusterError("gone", lost=True)
    assert cluster.watch.once()
    assert not cluster.said


def test_who_may_not_look_is_told_so_once():
    cluster = Cluster()
    cluster.error = Forbidden("list pods: you may not")
    assert not cluster.watch.once()
    assert cluster.said == ["what waits in the cluster is not shown: list pods: you may not"]


def test_it_looks_beside_the_update_and_ends_with_it(monkeypatch):
    monkeypatch.setattr("mlstrata.operations.pending.watch.PAUSE_S", 0.01)
    monkeypatch.setattr("mlstrata.operations.pending.watch.SETTLED_S", 0.0)
    looked, said = threading.Event(), []

    def look():
        looked.set()
        return [ROOM]

    with Watch(look, said.append) as watch:
        assert looked.wait(PATIENCE)
    before = threading.enumerate()
    assert not [one for one in before if one.name == "what waits"]
    assert [one.wait for one in watch.told] == [ROOM]
    assert len(said) == 1


def test_a_defect_of_the_watcher_ends_the_watcher_and_not_the_update(monkeypatch):
    monkeypatch.setattr("mlstrata.operations.pending.watch.PAUSE_S", 0.01)
    told = threading.Event()
    said = []

    def look():
        raise KeyError("spec")

    def tell(line):
        said.append(line)
        told.set()

    with Watch(look, tell):
        assert told.wait(PATIENCE)
    assert said == ["what waits in the cluster is no longer shown: KeyError: 'spec'"]


@pytest.mark.parametrize("seconds", [0.04, 3.26])
def test_machines_get_it_in_numbers(seconds):
    cluster = Cluster()
    cluster.after(seconds, ROOM)
    cluster.after(SETTLED_S, ROOM)
    (told,) = cluster.watch.told
    assert told.document() == {
        "namespace": "ml",
        "kind": "pod",
        "name": "mlflow",
        "reason": ROOM.reason,
        "after_seconds": round(seconds + SETTLED_S, 1),
    }
