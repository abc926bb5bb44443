"""The rounds of a learning process, beside its HTTP interface."""

from __future__ import annotations

import time

from mlstrata.operations.learning import audit
from mlstrata.operations.learning.actions import DECIDER, EnvironmentActions
from mlstrata.services.retraining.journal import Journal
from mlstrata.services.retraining.loop import Loop
from mlstrata.services.retraining.names import ROUND
from mlstrata.services.retraining.settings import LearningSettings
from mlstrata.services.rounds import Rounds


class Learning(Rounds):
    """Has systems learn: rounds are frequent while something is under way; what they decided is in the journal."""

    def __init__(self, settings: LearningSettings, journal: Journal, actions: EnvironmentActions) -> None:
        self._settings, self._journal, self._actions = settings, journal, actions
        self._loop = Loop(journal, actions, time.time)
        super().__init__("learning", ROUND, every=settings.seconds)

    def round(self) -> str:
        """Look at every system once; return what went wrong."""
        self.pause = self._settings.seconds
        try:
            return self._looked() if self._actions.is_up else ""
        except Exception as error:  # noqa: BLE001 - such as a file that is being edited: the next round must come
            return f"a round of the learning process ended early: {type(error).__name__}: {error}"

    def _looked(self) -> str:
        declared = sorted(self._actions.envelopes())
        complaints = self._loop.round(declared)
        here = self._actions.deployment.target.here("learning")
        audit.record(self._journal, here.audit_file, DECIDER, self._actions.champion)
        if self._actions.rolling(declared) or self._journal.is_busy():
            self.pause = self._settings.busy_seconds
        return "; ".join(complaints)
