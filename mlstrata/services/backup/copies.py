"""What copies are called, of files and of a bucket's objects alike."""

from __future__ import annotations

import re

STAMP = "%Y%m%dT%H%M%SZ"
NEWEST = "newest"
_NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z")


class BackupError(Exception):
    """The copy is not whole; the message says what is missing."""


def is_name(text: str) -> bool:
    """Say whether a copy is called so."""
    return _NAME.fullmatch(text) is not None
