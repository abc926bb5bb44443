"""Starts runs by cron."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from mlstrata.services import scheduling
from mlstrata.services.runner.contract import RunnerSettings
from mlstrata.services.runner.runs import Runs
from mlstrata.services.runner.store import SCHEDULED, Store


@dataclass(frozen=True)
class StoreMemory:
    """A schedule's memory in the store of the runs."""

    store: Store
    system: str

    def seen(self, cron: str, now: float) -> float:
        """Return up to when it was looked after."""
        return self.store.checked(self.system, cron, now)

    def note(self, cron: str, now: float) -> None:
        """Keep that it was up to `now`."""
        self.store.check(self.system, cron, now)


class Scheduler:
    """Looks at the clock and submits what is due."""

    def __init__(self, settings: RunnerSettings, runs: Runs, clock: Callable[[], float]) -> None:
        self._settings, self._runs, self._clock = settings, runs, clock

    def tick(self) -> list[str]:
        """Submit a run for each schedule that is due and has none under way.

        Returns:
            The ids of the runs.
        """
        started: list[str] = []
        members = [
            scheduling.Member(
                f"the training of {schedule.system}",
                schedule.cron,
                StoreMemory(self._runs.store, schedule.system),
                partial(self._submit, schedule.system, started),
            )
            for schedule in self._settings.schedules
        ]
        scheduling.tick(members, self._clock())
        return started

    def _submit(self, system: str, started: list[str]) -> None:
        request = self._settings.request(system)
        if request and not self._runs.store.active(system):
            started.append(self._runs.submit(request, SCHEDULED).id)

    async def run(self, tick: float = scheduling.TICK) -> None:
        """Tick until cancelled."""
        while True:
            self.tick()
            await asyncio.sleep(tick)
