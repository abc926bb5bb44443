"""The lock of images: which digest each tag of the bill stood for when it was resolved."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from mlstrata import files

NAME = "images.lock.json"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class LockError(ValueError):
    """The lock is not what `mlstrata images --resolve` writes."""


def read(path: Path) -> dict[str, str]:
    """Return the digest of each image by its full name and tag; empty where there is no lock.

    Raises:
        LockError: the file is no such lock.
    """
    if not path.exists():
        return {}
    fix = "remove it and run `mlstrata images ENV --resolve` again"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        found = document["images"]
        wrong = [name for name, digest in found.items() if not _DIGEST.fullmatch(digest)]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise LockError(f"{path}: not a lock of images ({type(error).__name__}: {error}); {fix}") from None
    if wrong:
        raise LockError(f"{path}: images.{wrong[0]}: got '{found[wrong[0]]}'; allowed sha256:<64 hex digits>; {fix}")
    return {str(name): str(digest) for name, digest in found.items()}


def write(path: Path, digests: Mapping[str, str]) -> None:
    """Write the lock whole or not at all, in a stable order."""
    text = json.dumps({"images": dict(sorted(digests.items()))}, indent=2) + "\n"
    files.write(path, text, mode=None)
