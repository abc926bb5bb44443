"""The rounds of a learning process, in a thread of their own beside its HTTP interface."""

from __future__ import annotations

import logging
import threading
import time

from mlstrata.operations.learning import audit
from mlstrata.operations.learning.actions import DECIDER, EnvironmentActions
from mlstrata.services.retraining.journal import Journal
from mlstrata.services.retraining.loop import Loop
from mlstrata.services.retraining.settings import LearningSettings


class Ticker:
    """Does rounds until it is stopped: often while something is under way, else now and then."""

    def __init__(self, settings: LearningSettings, journal: Journal, actions: EnvironmentActions) -> None:
        self._settings, self._journal, self._actions = settings, journal, actions
        self._loop = Loop(journal, actions, time.time)
        self._woken, self._stopped = threading.Event(), threading.Event()
        self._said = ""
        self._thread = threading.Thread(target=self._run, name="learning", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Have the next round begin now."""
        self._woken.set()

    def stop(self) -> None:
        """End after the round that is under way; what it decided is in the journal."""
        self._stopped.set()
        self._woken.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            busy = False
            try:
                busy = self._round()
                self._said = ""
            except Exception as error:
                # Such as a file that is being edited: no reason to stop looking. Once is enough for the log.
                if (said := f"{type(error).__name__}: {error}") != self._said:
                    self._said = said
                    logging.getLogger(__name__).exception("a round ended early")
            self._woken.wait(self._settings.busy_seconds if busy else self._settings.seconds)
            self._woken.clear()

    def _round(self) -> bool:
        if not self._actions.is_up:
            return False
        deployment = self._actions.deployment
        declared = sorted(self._actions.envelopes())
        self._loop.round(declared)
        champions = {system: deployment.target.champion(system) for system in declared}
        audit.record(self._journal, deployment.target.here("learning").audit_file, DECIDER, champions)
        moving = any(deployment.target.released(system).rollout for system in declared)
        return moving or any(
            one.ended is None for system in self._journal.systems() for one in self._journal.trainings(system)
        )
