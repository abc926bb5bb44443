"""Data that a Postgres database holds: the rows of one query, read in one transaction that may write nothing.

Who asks and how follows Postgres' own clients: the role in the address or `PGUSER`, `PGPASSWORD` or a password file,
`PGSSLROOTCERT`. A server elsewhere is spoken to encrypted, and must show that it is the one whose name is asked for.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import ssl
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mlstrata_steps.outcome import StepError

if TYPE_CHECKING:
    import pyarrow as pa
    from pg8000.native import Connection

QUERY = ".sql"
"""What the name of a file ends in that holds a query."""
SCHEME, PORT = "postgres", 5432
_ROWS = 5000
"""Rows that are fetched at once."""
_TIMEOUT_S = 60
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_PASSWORD_FILE = ".pgpass"  # noqa: S105 - the name that Postgres' clients look for
# Postgres' own numbers of its types, as pg_type.dat has them.
_WHOLE, _REAL, _TEXT = frozenset({20, 21, 23}), frozenset({700, 701, 1700}), frozenset({18, 19, 25, 1042, 1043, 2950})
_BOOLEAN, _DATE, _TIME, _TIMESTAMP, _MOMENT = 16, 1082, 1083, 1114, 1184
_NO_SUCH, _DENIED, _WRITES = frozenset({"3D000"}), frozenset({"42501"}), frozenset({"25006"})
_STRANGER = frozenset({"28000", "28P01"})


@dataclass(frozen=True)
class Rows:
    """What a query gave.

    Attributes:
        path: A parquet file with its rows.
        stamp: `sha256:…` of the rows, in whichever order they came.
    """

    path: Path
    stamp: str


def export(query: Path, address: str, folder: Path) -> Rows:
    """Write the rows of a query into a parquet file, a few thousand in memory at a time.

    Args:
        query: A file with one SELECT.
        address: `postgres://[ROLE@]HOST[:PORT]/DATABASE`.
        folder: Where the file is put; one of an earlier reading is replaced.

    Raises:
        StepError: The query cannot be read or is refused, the database does not answer or lets nobody in, or a column
            is of a type that no table here has.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    statement = f"SELECT * FROM ({_statement(query)}\n) AS query"  # noqa: S608 - the query is its owner's own
    place = folder / f"{query.stem}.parquet"
    part = place.with_name(f"{place.name}.{os.getpid()}")
    total, where = 0, f"data source: {str(query.name)!r} at {address}"
    with _connected(address, where) as database:
        schema = _schema(database, statement, where)
        _run(database, f"DECLARE taken NO SCROLL CURSOR FOR {statement}")
        with pq.ParquetWriter(part, schema) as writer:
            while rows := _run(database, f"FETCH {_ROWS} FROM taken").rows:
                columns = [_column(kind, [row[at] for row in rows]) for at, kind in enumerate(schema.types)]
                writer.write_batch(pa.record_batch(columns, schema=schema))
                # A sum does not depend on the order, which a database does not promise.
                total += sum(int.from_bytes(hashlib.sha256(repr(row).encode()).digest()) for row in rows)
    part.replace(place)
    named = f"{schema.names} {total % 2**256:064x}"
    return Rows(place, f"sha256:{hashlib.sha256(named.encode()).hexdigest()}")


def _statement(query: Path) -> str:
    try:
        text = query.read_text(encoding="utf-8").strip().rstrip(";").rstrip()
    except (OSError, UnicodeDecodeError) as error:
        raise StepError(f"data source: {str(query)!r} cannot be read: {error}") from error
    if not text:
        raise StepError(f"data source: {str(query)!r} is empty; write one SELECT")
    return text


@contextmanager
def _connected(address: str, where: str) -> Iterator[Connection]:
    """Give a connection in a transaction that reads one state of the database and writes nothing."""
    try:
        from pg8000.exceptions import DatabaseError, InterfaceError
        from pg8000.native import Connection
    except ImportError as error:
        raise StepError(f"{where} needs the package pg8000, which is not installed here") from error
    parts = urlsplit(address)
    host, port, name = parts.hostname or "", parts.port or PORT, parts.path.lstrip("/")
    user = parts.username or os.environ.get("PGUSER") or getpass.getuser()
    secured = None if host in _LOOPBACK else ssl.create_default_context(cafile=os.environ.get("PGSSLROOTCERT"))
    reached = False
    try:
        with closing(
            Connection(
                user,
                host=host,
                port=port,
                database=name,
                password=os.environ.get("PGPASSWORD") or _kept_password(host, port, name, user),
                ssl_context=secured,
                timeout=_TIMEOUT_S,
                application_name="mlstrata",
            )
        ) as connection:
            reached = True
            # What answers within a minute may still take an hour to think.
            connection._usock.settimeout(None)
            _run(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield connection
    except DatabaseError as error:
        raise StepError(f"{where}: {_refusal(error, user)}") from error
    except (InterfaceError, OSError) as error:
        reason = str(error.__cause__ or error)
        if reached:
            raise StepError(f"{where}: the connection broke ({reason}); run it again") from error
        raise StepError(f"{where}: it cannot be reached: {reason}; look at database.address and the network") from error


def _run(database: Connection, statement: str) -> Any:
    # Not `run`, which takes a colon for the name of a parameter; one statement at a time, as a prepared one is.
    return database.execute_unnamed(statement)


def _refusal(error: Exception, user: str) -> str:
    """Say in one sentence why Postgres refused something, with the fix where its code says one."""
    told = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    code, message = str(told.get("C", "")), str(told.get("M", error))
    if code in _STRANGER:
        fix = (
            f"name its role in database.address (postgres://ROLE@HOST/DATABASE) and its password in ~/{_PASSWORD_FILE}"
        )
        return f"it lets '{user}' not in; {fix}"
    if code in _NO_SUCH:
        return f"{message}; look at database.address"
    if code in _DENIED:
        return f"'{user}' may not read it ({message}); GRANT SELECT on what the query reads"
    if code in _WRITES:
        return f"it writes, and a source only reads ({message})"
    return f"the query was refused: {message}"


def _schema(database: Connection, statement: str, where: str) -> pa.Schema:
    """Give the columns with the types of a table here."""
    import pyarrow as pa

    columns = _run(database, f"{statement} LIMIT 0").columns
    kinds = {
        **dict.fromkeys(_WHOLE, pa.int64()),
        **dict.fromkeys(_REAL, pa.float64()),
        **dict.fromkeys((*_TEXT, _TIME), pa.string()),
        _BOOLEAN: pa.bool_(),
        _DATE: pa.date32(),
        _TIMESTAMP: pa.timestamp("us"),
        _MOMENT: pa.timestamp("us", "UTC"),
    }
    names = [str(one["name"]) for one in columns]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise StepError(f"{where}: column {twice[0]} is there more than once; name each with AS")
    for one in columns:
        if one["type_oid"] not in kinds:
            number = int(one["type_oid"])
            (kind,) = _run(database, f"SELECT format_type({number}, NULL)").rows[0]
            allowed = "numbers, texts, true and false, dates and times"
            raise StepError(
                f"{where}: column {one['name']} is of the type {kind}; allowed are {allowed}; convert it in the query, "
                f"such as CAST ({one['name']} AS text), or leave it out"
            )
    return pa.schema([(name, kinds[one["type_oid"]]) for name, one in zip(names, columns, strict=True)])


def _column(kind: pa.DataType, cells: Sequence[Any]) -> pa.Array:
    import pyarrow as pa
    from pyarrow import types

    if types.is_floating(kind):  # a decimal keeps more digits than any model reads
        return pa.array([None if cell is None else float(cell) for cell in cells], kind)
    if types.is_string(kind):
        return pa.array([None if cell is None else str(cell) for cell in cells], kind)
    return pa.array(cells, kind)


def _kept_password(host: str, port: int, name: str, user: str) -> str | None:
    """Find a password where Postgres' clients keep it: `host:port:database:user:password`, a line each.

    A file that others can read is passed over, as they do.
    """
    file = Path(os.environ.get("PGPASSFILE") or Path.home() / _PASSWORD_FILE)
    try:
        if file.stat().st_mode & 0o077:
            return None
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    wanted = (host, str(port), name, user)
    for line in lines:
        fields = _fields(line)
        if len(fields) > len(wanted) and all(field in {"*", want} for field, want in zip(fields, wanted, strict=False)):
            return fields[len(wanted)]
    return None


def _fields(line: str) -> list[str]:
    """Split a line of a password file at its colons; a backslash keeps the sign after it as it is."""
    fields, kept = [""], iter(line)
    for sign in kept:
        if sign == ":":
            fields.append("")
        else:
            fields[-1] += next(kept, "") if sign == "\\" else sign
    return [] if line.startswith("#") else fields
