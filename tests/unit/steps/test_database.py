"""Data in Postgres: the rows of a query, read as a file is, by a version of their own, every fault in one sentence."""

import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstrata.services.batch.table import find_input
from mlstrata_steps import database
from mlstrata_steps.ingest import ingest
from mlstrata_steps.outcome import StepError
from mlstrata_steps.source import at_hand, source_stamp
from tests.support.postgres import OTHER, OWNER, Postgres, running

TABLE = """
CREATE TABLE loans (number int PRIMARY KEY, income numeric(9, 2), owner boolean, town varchar(40), opened date,
                    asked timestamptz, picture bytea, lines int[], odd text);
INSERT INTO loans SELECT n, CASE WHEN n % 7 > 0 THEN n * 10.25 END, n % 3 = 0,
                         CASE WHEN n % 5 > 0 THEN 'town ' || n % 4 END,
                         date '2026-01-01' + n % 200, timestamptz '2026-01-01 12:00+02' + n * interval '1 hour',
                         'x', ARRAY[n], '%s :a 100%'
FROM generate_series(1, 12000) AS n;
CREATE ROLE stranger LOGIN; CREATE SEQUENCE counted
"""
ALL = "SELECT number, income, owner, town FROM loans"


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with running() as started:
        started.ask(OTHER, TABLE)
        yield started


@pytest.fixture
def asked(server, tmp_path, monkeypatch):
    """Ask a query as the database's owner; return the source and the address."""
    monkeypatch.setenv("PGUSER", OWNER)
    monkeypatch.delenv("PGPASSWORD", raising=False)

    def write(query: str, name: str = "loans.sql") -> tuple[str, str]:
        (tmp_path / name).write_text(query)
        return str(tmp_path / name), f"postgres://127.0.0.1:{server.port}/{OTHER}"

    return write


def test_a_query_has_the_version_of_the_same_rows_in_a_file(asked, server, tmp_path):
    source, address = asked(f"-- all of them\n{ALL} -- and no more\n;\n")
    found = ingest(source, str(tmp_path / "store"), endpoint=address)
    assert (found.rows, found.columns) == (12_000, ("number", "income", "owner", "town"))
    file = tmp_path / "loans.csv"
    file.write_text(
        "number,income,owner,town\n"
        + "".join(
            f"{n},{n * 10.25 if n % 7 else ''},{str(n % 3 == 0).lower()},{f'town {n % 4}' if n % 5 else ''}\n"
            for n in range(1, 12_001)
        )
    )
    assert ingest(str(file), str(tmp_path / "store")).data_version == found.data_version


def test_each_kind_of_cell_arrives_as_what_it_is(asked):
    source, address = asked(
        "SELECT * FROM (SELECT number, income, owner, opened, asked, odd FROM loans) AS few WHERE number = 1"
    )
    (row,) = pq.read_table(at_hand(source, address)[0]).to_pylist()
    assert (row["number"], row["income"], row["owner"], row["odd"]) == (1, 10.25, False, "%s :a 100%")
    assert row["opened"].isoformat() == "2026-01-02"
    assert row["asked"].isoformat() == "2026-01-01T11:00:00+00:00"


def test_what_looks_like_a_parameter_is_none(asked):
    source, address = asked("SELECT number FROM loans WHERE odd LIKE '%:a 100%' AND number::text = '7'")
    assert pq.read_table(at_hand(source, address)[0]).to_pylist() == [{"number": 7}]


def test_the_stamp_is_of_the_rows_and_not_of_their_order(asked, server):
    stamps = {source_stamp(*asked(f"{ALL} ORDER BY {order}")) for order in ("number", "income")}
    assert stamps == {at_hand(*asked(ALL))[1]}
    assert stamps != {source_stamp(*asked(f"{ALL} WHERE number > 1"))}
    assert stamps != {source_stamp(*asked("SELECT number, income, owner, town AS place FROM loans"))}
    server.ask(OTHER, "UPDATE loans SET town = 'elsewhere' WHERE number = 3")
    assert stamps != {source_stamp(*asked(ALL))}


def test_nothing_of_a_look_stays(asked, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    source, address = asked("SELECT number FROM loans")
    source_stamp(source, address)
    assert [path.name for path in tmp_path.iterdir()] == ["loans.sql"]


def test_a_scoring_reads_a_query_too(asked):
    source, address = asked("SELECT number FROM loans")
    here, file = find_input(source, address)
    assert (here, file.suffix) == (str(file), ".parquet")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", r"is empty; write one SELECT"),
        ("SELECT town FROM nowhere", r"the query was refused: relation \"nowhere\" does not exist"),
        ("SELECT nextval('counted')", r"it writes, and a source only reads \(cannot execute nextval"),
        ("DELETE FROM loans RETURNING number", r"the query was refused: syntax error"),
        ("SELECT 1 AS a) AS q; SELECT * FROM (SELECT 2 AS b", r"refused: cannot insert multiple commands"),
        ("SELECT picture FROM loans", r"column picture is of the type bytea; allowed are .* CAST \(picture AS text\)"),
        ("SELECT lines FROM loans", r"column lines is of the type integer\[\]"),
        ("SELECT town, town FROM loans", r"column town is there more than once; name each with AS"),
        ("SELECT pg_terminate_backend(pg_backend_pid())", r"the connection broke \(.*\); run it again"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_sentence(asked, server, query, said):
    source, address = asked(query)
    with pytest.raises(StepError, match=said) as told:
        at_hand(source, address)
    assert "\n" not in str(told.value)
    assert "'loans.sql'" in str(told.value) or source in str(told.value)
    assert server.ask(OTHER, "SELECT count(*) FROM loans") == "12000"


def test_who_may_not_read_and_what_is_not_there_is_told_with_its_fix(asked, server, monkeypatch):
    source, address = asked("SELECT number FROM loans")
    for wrong, said in (
        (address.replace(OTHER, "nothing"), r'database "nothing" does not exist; look at database.address'),
        (re.sub(r":\d+/", ":1/", address), r"it cannot be reached: .*refused.*; look at database.address"),
        ("", r"nothing says of which database; set database.address"),
    ):
        with pytest.raises(StepError, match=said):
            at_hand(source, wrong)
    monkeypatch.setenv("PGUSER", "stranger")
    with pytest.raises(
        StepError, match=r"'stranger' may not read it \(permission denied for table loans\); GRANT SELECT"
    ):
        at_hand(source, address)
    monkeypatch.setenv("PGUSER", "nobody-known")
    with pytest.raises(StepError, match=r"it lets 'nobody-known' not in; name its role in database.address"):
        at_hand(source, address)


def test_the_role_in_the_address_goes_before_that_of_the_variables(asked, monkeypatch):
    source, address = asked("SELECT number FROM loans")
    monkeypatch.setenv("PGUSER", "stranger")
    assert at_hand(source, address.replace("//", f"//{OWNER}@"))[1] == source_stamp(
        source, address.replace("//", f"//{OWNER}@")
    )


def test_a_server_elsewhere_must_speak_tls(asked, monkeypatch):
    monkeypatch.setattr(database, "_LOOPBACK", frozenset())
    with pytest.raises(StepError, match=r"cannot be reached: .*SSL"):
        at_hand(*asked("SELECT number FROM loans"))


PLAIN = st.text(st.characters(codec="ascii", exclude_characters="\n\r\x00\x0b\x0c\x1c\x1d\x1e"), min_size=1, max_size=8)


@given(st.lists(PLAIN, min_size=5, max_size=5).filter(lambda fields: not fields[0].startswith("#")))
def test_a_line_of_a_password_file_is_split_as_postgres_does(fields):
    line = ":".join(re.sub(r"([:\\])", r"\\\1", one) for one in fields)
    assert database._fields(line) == fields


def test_a_password_is_taken_from_where_clients_keep_it(tmp_path, monkeypatch):
    file = tmp_path / "passwords"
    file.write_text("# ours\nother:5432:loans:ana:no\n*:5432:loans:ana:se\\:cret\n*:*:*:*:last\n")
    file.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(file))
    assert database._kept_password("db", 5432, "loans", "ana") == "se:cret"
    assert database._kept_password("db", 5432, "loans", "bea") == "last"
    file.chmod(0o644)
    assert database._kept_password("db", 5432, "loans", "ana") is None, "others could read it"
    monkeypatch.setenv("PGPASSFILE", str(Path(tmp_path / "none")))
    assert database._kept_password("db", 5432, "loans", "ana") is None
