"""How long tests wait: for a condition, with a backstop that judges no machine's speed."""

import time
from collections.abc import Callable

PATIENCE = 900.0
"""Seconds after which something hangs. Whoever waits ends with the condition; a machine that is busy with other things
takes longer, which is no error of what is tested."""


def eventually(condition: Callable[[], object], seconds: float = PATIENCE, *, pause: float = 0.05) -> float:
    """Wait until `condition` holds; return the seconds that it took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, "it did not come about in time"
        time.sleep(pause)
    return time.monotonic() - begun
