"""Writes a folder of images as the table that a system trains on: one file, one row an image."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

from mlstrata.files import replacing
from mlstrata.operations.errors import UsageError

TYPES = (".png", ".jpg", ".jpeg")
IMAGE, LABEL = "image", "label"


def images_table(folder: Path, output: Path) -> int:
    """Write `output`, a JSON lines file, of the images of a folder; return how many rows it has.

    A folder in it is a class, and its images are of that class, as image data sets are kept everywhere. Images that lie
    in the folder itself have no class. Rows come in the order of names, so that equal folders give equal files.

    Raises:
        UsageError: There is no such folder, it holds no image or something else, or the output cannot be written.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: is no folder; name one whose folders are the classes")
    if output.suffix != ".jsonl":
        raise UsageError(f"--output: got {output.name!r}; allowed a file that ends in .jsonl")
    files = list(_images(folder))
    if not files:
        raise UsageError(f"{folder}: holds no image; allowed files that end in {', '.join(TYPES)}")
    classed = {len(one.relative_to(folder).parts) > 1 for one in files}
    if len(classed) > 1:
        bare = next(one for one in files if one.parent == folder)
        raise UsageError(f"{bare}: has no class, and others have; put it into the folder of its class")
    try:
        with replacing(output) as written:
            for file in files:
                where = file.relative_to(folder)
                label = {LABEL: where.parts[0]} if len(where.parts) > 1 else {}
                # No name of a file: those of photos tell who is on them, and nothing learns of them.
                row = {**label, IMAGE: base64.b64encode(file.read_bytes()).decode()}
                written.write(json.dumps(row).encode() + b"\n")
    except OSError as error:
        raise UsageError(f"{error.filename or output}: {error.strerror}") from None
    return len(files)


def _images(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_dir() or path.name.startswith("."):
            continue
        if path.suffix.lower() not in TYPES or not path.is_file():
            raise UsageError(f"{path}: is no image; allowed files that end in {', '.join(TYPES)}; move it elsewhere")
        yield path
