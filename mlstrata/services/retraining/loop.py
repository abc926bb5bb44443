"""One round over the systems: a cause becomes a training, a training a version, a version a rollout.

Each step is one action and one note of it, and the note says what the next round does: whoever is killed between the
two does the action again, so every action here may be done twice. A training is submitted under its own identity, and
a rollout is looked at before it is begun.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from mlstrata.environments.spec.retrain import RetrainSpec
from mlstrata.services.retraining import policy
from mlstrata.services.retraining.journal import Journal
from mlstrata.services.retraining.policy import Verdict
from mlstrata.services.retraining.trigger import Outcome, State, Training, Trigger

RETRY_SECONDS = 15.0
"""How long a system is left alone whose last round went wrong: a registry that restarts takes that long."""


class Refused(Exception):
    """An action is refused for good: trying again would change nothing. The message says why."""


@dataclass(frozen=True)
class Composed:
    """What a training is asked.

    Attributes:
        request: The runner's request, as JSON.
        named: Which data it learns from, in words.
    """

    request: str
    named: str


@dataclass(frozen=True)
class Ran:
    """Where a run is.

    Attributes:
        ended: Whether it has ended.
        version: The version that it registered; empty: none.
        created: Whether that version is new.
        error: Why it failed; empty: it did not.
    """

    ended: bool
    version: str = ""
    created: bool = True
    error: str = ""


class Place(StrEnum):
    """Axis: where a version is on its way to the consumers."""

    NOWHERE = "nowhere"
    ROLLING = "rolling"
    RELEASED = "released"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True)
class Standing:
    """Where a version is, and what people read of it."""

    place: Place
    text: str = ""


class Actions(Protocol):
    """What the loop does to an environment. Each may be done twice; what it raises besides `Refused` is tried again."""

    def envelope(self, system: str) -> RetrainSpec | None:
        """Return what a system's file allows; None: the environment has no such system."""

    def labelled(self, system: str) -> int:
        """Count the recorded rows that have their truth."""

    def compose(self, training: Training) -> Composed:
        """Write the data that a training learns from, and say what the runner is asked.

        Raises:
            Refused: It cannot be trained so.
        """

    def ran(self, training: Training) -> Ran | None:
        """Say where a training's run is; None: the runner knows none of this identity."""

    def submit(self, training: Training) -> None:
        """Have the runner do a composed training under its identity.

        Raises:
            Refused: The runner refuses the request.
        """

    def standing(self, training: Training) -> Standing:
        """Say where a training's version is."""

    def begin(self, training: Training) -> None:
        """Begin the rollout of a training's version.

        Raises:
            Refused: The version may not be released.
        """

    def advance(self, system: str, now: float) -> None:
        """Take the rollout that a system is in, whoever began it, as far as it may go."""


class Loop:
    """The rounds of a learning process."""

    def __init__(self, journal: Journal, actions: Actions, clock: Callable[[], float]) -> None:
        self._journal, self._actions, self._clock = journal, actions, clock
        self._again: dict[str, tuple[float, str]] = {}

    def round(self, declared: list[str]) -> list[str]:
        """Do what is due for every system; what goes wrong with one is recorded and ends no other's.

        Returns:
            The systems that wait since something went wrong, each with what.
        """
        complaints = []
        for system in sorted({*declared, *self._journal.systems()}):
            again, reason = self._again.get(system, (0.0, ""))
            if not self._clock() < again <= self._clock() + RETRY_SECONDS:
                reason = self._tried(system)
            if reason:
                complaints.append(f"{system}: {reason}")
        return complaints

    def _tried(self, system: str) -> str:
        self._again.pop(system, None)
        try:
            self._actions.advance(system, self._clock())
            self._system(system)
        except Exception as error:
            # Whatever it is (the runner restarts, a file is locked), a later round tries again.
            reason = f"{type(error).__name__}: {error}"
            self._again[system] = (self._clock() + RETRY_SECONDS, reason)
            if self._journal.decide(system, "problem", reason, self._clock()):
                logging.getLogger(__name__).exception("the learning of %s waits", system)
            return reason
        return ""

    def _system(self, system: str) -> None:
        envelope = self._actions.envelope(system)
        past = self._journal.trainings(system)
        under_way = next((one for one in past if one.ended is None), None)
        if under_way is not None:
            self.step(under_way)
            return
        waiting = self._sifted(envelope, self._journal.waiting(system))
        if envelope is None or not waiting:
            return
        judged = policy.judge(envelope, waiting, past, lambda: self._actions.labelled(system), self._clock())
        if judged.verdict is Verdict.START:
            self.step(self._journal.begin(system, waiting, judged.reason, self._clock()))
        else:
            self._journal.decide(system, judged.verdict, judged.reason, self._clock())

    def _sifted(self, envelope: RetrainSpec | None, waiting: list[tuple[Trigger, float]]) -> list[Trigger]:
        kept = []
        for one, received in waiting:
            if envelope is None:
                why = "the environment declares no such system"
            elif self._clock() - received > policy.EXPIRES_SECONDS:
                why = "it waited for 30 days"
            else:
                why = policy.wanted(envelope, one)
            if why:
                self._journal.drop([one], Verdict.IGNORE, why, self._clock())
            else:
                kept.append(one)
        return kept

    def step(self, training: Training) -> None:
        """Take a training one step further, if it can go."""
        try:
            if training.state is State.DECIDED:
                made = self._actions.compose(training)
                self._journal.composed(training, made.request, made.named, self._clock())
            elif training.state is State.COMPOSED:
                self._run(training)
            elif training.state is State.TRAINED:
                self._begin(training)
            elif training.state is State.ROLLING:
                self._follow(training)
        except Refused as error:
            outcome = Outcome.REFUSED if training.version else Outcome.IMPOSSIBLE
            self._journal.end(training, outcome, str(error), self._clock())

    def _run(self, training: Training) -> None:
        ran = self._actions.ran(training)
        if ran is None:
            self._actions.submit(training)
        elif not ran.ended:
            return
        elif ran.error or not ran.version:
            self._journal.end(training, Outcome.FAILED, ran.error or "it registered no version", self._clock())
        elif not ran.created:
            why = f"version {ran.version} has these data, code and settings already"
            self._journal.end(training, Outcome.UNCHANGED, why, self._clock())
        else:
            self._journal.trained(training, ran.version, f"version {ran.version} passed its gates", self._clock())

    def _begin(self, training: Training) -> None:
        if self._actions.standing(training).place is Place.NOWHERE:
            self._actions.begin(training)
        self._journal.rolling(training, f"version {training.version} begins to take over", self._clock())

    def _follow(self, training: Training) -> None:
        found = self._actions.standing(training)
        if found.place is Place.ROLLING:
            if found.text:
                self._journal.decide(training.system, "rolling", found.text, self._clock(), training.id)
            return
        outcome = Outcome.RELEASED if found.place is Place.RELEASED else Outcome.ROLLED_BACK
        self._journal.end(training, outcome, found.text or f"version {training.version}: {outcome}", self._clock())
