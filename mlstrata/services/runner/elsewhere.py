"""Models that were trained elsewhere: fetched whole, known by hash, and looked at before they run."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import urlsplit

from mlstrata.clients.mlflow import Registry, RegistryError
from mlstrata.clients.mlflow.access import header
from mlstrata.files import write
from mlstrata.services.serving.admission import MODEL_FILE, RefusedError, digest_of, document, look
from mlstrata_steps.converted.file import LARGEST, NotPlain, require_plain
from mlstrata_steps.converted.form import FILE
from mlstrata_steps.foreign.model import LOADER, SUFFIX
from mlstrata_steps.package import file_hash

FORMS = (
    "models:/NAME/VERSION, mlflow+https://HOST/NAME/VERSION, s3://BUCKET/FOLDER, a folder of the workspace, or an ONNX "
    "file (NAME.onnx) of the bucket or the workspace"
)
"""What `model.source` may be."""
FOLDER = "elsewhere"
"""Where fetched models are kept, in the folder of a system's runs."""
LOGGED = "mlflow.onnx"
"""The loader of a model that was logged by MLflow's flavour for ONNX."""
WHOLE = "whole.onnx"
"""A file with the data that lay beside it."""
RECORD = "fetched.json"
"""Beside what was fetched: the digest that each source had first."""
ACCESS = ("MLSTRATA_SOURCE_USERNAME", "MLSTRATA_SOURCE_PASSWORD", "MLSTRATA_SOURCE_TOKEN")
"""Variables with the access to somebody else's registry."""


class NotFetched(Exception):
    """A model cannot be had, is another one than before, or may not be loaded; the message says why."""


@dataclass(frozen=True)
class Fetched:
    """A model from elsewhere, on this machine.

    Attributes:
        source: Where it is from.
        digest: `folder_digest` of its files; of an ONNX file the file's own, as `sha256sum` has it.
        file: Its skops or ONNX file.
    """

    source: str
    digest: str
    file: Path


def fetch(source: str, folder: Path, *, root: Path, registry: Registry, declared: str = "") -> Fetched:
    """Fetch a model, unless the same one is here already.

    Args:
        source: One of `FORMS`.
        folder: Where what is fetched is kept.
        root: The workspace, which a folder starts from.
        registry: The environment's own.
        declared: The digest that it must have; empty: the one that it had when it was first fetched.

    Raises:
        NotFetched: It cannot be had, is another one, or may not be loaded.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="unfinished-") as scratch:
        made = Path(scratch) / "model"
        try:
            _way(source, root, registry)(made)
            digest = digest_of(made)
            if source.endswith(SUFFIX):
                digest = file_hash(str(made / FILE))
            _require_same(source, digest, declared, folder / RECORD)
            file = _looked_at(made)
        except (RegistryError, RefusedError, NotPlain, OSError) as error:
            raise NotFetched(f"model.source: {source}: {error}") from error
        kept = folder / digest.removeprefix("sha256:")
        if not kept.is_dir():
            made.replace(kept)
        kept.touch()  # it is kept for some time after its last use
    return Fetched(source, digest, kept / file)


def _way(source: str, root: Path, registry: Registry) -> Callable[[Path], None]:
    """Return what puts the files of a source into a folder.

    Raises:
        NotFetched: It is none of the forms.
    """
    address = urlsplit(source)
    if address.scheme == "models":
        return _of_registry(registry, address.path, source)
    if address.scheme in ("mlflow+http", "mlflow+https"):
        user, password, token = (os.environ.get(one, "") for one in ACCESS)
        given = {"MLFLOW_TRACKING_USERNAME": user, "MLFLOW_TRACKING_PASSWORD": password, "MLFLOW_TRACKING_TOKEN": token}
        theirs = Registry(f"{address.scheme.removeprefix('mlflow+')}://{address.netloc}", header(given))
        return _of_registry(theirs, address.path, source)
    if address.scheme == "s3":
        return lambda to: _of_bucket(address.netloc, address.path.strip("/"), to)
    if address.scheme:
        raise NotFetched(f"model.source: got {source!r}; allowed {FORMS}")
    place, lone = (root / source).resolve(), source.endswith(SUFFIX)
    if not place.is_relative_to(root.resolve()) or not (place.is_file() if lone else place.is_dir()):
        raise NotFetched(f"model.source: got {source!r}; there is no such {'file' if lone else 'folder'} in {root}")
    return lambda to: _copied(place, to)


def _copied(place: Path, to: Path) -> None:
    if place.is_dir():
        shutil.copytree(place, to, symlinks=True)
        return
    _require_small(place.stat().st_size)
    to.mkdir()
    shutil.copyfile(place, to / FILE)


def _require_small(size: int) -> None:
    """Refuse a file that would not be read, before it is copied.

    Raises:
        NotPlain: It is too large.
    """
    if size > LARGEST:
        raise NotPlain(f"the ONNX file has {size} bytes; allowed {LARGEST}")


def _of_registry(registry: Registry, path: str, source: str) -> Callable[[Path], None]:
    name, _, version = path.strip("/").rpartition("/")
    if not name or not version.isdecimal():
        raise NotFetched(f"model.source: got {source!r}; name a version, as in models:/NAME/3: an alias may move")

    def put(to: Path) -> None:
        registry.download(registry.candidate(name, version), to)

    return put


def _of_bucket(bucket: str, prefix: str, to: Path) -> None:
    """Put the objects below a prefix, or an ONNX file, into a folder, by AWS's own variables.

    Raises:
        NotFetched: There are none, or the store refuses.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    client: Any = boto3.client("s3")
    try:
        if prefix.endswith(SUFFIX):
            _require_small(int(client.head_object(Bucket=bucket, Key=prefix)["ContentLength"]))
            to.mkdir()
            client.download_file(bucket, prefix, str(to / FILE))
            return
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
        keys = [str(one["Key"]) for page in pages for one in page.get("Contents", ())]
        for key in keys:
            place = to / key.removeprefix(f"{prefix}/")
            if ".." in place.parts or key.endswith("/"):
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            client.download_file(bucket, key, str(place))
    except (BotoCoreError, ClientError) as error:
        raise NotFetched(f"model.source: s3://{bucket}/{prefix}: {error}") from error
    if not keys:
        raise NotFetched(f"model.source: s3://{bucket}/{prefix}: there is nothing below it")


def _require_same(source: str, digest: str, declared: str, record: Path) -> None:
    """Refuse a model that is another one than the file names, or than it was when it was first fetched.

    Raises:
        NotFetched: It is.
    """
    known: dict[str, str] = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    wanted = declared or known.get(source, digest)
    if wanted != digest:
        said = "the file says" if declared else f"first fetched ({record})"
        fix = f"if the new one is meant, declare model.digest: {digest}"
        raise NotFetched(f"model.source: {source} has other content: got {digest}, {said} {wanted}; {fix}")
    if known.get(source) != digest:
        write(record, json.dumps({**known, source: digest}, indent=1, sort_keys=True) + "\n")


def _looked_at(folder: Path) -> str:
    """Return the file that is judged, after looking at it: it is packed anew, and no code comes along.

    Raises:
        RefusedError: Its loading would run code, or nothing here reads it.
        NotPlain: It is an ONNX file that needs something outside of itself.
    """
    if not (folder / MODEL_FILE).exists() and (folder / FILE).is_file():
        require_plain((folder / FILE).read_bytes())
        return str(FILE)
    flavors = document(folder).get("flavors") or {}
    loader = (flavors.get("python_function") or {}).get("loader_module")
    if loader in {LOGGED, LOADER}:
        # Of MLflow's own flavour, or as the platform packed it: the file alone is taken.
        name = str((flavors.get("onnx") or {}).get("data") or FILE)
        if PurePath(name).name != name or not (folder / name).is_file() or not name.endswith(SUFFIX):
            raise RefusedError(f"{MODEL_FILE}: onnx: data: got {name[:80]!r}; allowed an ONNX file beside it")
        return _whole(folder, name)
    look(folder, code=False)
    return str(flavors["python_function"].get("model_path") or flavors["sklearn"]["pickled_model"])


def _whole(folder: Path, name: str) -> str:
    """Return an ONNX file that keeps all its data in itself: MLflow writes large tensors into files beside it.

    Raises:
        NotPlain: It is too large, or needs something outside of its folder.
    """
    _require_small(sum(one.stat().st_size for one in folder.rglob("*") if one.is_file()))
    content, others = (folder / name).read_bytes(), {one.name for one in folder.iterdir()} - {name, MODEL_FILE}
    require_plain(content, others)
    try:
        require_plain(content)
    except NotPlain:
        import onnx

        try:
            (folder / WHOLE).write_bytes(onnx.load(str(folder / name)).SerializeToString())
        except Exception as error:  # a protobuf message's, or of the file beside it, with no common base
            raise NotPlain(f"the data beside the ONNX file cannot be read: {str(error)[:160]}") from error
        require_plain((folder / WHOLE).read_bytes())
        return WHOLE
    return name
