"""What makes a model version: data, settings and code, each as one hash."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

SOURCES = (".py",)


def code_version() -> str:
    """Name the code of the steps: the package's version and a hash of its sources.

    The hash is there because an editable installation changes without its version changing.
    """
    from mlstrata_steps import __version__

    return f"{__version__}+{tree_digest(Path(__file__).parent, SOURCES)[:12]}"


def code_commit() -> str:
    """Name the commit that the running image was built from; empty outside of one, where `code_version` tells."""
    # tools/install-image writes it: an image has neither a checkout nor git.
    file = Path(sys.prefix) / "commit"
    return file.read_text(encoding="utf-8").strip() if file.is_file() else ""


def tree_digest(folder: Path, suffixes: Collection[str] = ()) -> str:
    """Hash all files beneath a folder (sha256, hexadecimal, 64 digits), by their names in it and their content.

    Args:
        folder: Where it lies plays no part, nor does what Python has compiled in it.
        suffixes: Only files whose names end so; all by default.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and (not suffixes or path.suffix in suffixes):
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").digest()
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + content)
    return digest.hexdigest()


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
