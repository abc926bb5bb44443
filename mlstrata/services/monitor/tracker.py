"""One system from round to round: what was read stays counted; what costs more is done in a share of the time."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mlstrata.services.monitor import judging
from mlstrata.services.monitor.layout import Column, Layout
from mlstrata.services.monitor.truth import Answered, Asked, answered
from mlstrata.services.monitor.verdict import Finding, State, Verdict
from mlstrata.services.monitor.window import BLOCKS, Window
from mlstrata.services.serving.folders import releases_folder
from mlstrata.services.serving.releases import Releases
from mlstrata_steps.reference import FILE, Reference
from mlstrata_steps.tasks.output import METADATA, Output

if TYPE_CHECKING:
    from mlstrata.environments.spec.system import SystemSpec
    from mlstrata.services.recording.store import Store

ROWS_A_ROUND = 50_000
"""Rows that one system may have read in a round: a day of many does not keep the others waiting."""
NEWEST = 20_000
"""Rows whose truth and groups are looked at, the newest of the window: enough for an interval of 0.01."""
LATE = 30
"""Windows that are looked back for truth where the newest one has too little: a month, where a window is a day."""
SHARE = 0.02
"""Share of the time that reading again may take: feedback changes rows long after they were counted."""


@dataclass
class _Budget:
    """When something that costs is due again.

    Attributes:
        seen: What it was last done for; it is not done twice for the same.
        free: From when on it may be done, in seconds of the clock that never goes back.
        cost: Seconds that it took so far, where it is done in steps.
    """

    seen: object = None
    free: float = 0.0
    cost: float = 0.0

    def due(self, seen: object) -> bool:
        return seen != self.seen and time.monotonic() >= self.free

    @contextmanager
    def step(self) -> Iterator[None]:
        """Count what a step of it costs."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.cost += time.monotonic() - began

    def done(self, seen: object) -> None:
        """Note that it was done, for what was seen when it began."""
        self.seen, self.free, self.cost = seen, time.monotonic() + self.cost / SHARE, 0.0

    @contextmanager
    def spent(self, seen: object) -> Iterator[None]:
        """Do it in one step."""
        try:
            with self.step():
                yield
        finally:
            self.done(seen)


@dataclass
class _Version:
    """A version that answers, and what was counted of it."""

    number: str
    reference: Reference
    layout: Layout
    asked: Asked
    window: Window
    settings: object
    again: Window | None = None
    again_for: object = None
    sweeping: _Budget = field(default_factory=_Budget)
    judging: _Budget = field(default_factory=_Budget)
    live: tuple[Finding, ...] = ()
    truths: int = 0
    judged: float = -math.inf


class Tracker:
    """Watches one system."""

    def __init__(self, home: Path, every: float) -> None:
        """Begin.

        Args:
            home: The environment's home.
            every: Seconds between two rounds.
        """
        self._home, self._every = home, every
        self._version: _Version | None = None
        self._verdict: Verdict | None = None
        self._not_yet: Verdict | None = None

    def round(self, store: Store, system: SystemSpec, now: float) -> Verdict:
        """Look at what was recorded since, and judge.

        Args:
            store: What was recorded.
            system: The system as declared.
            now: Seconds since 1970.

        Raises:
            OSError: The store cannot be read.
            ValueError: A file of the system's releases or its reference is damaged.
        """
        champion = Releases.read(releases_folder(self._home, system.name)).champion
        if champion is None:
            return self._not_judged(system, now, None, "nothing_released", "no version is released yet")
        mine = self._of(champion, system, now)
        if mine is None:
            why = f"version {champion} has no {FILE}: train and release it again, and it is packaged with one"
            return self._not_judged(system, now, champion, "no_reference", why)
        read = mine.window.advance(store, system.name, champion, now, most=ROWS_A_ROUND)
        swept = self._sweep(mine, store, system, now)
        if mine.window.behind:
            return self._not_judged(system, now, champion, "catching_up", "what was recorded is being read")
        looked = self._look(mine, store, system, now)
        step = system.monitor.drift.window.total_seconds() / BLOCKS
        if not (read or swept or looked) and now - mine.judged < step and self._verdict is not None:
            return self._verdict
        mine.judged = now
        self._verdict = self._judge(mine, system, now)
        return self._verdict

    def _of(self, champion: str, system: SystemSpec, now: float) -> _Version | None:
        """Return the version that answers; another one, or other settings, begin anew."""
        settings = (system.monitor, system.recording, system.model, system.kpis)
        mine = self._version
        if mine is not None and (mine.number, mine.settings) == (champion, settings):
            return mine
        self._version = self._verdict = None
        try:
            content = (releases_folder(self._home, system.name) / "models" / champion / FILE).read_bytes()
        except FileNotFoundError:
            return None
        reference = Reference.parse(content)
        kept = {*system.recording.exclude, *system.recording.pseudonymise}
        ranges = system.monitor.range
        layout = Layout(
            tuple(Column(one, ranges.get(one.name)) for one in reference.inputs if one.name not in kept),
            tuple(Column(one, ranges.get(one.name)) for one in reference.answers),
        )
        asked = Asked.of(Output.of({METADATA: reference.output}), system.model)
        span = system.monitor.drift.window.total_seconds()
        self._version = _Version(champion, reference, layout, asked, Window(layout, span, now - span), settings)
        return self._version

    def _sweep(self, mine: _Version, store: Store, system: SystemSpec, now: float) -> bool:
        """Count all of the window again, step by step: what came late is counted, and what was erased no longer."""
        seen = _recorded(store, system.name, mine.number)
        if mine.sweeping.seen is None and not mine.window.behind:
            mine.sweeping.seen = seen
        if mine.again is None:
            if mine.window.behind or not mine.sweeping.due(seen):
                return False
            span = system.monitor.drift.window.total_seconds()
            mine.again, mine.again_for = Window(mine.layout, span, now - span), seen
        with mine.sweeping.step():
            mine.again.advance(store, system.name, mine.number, now, most=ROWS_A_ROUND)
        if mine.again.behind:
            return False
        # What came meanwhile may lie behind where it was read already: that is for the next time.
        mine.sweeping.done(mine.again_for)
        mine.window, mine.again = mine.again, None
        return True

    def _look(self, mine: _Version, store: Store, system: SystemSpec, now: float) -> bool:
        """Measure what truth, groups and single answers tell, of the newest rows."""
        seen = (_recorded(store, system.name, mine.number), store.joined().get(system.name, 0))
        if not mine.judging.due(seen):
            return False
        with mine.judging.spent(seen):
            span = system.monitor.drift.window.total_seconds()
            rows = self._newest(mine, store, system, now, span)
            found = [*judging.estimated(rows, mine.reference, system)]
            if rows.known.sum() < judging.LEAST_TRUTHS:
                # Truth comes late: that of earlier windows says more than none.
                rows = self._newest(mine, store, system, now, span * LATE)
            found += judging.performance(rows, mine.asked, system)
            found += judging.fairness(rows, mine.asked, system)
            mine.live, mine.truths = tuple(found), int(rows.known.sum())
        return True

    def _newest(self, mine: _Version, store: Store, system: SystemSpec, now: float, span: float) -> Answered:
        read = store.window(system.name, since=now - span, until=now, version=mine.number, groups=True, limit=NEWEST)
        return answered(list(read), mine.asked)

    def _judge(self, mine: _Version, system: SystemSpec, now: float) -> Verdict:
        counted, served = mine.window.total()
        span, needed = system.monitor.drift.window.total_seconds(), system.monitor.drift.min_sample
        looks = max(1, math.ceil(span / self._every))
        columns, cut = mine.layout.columns, len(mine.layout.inputs)
        findings = [*judging.drift(mine.layout, counted, system, looks), *mine.live]
        findings += judging.quality(columns[:cut], counted[:cut], needed, looks)
        findings += judging.service(served, system)
        few = served.rows < needed
        return Verdict(
            system=system.name,
            version=mine.number,
            state="too_few" if few else "judged",
            detail=f"{served.rows} rows of {needed} that a verdict on drift needs" if few else "",
            at=now,
            window=span,
            rows=served.rows,
            needed=needed,
            truths=mine.truths,
            fallback=served.fallback,
            findings=tuple(findings),
            bars=judging.bars(columns, counted),
        )

    def _not_judged(self, system: SystemSpec, now: float, version: str | None, state: State, why: str) -> Verdict:
        drift, known = system.monitor.drift, self._not_yet
        span = drift.window.total_seconds()
        said = (system.name, version, state, why, span, drift.min_sample)
        if known is not None and now - known.at < span / BLOCKS and said == _said(known):
            return known
        self._not_yet = Verdict(
            system=system.name,
            version=version,
            state=state,
            detail=why,
            at=now,
            window=span,
            needed=drift.min_sample,
        )
        return self._not_yet


def _recorded(store: Store, system: str, version: str) -> object:
    """Return what says that something was recorded of a version, or removed."""
    return [(one.recorded, one.removed) for one in store.counts() if (one.system, one.version) == (system, version)]


def _said(one: Verdict) -> tuple[object, ...]:
    return one.system, one.version, one.state, one.detail, one.window, one.needed
