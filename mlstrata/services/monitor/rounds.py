"""The rounds over all systems: each has its verdict, whatever becomes of another's."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mlstrata.environments.spec.system import SystemSpec
from mlstrata.files import write
from mlstrata.services.catalog.settings import Declared
from mlstrata.services.monitor.names import ROUND
from mlstrata.services.monitor.report import render
from mlstrata.services.monitor.settings import Watching
from mlstrata.services.monitor.tracker import Tracker
from mlstrata.services.monitor.verdict import FILE, Verdict, folder, read_verdict
from mlstrata.services.recording.store import Store
from mlstrata.services.rounds import Rounds

Open = Callable[[Path], Store]


class Monitor(Rounds):
    """Looks at every declared system again and again.

    Attributes:
        verdicts: The last verdict by system; replaced as a whole, so that it can be read at any time.
    """

    def __init__(
        self,
        settings: Watching,
        opened: Open,
        clock: Callable[[], float] = time.time,
        *,
        first: float = 0.0,
        follow: Callable[[str], object] = lambda _: None,
    ) -> None:
        """Begin.

        Args:
            settings: The service's settings.
            opened: Opens the store of an environment's home.
            clock: Seconds since 1970.
            first: Seconds before the first round.
            follow: Called with a system before it is judged, where something else than the rollout has to put what is
                released into the home.
        """
        self.verdicts: dict[str, Verdict] = {}
        self._settings, self._open, self._clock, self._follow = settings, opened, clock, follow
        self._store: Store | None = None
        self._trackers: dict[str, Tracker] = {}
        super().__init__("monitor", ROUND, every=settings.every_seconds, first=first)

    def round(self) -> str:
        """Judge every system; return what went wrong."""
        try:
            declared = Declared.model_validate_json(self._settings.declared.read_bytes())
        except (OSError, ValueError) as error:
            return f"{self._settings.declared} cannot be read: {type(error).__name__}"
        complaints, found = [], {}
        for system in declared.systems:
            try:
                verdict = self._judged(system)
            except Exception as error:  # noqa: BLE001 - one bad system must not end the round of the others
                self._trackers.pop(system.name, None)
                why = f"{type(error).__name__}: {error}"
                complaints.append(f"{system.name}: {why}")
                span = system.monitor.drift.window.total_seconds()
                verdict = Verdict(system=system.name, state="failed", detail=why, at=self._clock(), window=span)
            found[system.name] = verdict
            self.verdicts = {**self.verdicts, system.name: verdict}
        self.verdicts = found
        return "; ".join(complaints)

    def _judged(self, system: SystemSpec) -> Verdict:
        if self._store is None:
            try:
                self._store = self._open(self._settings.home)
            except FileNotFoundError:
                span = system.monitor.drift.window.total_seconds()
                why = "nothing was recorded yet"
                return Verdict(system=system.name, state="too_few", detail=why, at=self._clock(), window=span)
        self._follow(system.name)
        tracker = self._trackers.setdefault(system.name, Tracker(self._settings.home, self._settings.every_seconds))
        before = self.verdicts.get(system.name) or _last(self._settings.home, system.name)
        verdict = tracker.round(self._store, system, self._clock())
        if before is not None and verdict.at == before.at:
            return before  # nothing was recorded since, and it stands
        verdict = verdict.dated(before)
        place = folder(self._settings.home, system.name)
        with suppress(OSError):  # a full disk must not end the watch: metrics and alerts go on
            write(place / FILE, verdict.model_dump_json(indent=1) + "\n")
            write(place / "report.html", render(verdict))
        return verdict


def _last(home: Path, system: str) -> Verdict | None:
    try:
        return read_verdict(home, system)
    except (OSError, ValueError):
        return None  # this round writes it anew
