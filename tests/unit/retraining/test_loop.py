"""Whatever order alerts come in, however often, and wherever the process dies: one training a trigger, all recorded."""

import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlstrata.environments.spec.retrain import RetrainSpec
from mlstrata.services.retraining.journal import Journal
from mlstrata.services.retraining.loop import Composed, Loop, Place, Ran, Refused, Standing
from mlstrata.services.retraining.trigger import BY_HAND, Outcome, Training, Trigger

ENVELOPE = RetrainSpec(on=("input_drift", "performance"), min_labelled=1, cooldown="1s", budget=1000, give_up_after=100)


class Killed(BaseException):
    """The process dies here."""


@dataclass
class World:
    """An environment that remembers what was done to it, and kills whoever acts at a chosen moment."""

    rows: int = 5
    runs: dict[str, Ran] = field(default_factory=dict)
    submitted: Counter = field(default_factory=Counter)
    begun: Counter = field(default_factory=Counter)
    places: dict[str, Place] = field(default_factory=dict)
    kill_in: int = -1
    error: str = ""
    refuses: str = ""
    calls: int = 0

    def _act(self) -> None:
        self.calls += 1
        if self.calls == self.kill_in:
            raise Killed

    def envelope(self, system: str) -> RetrainSpec | None:
        return ENVELOPE if system != "gone" else None

    def labelled(self, _system: str) -> int:
        return self.rows

    def compose(self, training: Training) -> Composed:
        self._act()
        return Composed("{}", f"data of {training.id}")

    def ran(self, training: Training) -> Ran | None:
        return self.runs.get(training.id)

    def submit(self, training: Training) -> None:
        self._act()
        if training.id not in self.runs:
            self.submitted[training.id] += 1
            version = "" if self.error else str(len(self.runs) + 2)
            self.runs[training.id] = Ran(True, version=version, error=self.error)
        self._act()

    def standing(self, training: Training) -> Standing:
        return Standing(self.places.get(training.version, Place.NOWHERE))

    def begin(self, training: Training) -> None:
        self._act()
        if self.refuses:
            raise Refused(self.refuses)
        self.begun[training.version] += 1
        self.places[training.version] = Place.RELEASED
        self._act()

    def advance(self, _system: str, _now: float) -> None:
        pass


class Clock:
    def __init__(self) -> None:
        self.now = 1e9

    def __call__(self) -> float:
        self.now += 10
        return self.now


def trigger(number: int, cause: str = "input_drift", system: str = "credit") -> Trigger:
    return Trigger(f"{system}|{cause}|{number}", system, cause, "InputDrift", f"column {number}")


class Alive:
    """A learning process that is started again whenever it dies."""

    def __init__(self, world: World, path: Path) -> None:
        self.world, self.path, self.clock = world, path, Clock()
        self.journal = Journal(path)

    def accept(self, *found: Trigger) -> None:
        self.journal.accept(found, self.clock())

    def rounds(self, number: int = 1) -> None:
        for _ in range(number):
            try:
                Loop(self.journal, self.world, self.clock).round(["credit"])
            except Killed:
                self.journal.close()
                self.journal = Journal(self.path)


@pytest.fixture
def alive(tmp_path):
    made = Alive(World(), tmp_path / "journal.db")
    yield made
    made.journal.close()


def kinds(alive: Alive, system: str = "credit") -> list[str]:
    return [one.kind for one in reversed(alive.journal.decisions(system, 1000))]


def test_from_alert_to_release(alive):
    alive.accept(trigger(1), trigger(2, "performance"))
    alive.rounds(8)
    (done,) = alive.journal.trainings("credit")
    assert (done.outcome, done.version, done.named) == (Outcome.RELEASED, "2", f"data of {done.id}")
    assert kinds(alive) == ["accepted", "accepted", "started", "composed", "trained", "rollout", "released"]


@given(
    sent=st.lists(st.lists(st.integers(1, 4), max_size=4), min_size=1, max_size=6),
    deaths=st.lists(st.integers(1, 6), max_size=5),
)
@settings(max_examples=60)
def test_one_training_a_trigger_whatever_is_sent_and_wherever_it_dies(sent, deaths):
    with tempfile.TemporaryDirectory() as folder:
        world, kills = World(), iter(deaths)
        alive = Alive(world, Path(folder) / "journal.db")
        for group in sent:
            alive.accept(*map(trigger, group))
            world.kill_in = world.calls + next(kills, -world.calls - 1)
            alive.rounds(4)
        world.kill_in = -1
        alive.rounds(40)
        trainings = alive.journal.trainings("credit")
        known = {number for group in sent for number in group}
        assert len(trainings) <= len(known)
        assert bool(trainings) == bool(known)
        assert all(one.outcome is Outcome.RELEASED for one in trainings)
        assert not alive.journal.waiting("credit")
        assert set(world.submitted) == {one.id for one in trainings}
        assert set(world.submitted.values()) <= {1}
        assert set(world.begun.values()) <= {1}
        counted = Counter(kinds(alive))
        assert counted["accepted"] == len(known)
        for kind in ("started", "composed", "trained", "rollout", "released"):
            assert counted[kind] == len(trainings), kind
        alive.journal.close()


def test_what_came_meanwhile_is_answered_by_a_release(alive):
    alive.accept(trigger(1))
    alive.rounds(2)
    alive.accept(trigger(2))
    alive.rounds(10)
    assert len(alive.journal.trainings("credit")) == 1
    assert "answered" in kinds(alive)


def test_what_came_meanwhile_waits_after_a_failure(alive):
    alive.world.error = "gate auc"
    alive.accept(trigger(1))
    alive.rounds(2)
    alive.accept(trigger(2))
    alive.rounds(10)
    assert [one.why for one in alive.journal.trainings("credit")] == ["gate auc", "gate auc"]


def test_a_refused_release_is_no_release(alive):
    alive.world.refuses = "brier 0.2 is above 0.1"
    alive.accept(trigger(1))
    alive.rounds(10)
    (done,) = alive.journal.trainings("credit")
    assert (done.outcome, done.why, done.version) == (Outcome.REFUSED, "brier 0.2 is above 0.1", "2")


def test_a_version_that_was_rolled_back_while_it_was_away_is_not_begun_again(alive):
    alive.accept(trigger(1))
    alive.rounds(3)
    alive.world.places["2"] = Place.ROLLED_BACK
    alive.rounds(5)
    (done,) = alive.journal.trainings("credit")
    assert done.outcome is Outcome.ROLLED_BACK
    assert not alive.world.begun


def test_waiting_is_recorded_once(alive):
    alive.world.rows = 0
    alive.accept(trigger(1))
    alive.rounds(5)
    assert kinds(alive) == ["accepted", "waits"]
    alive.world.rows = 1
    alive.rounds(6)
    assert kinds(alive)[-1] == "released"


def test_one_bad_system_ends_no_round(alive, monkeypatch):
    def breaks(system: str) -> int:
        if system == "broken":
            raise OSError("disk")
        return 5

    monkeypatch.setattr(alive.world, "labelled", breaks)
    alive.accept(trigger(1, system="broken"), trigger(1))
    alive.rounds(8)
    assert alive.journal.trainings("credit")[0].outcome is Outcome.RELEASED
    assert kinds(alive, "broken") == ["accepted", "problem"]


def test_what_starts_nothing_is_dropped_with_its_reason(alive):
    alive.accept(trigger(1, "fairness"), trigger(1, system="gone"))
    alive.rounds(2)
    assert not alive.journal.systems()
    assert kinds(alive) == ["accepted", "ignored"]
    assert kinds(alive, "gone") == ["accepted", "ignored"]


def test_a_cause_that_waited_for_a_month_is_dropped(alive):
    alive.world.rows = 0
    alive.accept(trigger(1))
    alive.rounds()
    alive.clock.now += 31 * 86400
    alive.rounds()
    assert kinds(alive) == ["accepted", "waits", "ignored"]


def test_what_a_person_asks_for_is_their_own_training(alive):
    alive.accept(trigger(1, BY_HAND))
    alive.rounds(8)
    (done,) = alive.journal.trainings("credit")
    assert done.by_hand
    assert done.outcome is Outcome.RELEASED


def test_the_audit_log_gets_what_changed_something_once(alive):
    alive.accept(trigger(1))
    alive.rounds(8)
    open_ = alive.journal.to_audit()
    assert [one.kind for one in open_] == ["started", "composed", "trained", "rollout", "released"]
    for one in open_:
        alive.journal.audited(one)
    assert alive.journal.to_audit() == []


def test_its_file_is_its_owners(alive):
    assert alive.path.stat().st_mode & 0o777 == 0o600
