"""Images without a registry or a builder: an OCI layout in one tar, which containerd imports."""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

_MEDIA = "application/vnd.oci.image"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Image:
    """What an image is made of.

    Attributes:
        name: With its registry and tag.
        layers: Tar files, the lowest first.
        settings: Of its configuration, as `Entrypoint` and `User`.
    """

    name: str
    layers: Sequence[Path]
    settings: Mapping[str, Any] = field(default_factory=dict)


def layer(path: Path, files: Mapping[str, Path], links: Mapping[str, str] | None = None) -> Path:
    """Write a layer with some programs and symbolic links, the same bytes each time; return it."""
    with tarfile.open(path, "w") as tar:
        for name, source in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = source.stat().st_size, 0o755
            with source.open("rb") as content:
                tar.addfile(entry, content)
        for name, target in sorted((links or {}).items()):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, target, 0o777
            tar.addfile(entry)
    return path


def _digest(content: BinaryIO) -> str:
    found = hashlib.sha256()
    while data := content.read(_CHUNK):
        found.update(data)
    return found.hexdigest()


class _Layout:
    def __init__(self, tar: tarfile.TarFile) -> None:
        self.tar, self.there = tar, set[str]()

    def file(self, path: Path) -> dict[str, Any]:
        with path.open("rb") as content:
            found, size = _digest(content), os.fstat(content.fileno()).st_size
            content.seek(0)
            self._add(f"blobs/sha256/{found}", size, content)
        return {"digest": f"sha256:{found}", "size": size}

    def document(self, document: Mapping[str, Any]) -> dict[str, Any]:
        data = json.dumps(document).encode()
        found = hashlib.sha256(data).hexdigest()
        self._add(f"blobs/sha256/{found}", len(data), io.BytesIO(data))
        return {"digest": f"sha256:{found}", "size": len(data)}

    def top(self, name: str, document: Mapping[str, Any]) -> None:
        data = json.dumps(document).encode()
        self._add(name, len(data), io.BytesIO(data))

    def _add(self, name: str, size: int, content: BinaryIO) -> None:
        if name not in self.there:
            self.there.add(name)
            entry = tarfile.TarInfo(name)
            entry.size = size
            self.tar.addfile(entry, content)


def relabelled(
    path: Path, name: str, manifest: Mapping[str, Any], config: Mapping[str, Any], labels: Mapping[str, str]
) -> Path:
    """Write an image of layers that whoever imports it has already, under a name and with other labels; return it."""
    own = {**config, "config": {**config["config"], "Labels": {**config["config"].get("Labels", {}), **labels}}}
    with tarfile.open(path, "w") as tar:
        layout = _Layout(tar)
        kept = {"mediaType": manifest["config"]["mediaType"], **layout.document(own)}
        described = {"mediaType": manifest["mediaType"], **layout.document({**manifest, "config": kept})}
        layout.top("index.json", {"schemaVersion": 2, "manifests": [{**described, "annotations": _named(name)}]})
        layout.top("oci-layout", {"imageLayoutVersion": "1.0.0"})
    return path


def _named(name: str) -> dict[str, str]:
    return {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rpartition(":")[2]}


def archive(path: Path, images: Iterable[Image]) -> Path:
    """Write images as one OCI layout, each layer once; return it.

    The layers are not compressed: who reads them is on this machine.
    """
    with tarfile.open(path, "w") as tar:
        layout, manifests = _Layout(tar), []
        for image in images:
            layers = [layout.file(one) for one in image.layers]
            config = {
                "architecture": "amd64",
                "os": "linux",
                "config": dict(image.settings),
                "rootfs": {"type": "layers", "diff_ids": [one["digest"] for one in layers]},
            }
            kept = {"mediaType": f"{_MEDIA}.config.v1+json", **layout.document(config)}
            manifest = {
                "schemaVersion": 2,
                "mediaType": f"{_MEDIA}.manifest.v1+json",
                "config": kept,
                "layers": [{"mediaType": f"{_MEDIA}.layer.v1.tar", **one} for one in layers],
            }
            described = {"mediaType": f"{_MEDIA}.manifest.v1+json", **layout.document(manifest)}
            manifests.append({**described, "annotations": _named(image.name)})
        layout.top("index.json", {"schemaVersion": 2, "manifests": manifests})
        layout.top("oci-layout", {"imageLayoutVersion": "1.0.0"})
    return path
