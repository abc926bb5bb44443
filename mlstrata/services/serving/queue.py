"""The line before a system's predictions: how many wait, for how long, and who is next.

More requests than can be computed make a line that only grows: each is answered later than the one before it, at last
when nobody waits any more, and all of the work is for nothing. So the line is bounded by a time, which follows what a
prediction takes, and not by a guess at how many requests a model can take. A burst is taken in turn. Once the line has
been too long for its patience it stands: the newest is next, whose caller is the likeliest still there, and who waited
for the patience is refused (B. Maurer, Fail at Scale, ACM Queue 13(8), 2015; K. Nichols and V. Jacobson, Controlling
Queue Delay, ACM Queue 10(5), 2012). Those who wait meanwhile hold their places, so that the gateway refuses whom there
is no place for, at once and without a word to this process.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal

PATIENCE_S, PREDICTIONS = 1.0, 4.0
"""The least patience of a line, in seconds, and how many predictions may be computed in it, one after the other."""
_LONG_S, _LONG = 0.25, 2.0
"""A line is too long when who joins it would wait for longer: seconds, and so many predictions."""
_NEW = 0.1
"""Weight of the newest prediction in what one takes."""
Reason = Literal["full", "waited", "late", "gone"]


class OverloadedError(Exception):
    """A request is not computed.

    Attributes:
        reason: The line was `full`, it `waited` in a line that stands, it was too `late`, or its caller was `gone`.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class _Waiting:
    def __init__(self, since: float, until: float) -> None:
        self.since, self.until = since, until
        self.turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Queue:
    """Lets some requests be computed at a time, and others wait; for one event loop."""

    def __init__(self, workers: int, most: int, now: Callable[[], float] = time.monotonic) -> None:
        """Be empty.

        Args:
            workers: How many are computed at a time.
            most: How many wait at most.
            now: The time, in seconds.
        """
        self._workers, self._free, self._most, self._now = workers, workers, most, now
        self._line: deque[_Waiting] = deque()
        self._short_at, self._seconds = now(), 0.0

    def __len__(self) -> int:
        return len(self._line)

    @asynccontextmanager
    async def turn(self, until: float = float("inf")) -> AsyncIterator[None]:
        """Wait for a turn, and have it within the block.

        Args:
            until: When its caller goes away, as `now` tells the time.

        Raises:
            OverloadedError: It has no turn.
        """
        await self._wait(until)
        began = self._now()
        try:
            yield
        finally:
            took = self._now() - began
            self._seconds += (_NEW if self._seconds else 1.0) * (took - self._seconds)
            self._free += 1
            self._go_on()

    async def _wait(self, until: float) -> None:
        self._drop()
        if self._free and not self._line:
            self._free -= 1
            return
        if len(self._line) >= self._most:
            raise OverloadedError("full")
        one = _Waiting(self._now(), until)
        self._line.append(one)
        try:
            await one.turn
        except asyncio.CancelledError:
            if one in self._line:
                self._line.remove(one)
            elif not one.turn.cancelled() and one.turn.exception() is None:
                # It was given its turn, and will not take it.
                self._free += 1
                self._go_on()
            raise

    @property
    def _patience(self) -> float:
        return max(PATIENCE_S, PREDICTIONS * self._seconds)

    def _stands(self) -> bool:
        now, patience = self._now(), self._patience
        # Not whether it is ever empty: it is not where a few callers ask again with each answer, and none waits long.
        if len(self._line) * self._seconds <= max(_LONG_S, _LONG * self._seconds) * self._workers:
            self._short_at = now
        return now - self._short_at > patience

    def _go_on(self) -> None:
        """Give whoever is next each turn that is free."""
        self._drop()
        while self._free and self._line:
            one = self._line.pop() if self._stands() else self._line.popleft()
            if one.turn.done():
                continue
            if one.until <= self._now():
                one.turn.set_exception(OverloadedError("late"))
                continue
            self._free -= 1
            one.turn.set_result(None)

    def _drop(self) -> None:
        """Refuse who has waited for too long; the oldest are first in the line."""
        if not self._stands():
            return
        while self._line and self._now() - self._line[0].since > self._patience:
            if not (one := self._line.popleft()).turn.done():
                one.turn.set_exception(OverloadedError("waited"))
