"""Files of a workspace in the registry: how rows that no pod sees reach the jobs of a cluster.

Whoever trains may write there already, and the job may read: no further right is needed. A file lies beneath the hash
of its content; a small document a dataset says which one was put there last.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from mlstrata.clients.mlflow.rest import RegistryError, Rest

ROOT = "mlflow-artifacts:/mlstrata-data"
WORKSPACE = "workspace:"
"""What starts the source of a dataset that is put there: its name follows."""


def put(registry: Rest, system: str, dataset: str, files: tuple[Path, ...]) -> str:
    """Put a dataset's file there, unless it is; return the source by which a job reads it.

    Args:
        registry: Where.
        system: Whose it is.
        dataset: Its name.
        files: The file that is its source, and after it those that it needs beside it: of a DVC pointer the data.

    Raises:
        RegistryError: the registry does not answer, or refuses.
        OSError: a file cannot be read.
    """
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as opened:
            digest.update(file.name.encode() + b"\0" + hashlib.file_digest(opened, "sha256").digest())
    folder = f"{system}/{digest.hexdigest()}"
    there = {one["path"]: int(one.get("file_size") or 0) for one in registry.listed(ROOT, folder)}
    for file in files:
        name = f"{folder}/{file.name}"
        if there.get(name) != file.stat().st_size:
            registry.send(ROOT, name, file)
    source = f"{ROOT}/{folder}/{files[0].name}"
    registry.write(ROOT, _pointer(system, dataset), json.dumps({"source": source}).encode())
    return source


def placed(registry: Rest, system: str, source: str) -> str:
    """Return where a job reads a source: of a workspace's file, the one that was put there last.

    Raises:
        RegistryError: none was, or the registry does not answer.
    """
    if not source.startswith(WORKSPACE):
        return source
    dataset = source.removeprefix(WORKSPACE)
    try:
        return str(json.loads(registry.read(ROOT, _pointer(system, dataset)))["source"])
    except (RegistryError, ValueError, KeyError) as error:
        reason = f"dataset {dataset} of {system} is not in the registry ({error}); `mlstrata train` puts it there"
        raise RegistryError(reason) from error


def _pointer(system: str, dataset: str) -> str:
    return f"{system}/{dataset}.json"
