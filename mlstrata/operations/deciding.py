"""Who decides."""

from __future__ import annotations

import getpass
import os


def deciding_user() -> str:
    """Return who decides when a call does not say: the one who runs it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user often has no name.
        return f"uid {os.getuid()}"
