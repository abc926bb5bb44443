"""Starts runs by cron."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from mlstrata.services.runner.contract import RunnerSettings, Schedule
from mlstrata.services.runner.runs import Runs
from mlstrata.services.runner.store import SCHEDULED, Store

TICK = 5.0
"""Seconds between two looks at the clock."""


def due(schedule: Schedule, store: Store, now: float) -> bool:
    """Say whether a schedule's time has come since it was last looked at, and remember this look.

    However many times have passed (the machine was off), one run makes up for them.

    Args:
        schedule: The schedule.
        store: Remembers the looks.
        now: Seconds since 1970.
    """
    from croniter import croniter

    checked = store.checked(schedule.system, schedule.cron, now)
    upcoming = float(croniter(schedule.cron, checked, ret_type=float).get_next())
    if upcoming > now:
        return False
    store.check(schedule.system, schedule.cron, now)
    return True


def bad_schedules(schedules: Sequence[Schedule]) -> list[str]:
    """List what is wrong with the schedules' times."""
    from croniter import croniter

    return [
        f"schedules: {schedule.system}: got cron {schedule.cron!r}; allowed five fields such as '0 3 * * 1'"
        for schedule in schedules
        if not croniter.is_valid(schedule.cron)
    ]


class Scheduler:
    """Looks at the clock and submits what is due."""

    def __init__(self, settings: RunnerSettings, runs: Runs, clock: Callable[[], float]) -> None:
        self._settings, self._runs, self._clock = settings, runs, clock

    def tick(self) -> list[str]:
        """Submit a run for each schedule that is due and has none under way.

        Returns:
            The ids of the runs.
        """
        now, started = self._clock(), []
        for schedule in self._settings.schedules:
            request = self._settings.request(schedule.system)
            if due(schedule, self._runs.store, now) and request and not self._runs.store.active(schedule.system):
                started.append(self._runs.submit(request, SCHEDULED).id)
        return started

    async def run(self, tick: float = TICK) -> None:
        """Tick until cancelled."""
        while True:
            try:
                self.tick()
            except Exception:
                # A full disk must not end the schedule for good.
                logging.getLogger(__name__).exception("a look at the schedules failed; the next comes in %s s", tick)
            await asyncio.sleep(tick)
