"""What makes a model version: data, settings and code, each as one hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path


def code_version() -> str:
    """Name the code of the steps: the package's version and a hash of its sources.

    The hash is there because an editable installation changes without its version changing.
    """
    from mlstrata_steps import __version__

    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{__version__}+{digest.hexdigest()[:12]}"


def settings_hash(recipe: Mapping[str, object]) -> str:
    """Hash everything chosen by a person: columns, algorithm, seed, limits. Key order does not matter."""
    text = json.dumps(recipe, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fingerprint(recipe: Mapping[str, object], stamp: str) -> str:
    """Identify "this data, code and settings" before anything has run.

    Args:
        recipe: The settings of the run (`settings_hash`).
        stamp: Hash of the source's raw bytes (`source.source_stamp`).
    """
    parts = (settings_hash(recipe), code_version(), stamp)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
