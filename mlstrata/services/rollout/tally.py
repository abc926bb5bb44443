"""Counts what both versions of a rollout did: each row is read once, and again when more becomes known of it.

What is counted depends on the store alone: one that begins anew, as after a restart, comes to the same. Of a row with
truth, reward or groups is kept what was counted of it, some 200 bytes, so that a later word on it takes its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from mlstrata.services.recording.record import MODEL
from mlstrata.services.rollout.evidence import Evidence, Reading, Seen, Told, told_of

if TYPE_CHECKING:
    from mlstrata.services.recording.store import Cursor, Known, Store

_FAILED = 500
_MOST_SCORES = 20_000
"""Scores that are kept of each version, to compare what a shadow would have said."""


@dataclass(frozen=True)
class Wanted:
    """What is counted.

    Attributes:
        system: The system.
        champion: The version that answers.
        candidate: The version that is tried.
        since: From when on, in seconds since 1970.
        reading: How answers and truths are read.
        groups: Whether groups are compared.
    """

    system: str
    champion: str
    candidate: str
    since: float
    reading: Reading
    groups: bool


class Tally:
    """Counts one step of a rollout."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self._cursor: Cursor | None = None
        self._seen: dict[str, Seen] = {}
        self._told: dict[tuple[str, str, int], Told] = {}
        self._forget()

    def read(self, store: Store) -> Evidence:
        """Read what came since the last time; return what both versions did by now."""
        wanted = self.wanted
        following = partial(
            store.news,
            wanted.system,
            since=wanted.since,
            versions=(wanted.champion, wanted.candidate),
            groups=wanted.groups,
        )
        more = True
        while more:
            news = following(self._cursor)
            if news.anew:
                self._forget()
            for one in news.new:
                self._count(one)
                self._tell(one)
            for one in news.told:
                self._tell(one)
            # Last: what fails on its way is counted anew, and not twice.
            self._cursor, more = news.cursor, news.more
        return Evidence(self._seen[wanted.champion], self._seen[wanted.candidate])

    def _forget(self) -> None:
        self._seen = {self.wanted.champion: Seen(), self.wanted.candidate: Seen()}
        self._told = {}

    def _count(self, one: Known) -> None:
        """Count what is known once a row is recorded."""
        record, seen = one.record, self._seen[one.record.version]
        if one.instance == 0:
            seen.requests += 1
            seen.errors += record.status >= _FAILED
            seen.slow += record.status < _FAILED and record.ms > self.wanted.reading.slowest
            seen.implausible += record.problem == "implausible"
        seen.rows += 1
        seen.fallbacks += record.instances[one.instance].source != MODEL
        output = one.output or {}
        score = next((output[name] for name in ("probability", "value") if name in output), None)
        if isinstance(score, int | float) and len(seen.scores) < _MOST_SCORES:
            seen.scores[record.id, one.instance] = float(score)

    def _tell(self, one: Known) -> None:
        """Count what became known of a row, in place of what was known of it before."""
        seen, key = self._seen[one.record.version], (one.record.version, one.record.id, one.instance)
        if (before := self._told.pop(key, None)) is not None:
            _take_back(seen, before)
        said = one.feedback
        if one.output is None or said is None:
            return
        told = told_of(one.output, said.truth, said.reward, groups=said.groups, reading=self.wanted.reading)
        if told is not None:
            self._told[key] = told
            if told.worth is not None:
                seen.value.add(told.worth)
            for rate, group in told.groups:
                seen.groups[rate][group].add(told.label)


def _take_back(seen: Seen, told: Told) -> None:
    if told.worth is not None:
        seen.value.take_back(told.worth)
    for rate, group in told.groups:
        seen.groups[rate][group].take_back(told.label)
        if not seen.groups[rate][group].count:
            del seen.groups[rate][group]


class Tallies:
    """The tallies of an environment's rollouts, one a system, so that whoever looks again reads what is new alone."""

    def __init__(self) -> None:
        self._known: dict[str, Tally] = {}

    def read(self, wanted: Wanted, store: Store) -> Evidence:
        """Return what both versions did by now; another step, or another way to read, is counted from its beginning."""
        known = self._known.pop(wanted.system, None)
        tally = known if known is not None and known.wanted == wanted else Tally(wanted)
        found = tally.read(store)
        # Not where reading failed: it may have counted a part.
        self._known[wanted.system] = tally
        return found

    def forget(self, system: str) -> None:
        """Keep nothing of a system, which is in no rollout any more."""
        self._known.pop(system, None)
