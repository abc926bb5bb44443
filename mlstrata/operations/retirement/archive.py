"""What is kept of a system that was retired: one file with its versions, reports, papers and decisions, and hashes."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata.files import replacing
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import Failed
from mlstrata.services.retention.settings import DOCUMENTS, KEPT
from mlstrata.services.serving.releases import FILE as RELEASES

if TYPE_CHECKING:
    from mlstrata.operations.targets.local import Local

FILE = "retired.tar.gz"
MANIFEST = "manifest.json"
ROWS = ("input_example.json", "serving_input_example.json")
"""Files of a model with rows of its data, which nothing needs that is only kept."""
_PRIVATE = 0o600


def archived(deployment: Deployment, system: str) -> Path:
    """Return where a retired system's archive lies."""
    return deployment.home / DOCUMENTS / system / FILE


def archive(deployment: Deployment, system: str, *, who: str, reason: str, now: datetime) -> Path:
    """Write the archive in place of any earlier one; return where it lies.

    The same content gives the same bytes. Rows of data are left out.

    Raises:
        Failed: something of it cannot be read or written; an earlier archive is as it was.
    """
    from mlstrata.clients.mlflow import RegistryError

    local, path = deployment.target.here("retire"), archived(deployment, system)
    about = {"system": system, "environment": deployment.name, "who": who, "reason": reason, "when": now.isoformat()}
    until = now + deployment.spec.retention.documents
    try:
        with tempfile.TemporaryDirectory(prefix="mlstrata-retire-") as made, replacing(path, _PRIVATE) as file:
            contents = dict(sorted(_contents(local, system, Path(made))))
            hashes = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
            contents[MANIFEST] = _json({**about, "until": until.isoformat(), "sha256": hashes})
            _pack(file, contents, now)
        kept = {"system": system, "reason": reason, "until": until.timestamp(), "retired": now.isoformat()}
        with replacing(path.parent / KEPT, _PRIVATE) as file:
            file.write(_json(kept))
    except (OSError, ValueError, RegistryError) as error:
        raise Failed(f"{system}: it cannot be archived: {error}; nothing is retired") from error
    return path


def _contents(local: Local, system: str, made: Path) -> Iterator[tuple[str, bytes]]:
    """Yield each file of the archive by its name in it."""
    declared, releases = local.deployment.system(system), local.released(system)
    yield "declaration.json", _json(declared.model_dump(mode="json"))
    yield RELEASES, releases.to_json().encode()
    decisions, _ = local.decisions(system)
    yield "decisions.json", _json([{**vars(one), "when": one.when.isoformat()} for one in decisions])
    with local.registry() as registry:
        for version in sorted({entry.to for entry in releases.history}, key=int):
            candidate = registry.candidate(system, version)
            registry.download(candidate, made / version)
            yield from _files(made / version, f"versions/{version}/model")
            for name, report in registry.reports(candidate.run or "").items():
                yield f"versions/{version}/reports/{name}.json", _json(report)
    root = local.deployment.workspace.root
    for key, named in declared.documents.model_dump(mode="json", exclude_none=True).items():
        # A paper at an address is kept by whoever keeps it there; its address is in the declaration.
        if "://" not in str(named) and (root / str(named)).is_file():
            yield f"documents/{key}{Path(str(named)).suffix}", (root / str(named)).read_bytes()


def _files(folder: Path, within: str) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in ROWS:
            yield f"{within}/{path.relative_to(folder)}", path.read_bytes()


def _pack(file: Any, contents: dict[str, bytes], now: datetime) -> None:
    with (
        gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(content), _PRIVATE, int(now.timestamp())
            tar.addfile(entry, io.BytesIO(content))


def _json(content: Any) -> bytes:
    return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()
