"""The seal of a version: that the platform itself made it, and that nothing of it was changed since.

Whoever has the registry's password may register what he likes, a report of passed gates beside it. What he has not is
the environment's key, which is kept out of the registry: a version is sealed by an HMAC (RFC 2104, SHA-256) with that
key over what it is. It says nothing against who can read the key, as code that trains on this very account can.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

KEY = "MLSTRATA_SEAL_KEY"
"""Variable with the environment's key, for what registers; without it nothing is sealed."""

TAG, DIGEST = "seal", "model_digest"
"""Tags of a version: its seal, and `folder_digest` of its files."""


def folder_digest(folder: str | Path) -> str:
    """Hash every file of a folder with its path: `sha256:…`, whatever order a disk has them in.

    Raises:
        ValueError: Something in it is no plain file, such as a link to one elsewhere.
    """
    root = Path(folder)
    lines = []
    for path in sorted(root.rglob("*"), key=lambda one: one.relative_to(root).as_posix()):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ValueError(f"{path.relative_to(root)} is no plain file")
        if path.is_file():
            with path.open("rb") as file:
                lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()} {path.relative_to(root).as_posix()}\n")
    return of_files("".join(lines))


def of_files(lines: str) -> str:
    """Hash what names files: a line `SHA256 PATH` each, sorted by path."""
    return "sha256:" + hashlib.sha256(lines.encode()).hexdigest()


def key() -> str:
    """Return the environment's key; empty where this process was given none."""
    return os.environ.get(KEY, "").strip()


@dataclass(frozen=True)
class Made:
    """What a seal says was made here.

    Attributes:
        system: The registered model.
        run: The registry's run that keeps the report.
        model: `folder_digest` of the files that are served.
        gates: The report of all gates.
    """

    system: str
    run: str
    model: str
    gates: Mapping[str, object]

    def sealed(self, secret: str) -> str:
        """Return the seal that the environment's key makes of it."""
        # As JSON gives it back: its reader has it from a file.
        kept = json.loads(json.dumps(self.gates))
        said = json.dumps([self.system, self.run, self.model, kept], sort_keys=True, separators=(",", ":"))
        return hmac.new(secret.encode(), said.encode(), hashlib.sha256).hexdigest()

    def bears(self, secret: str, given: str) -> bool:
        """Say whether a seal is the one that the environment's key makes of it."""
        return hmac.compare_digest(self.sealed(secret).encode(), given.encode())


def is_sealed(client: MlflowClient, system: str, found: ModelVersion) -> bool:
    """Say whether a registered version bears a seal that fits; without a key nobody can say, and it passes."""
    from mlflow.artifacts import load_dict
    from mlflow.exceptions import MlflowException

    if not (secret := key()):
        return True
    try:
        gates = load_dict(f"{client.get_run(str(found.run_id)).info.artifact_uri}/gates.json")
    except (MlflowException, OSError):
        return False
    return Made(system, str(found.run_id), found.tags.get(DIGEST, ""), gates).bears(secret, found.tags.get(TAG, ""))
