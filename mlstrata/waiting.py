"""Waits for a condition or retries a call, with a deadline on the monotonic clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PAUSE = 0.1
"""Seconds between two attempts where nothing else is said."""


def until(condition: Callable[[], T], seconds: float, pause: float = PAUSE) -> T:
    """Call `condition` until what it returns is true, or the time is over; return its last answer.

    Args:
        condition: Called at least once, and never after it was true.
        seconds: How long to go on; 0 calls it once.
        pause: Seconds between two calls.
    """
    deadline = time.monotonic() + seconds
    while not (held := condition()) and time.monotonic() < deadline:
        time.sleep(pause)
    return held


def retry(
    call: Callable[[], T],
    seconds: float,
    when: Callable[[Exception], bool],
    pause: float = PAUSE,
    *,
    first: Callable[[Exception], object] = lambda _error: None,
) -> T:
    """Call until nothing is raised; return what the call returns.

    Args:
        call: Called at least once.
        seconds: How long to go on; 0 calls it once.
        when: Says whether an error may pass, so that another attempt makes sense.
        pause: Seconds between two calls.
        first: Told the first error that is tried again.

    Raises:
        Exception: The last error, when it cannot pass or the time is over.
    """
    deadline, again = time.monotonic() + seconds, False
    while True:
        try:
            return call()
        except Exception as error:
            if not when(error) or time.monotonic() >= deadline:
                raise
            if not again:
                first(error)
                again = True
        time.sleep(pause)


def steadily(
    ask: Callable[[], T], is_right: Callable[[T], bool], times: int, seconds: float, pause: float = PAUSE
) -> tuple[bool, T]:
    """Ask until several answers in a row are right: one alone may come from one of several threads or copies.

    Args:
        ask: Called at least once.
        is_right: Says whether an answer is right.
        times: How many answers in a row have to be.
        seconds: How long to go on after a wrong answer.
        pause: Seconds after a wrong answer; after a right one the next is asked at once.

    Returns:
        Whether they were, and the last answer.
    """
    deadline, agreed = time.monotonic() + seconds, 0
    while True:
        answer = ask()
        agreed = agreed + 1 if is_right(answer) else 0
        if agreed >= times:
            return True, answer
        if not agreed:
            if time.monotonic() >= deadline:
                return False, answer
            time.sleep(pause)
