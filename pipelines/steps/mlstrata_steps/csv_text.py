"""Reads a csv as columns of text, and says in one line what is wrong with one that is not as declared."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata_steps.cells import Format
from mlstrata_steps.names import unique
from mlstrata_steps.outcome import StepError

if TYPE_CHECKING:
    import pyarrow as pa

DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
UTF8 = "utf-8-sig"
"""UTF-8 for Python, where a mark in front of the first name is none of its letters."""
_OF_OTHERS = {
    b"PAR1": ("a Parquet file", "call it .parquet"),
    b"PK\x03\x04": ("a spreadsheet or an archive", "export the table as csv or Parquet"),
    b"\xd0\xcf\x11\xe0": ("an Excel file", "export the table as csv or Parquet"),
    b"\x1f\x8b": ("compressed by gzip", "unpack it"),
}
"""How files of other formats start."""
_LOOKED_AT = 20
_BLOCK = 16 * 2**20
"""Bytes parsed at a time: a row must fit in."""


def read_csv(path: Path, form: Format) -> pa.Table:
    """Read a csv; every field is a text, an empty one is missing.

    A first column without a name holds the names of rows, as R and pandas write them, and is left out. So is any other
    column without a name and without a value, as a separator at the end of each line makes one.

    Raises:
        StepError: The characters are not in the declared encoding, a row has another number of fields than the header,
            or a column has no name.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow

    encoding = _encoding(path, form)
    header, empty = _header(path, form, encoding)
    unique([name for name in header if name.strip()])
    names = [str(at) for at in range(len(header))]
    odd = 0

    def ragged(_: Any) -> str:
        nonlocal odd
        odd += 1
        return "skip"

    try:
        table = arrow.read_csv(
            path,
            arrow.ReadOptions(
                use_threads=False,
                block_size=_BLOCK,
                column_names=names,
                skip_rows_after_names=empty + 1,
                encoding="utf8" if encoding == UTF8 else encoding,
            ),
            arrow.ParseOptions(delimiter=form.delimiter, newlines_in_values=True, invalid_row_handler=ragged),
            arrow.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
    except UnicodeDecodeError as error:
        raise _undecodable(path, encoding) from error
    except pa.ArrowInvalid as error:
        if "UTF8" in str(error):
            raise _undecodable(path, encoding) from error
        raise
    if odd:
        raise _ragged(path, form, encoding, len(header), odd)
    if len(names) == 1 and (hint := _other_delimiter(path, form, encoding)):
        raise StepError(f"{path.name} has one column only, {header[0][:60]!r}: {hint}")
    return _filled(_named(path, table, header))


def _named(path: Path, table: pa.Table, header: list[str]) -> pa.Table:
    """Give the columns their names, and leave out those that have none and need none."""
    kept = []
    for at, name in enumerate(header):
        if not name.strip():
            if at == 0 and len(header) > 1:
                continue
            if table.column(at).null_count < table.num_rows:
                raise StepError(f"{path.name}: column {at + 1} has no name; name it in the header")
            continue
        kept.append(at)
    return table.select(kept).rename_columns([header[at] for at in kept])


def _filled(table: pa.Table) -> pa.Table:
    """Leave out rows of nothing but separators, as empty lines are."""
    import pyarrow.compute as pc

    if not table.num_columns:
        return table
    known = pc.is_valid(table.column(0))
    for at in range(1, table.num_columns):
        known = pc.or_(known, pc.is_valid(table.column(at)))
    return table.filter(known)


def _encoding(path: Path, form: Format) -> str:
    with path.open("rb") as file:
        start = file.read(4)
    for signature, (what, fix) in _OF_OTHERS.items():
        if start.startswith(signature):
            raise StepError(f"{path.name} is no csv, but {what}; {fix}")
    utf16 = start.startswith((b"\xff\xfe", b"\xfe\xff"))
    if utf16 and not form.encoding.lower().replace("_", "-").startswith("utf-16"):
        raise StepError(f"{path.name} is written in UTF-16; write format: {{encoding: utf-16}}")
    return UTF8 if form.encoding.lower() in {"utf-8", "utf8", "utf_8"} else form.encoding


def _header(path: Path, form: Format, encoding: str) -> tuple[list[str], int]:
    """Return the names of the columns, and how many empty lines are before them."""
    try:
        with path.open(encoding=encoding, newline="") as file:
            rows = csv.reader(file, delimiter=form.delimiter)
            empty, found = next(((at, row) for at, row in enumerate(rows) if row), (0, None))
    except UnicodeDecodeError as error:
        raise _undecodable(path, encoding) from error
    except csv.Error as error:
        raise StepError(f"{path.name} cannot be read as csv: {error}") from error
    if found is None:
        raise StepError(f"{path.name} cannot be read as csv: it is empty; the first line must name the columns")
    return found, empty


def _ragged(path: Path, form: Format, encoding: str, expected: int, odd: int) -> StepError:
    with path.open(encoding=encoding, newline="") as file:
        rows = csv.reader(file, delimiter=form.delimiter)
        number, fields = next(((rows.line_num, len(row)) for row in rows if row and len(row) != expected), (0, 0))
    more = f" ({odd} rows in all have another number)" if odd > 1 else ""
    what = f"line {number} has {fields} fields, the header {expected}{more}"
    hint = _other_delimiter(path, form, encoding)
    if not hint and fields > expected:
        name = DELIMITERS.get(form.delimiter, repr(form.delimiter))
        hint = f"name each column in the header, and put a text or number that holds {name} into quotes"
    return StepError(f"{path.name}: {what}; {hint or 'give every row a field for each column'}")


def _other_delimiter(path: Path, form: Format, encoding: str) -> str:
    """Say which other separator gives all of the first rows the same number of fields; empty where none does."""
    with path.open(encoding=encoding, newline="", errors="replace") as file:
        head = [line for line, _ in zip(file, range(_LOOKED_AT), strict=False)]
    for sign, name in DELIMITERS.items():
        if sign == form.delimiter:
            continue
        counts = {len(row) for row in csv.reader(io.StringIO("".join(head)), delimiter=sign) if row}
        if len(counts) == 1 and counts.pop() > 1:
            shown = "\\t" if sign == "\t" else sign
            return f'its fields are separated by {name}; write format: {{delimiter: "{shown}"}}'
    return ""


def _undecodable(path: Path, encoding: str) -> StepError:
    declared = "utf-8" if encoding == UTF8 else encoding
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode(encoding)
            except UnicodeDecodeError as error:
                shown = line[max(0, error.start - 10) : error.start + 10].decode("windows-1252", errors="replace")
                what = f"line {number}: byte 0x{line[error.start]:02x} is no {declared} ({shown.strip()!r})"
                return StepError(f"{path.name}: {what}; write format: {{encoding: windows-1252}} if that reads right")
    return StepError(f"{path.name} is not written in {declared}; declare its encoding in format")
