"""What Ctrl-C does to a run of the engine, said at once: the steps that run may take a while to end."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

import pulumi_embedded

FIRST = "interrupted: the steps that run are finished first, no other is begun; Ctrl-C again stops at once"
SECOND = "interrupted again: stopping at once"


class Interruption(pulumi_embedded.Cancellation):
    """A cancellation that tells the person who asks for it."""

    def request(self) -> int:
        """Ask once more, and say what comes of it; returns how often it has been asked.

        Called by the handler of a signal, so it writes past every buffer and lock: whoever holds one may be the very
        code that was interrupted.
        """
        asked = super().request()
        if asked <= 2:  # noqa: PLR2004 - what is said twice was said
            _write(FIRST if asked == 1 else SECOND)
        return asked


def _write(text: str) -> None:
    with suppress(OSError, ValueError):
        # A terminal's line holds what is under way; it is drawn again below.
        start = "\r\x1b[2K" if sys.stderr.isatty() else ""
        os.write(sys.stderr.fileno(), f"{start}{text}\n".encode())
