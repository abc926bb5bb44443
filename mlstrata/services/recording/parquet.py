"""Recorded rows as a Parquet file, for a notebook or an archive; without protected attributes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from mlstrata.files import PRIVATE, replacing
from mlstrata.services.recording.store import Known

_ROWS = 20_000
"""Rows of one group of the file: about 2 MB of it."""


def write(rows: Iterable[Known], path: Path) -> int:
    """Write rows, readable by their owner alone; return how many there were.

    Inputs, output and explanation are JSON texts in a column each: what two versions take need not be alike, and a
    file has one shape.

    Raises:
        OSError: it cannot be written; what was there is as it was.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    text, number = pa.string(), pa.float64()
    schema = pa.schema(
        [
            *((name, text) for name in ("id", "version", "consumer", "api", "source", "problem")),
            *((name, number) for name in ("at", "ms", "feedback_at", "reward", "sampled")),
            *((name, pa.int64()) for name in ("instance", "status")),
            *((name, text) for name in ("inputs", "output", "explanation", "flags", "truth", "reviewer")),
        ]
    )
    count, left = 0, iter(rows)
    with replacing(path, PRIVATE) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        while batch := [*_documents(islice(left, _ROWS))]:
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))
            count += len(batch)
    return count


def _documents(rows: Iterable[Known]) -> Iterator[Mapping[str, Any]]:
    for one in rows:
        record, row, known = one.record, one.record.instances[one.instance], one.feedback
        yield {
            **{name: getattr(record, name) for name in ("id", "version", "consumer", "api", "problem", "at", "ms")},
            "status": record.status,
            "instance": one.instance,
            "source": row.source,
            "inputs": _text(row.inputs),
            "output": _text(row.output),
            "explanation": _text(row.explanation),
            "flags": _text(list(row.flags)),
            "truth": known.truth if known else None,
            "reviewer": known.reviewer if known else None,
            "reward": known.reward if known else None,
            "sampled": known.sampled if known else None,
            "feedback_at": known.at if known else None,
        }


def _text(value: object) -> str | None:
    return None if value is None else json.dumps(value, sort_keys=True)
