"""A retraining's data: what was declared and what was recorded, every value as it was."""

import json
import math
import numbers
import tempfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlstrata.services.recording.record import Instance, Record
from mlstrata.services.recording.store import Feedback, Known
from mlstrata.services.retraining.dataset import NotComposed, compose, labelled
from mlstrata.services.runner.contract import TrainingRequest
from mlstrata_steps.cells import Format, value
from mlstrata_steps.ingest import ingest
from mlstrata_steps.tables import read_table

HEADER = "amount,count,flag,word,day,group,truth\n"
ROWS = "1.5,1,true,a,2026-01-01,x,yes\n2.5,,false,b,2026-01-02,y,no\n3.25,3,true,a,2026-01-03,x,no\n"


def request(folder: Path, source: str | None = None, **more) -> TrainingRequest:
    if source is None:
        source = str(folder / "declared.csv")
        Path(source).write_text(HEADER + ROWS)
    return TrainingRequest(
        system="credit-risk",
        environment="local",
        source=source,
        target="truth",
        positive="yes",
        protected=("group",),
        tracking_uri="http://127.0.0.1:1",
        workdir=folder / "data/runner/credit-risk",
        **more,
    )


def known(inputs: dict, truth: str | None = "yes", at: float = 1.8e9, **told) -> Known:
    record = Record(
        id="r",
        at=at,
        system="credit-risk",
        version="1",
        status=200,
        ms=1,
        instances=(Instance(inputs=inputs, output=None),),
    )
    record = Record.from_bytes(record.to_bytes())
    return Known(record, 0, Feedback("r", at, truth=truth, **told))


ROW = {"amount": 9.75, "count": 4, "flag": False, "word": "c", "day": "2026-02-01"}


def test_it_holds_the_declared_rows_and_the_recorded_ones(tmp_path):
    made = compose(request(tmp_path), [known(ROW, groups={"group": "x"})], tmp_path / "out", dataset="loans")
    table = read_table(str(made.path))
    assert len(table) == 4
    (row,) = table[table["amount"] == 9.75].to_dict("records")
    assert (row["count"], row["flag"], row["word"], row["group"], row["truth"]) == (4, False, "c", "x", "yes")
    assert made.named == "loans + 1 recorded predictions from 2027-01-15 to 2027-01-15"
    assert made.path.stat().st_mode & 0o777 == 0o600


def test_the_pipeline_reads_it_as_the_same_data(tmp_path):
    made = compose(request(tmp_path), [known(ROW)], tmp_path / "out", dataset="loans")
    found = ingest(str(made.path), str(tmp_path / "store"), {"kinds": dict(made.kinds)})
    assert found.data_version == f"sha256:{made.path.stem}"


def test_the_same_rows_in_another_order_are_the_same_file(tmp_path):
    rows = [known(ROW), known({**ROW, "amount": 1.25})]
    first = compose(request(tmp_path), rows, tmp_path / "out", dataset="loans")
    again = compose(request(tmp_path), rows[::-1], tmp_path / "out", dataset="loans")
    assert first.path == again.path


def test_how_each_truth_came_to_be_known_is_counted(tmp_path):
    rows = [
        known(ROW, sampled=0.1, reviewer="ann"),
        known(ROW, reviewer="ann"),
        known(ROW),
        known({**ROW, "amount": "no number"}),
        known(ROW, truth=""),
    ]
    made = compose(request(tmp_path), rows, tmp_path / "out", dataset="loans")
    assert made.recorded == 3
    assert made.origins.text == (
        "1 sampled for labelling, 1 decided by a person, 1 known by their outcome alone, 2 left out as unreadable"
    )


def test_nothing_readable_is_said(tmp_path):
    with pytest.raises(NotComposed, match="none of the recorded rows"):
        compose(request(tmp_path), [known({**ROW, "flag": "maybe"})], tmp_path / "out", dataset="loans")


def test_only_rows_with_their_truth_count():
    class Store:
        def window(self, _system, **asked):
            assert asked["groups"]
            yield from (known(ROW), known(ROW, truth=None), known({}), Known(known(ROW).record, 0, None))

    assert len(list(labelled(Store(), "credit-risk", 2e9))) == 1


def test_another_way_of_writing_is_read_as_in_a_request(tmp_path):
    source = tmp_path / "german.csv"
    source.write_text("amount;truth\n1,5;ja\n2,5;nein\n")
    asked = request(tmp_path, str(source), format={"delimiter": ";", "decimal": ",", "missing": ["?"]})
    asked = asked.model_copy(update={"protected": (), "positive": "ja"})
    made = compose(asked, [known({"amount": "?"}, "ja"), known({"amount": 2}, "nein")], tmp_path, dataset="loans")
    amounts = read_table(str(made.path))["amount"].tolist()
    assert sorted(one for one in amounts if not math.isnan(one)) == [1.5, 2.0, 2.5]
    assert len(amounts) == 4


CELLS = {
    "amount": st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**53), 2**53)),
    "count": st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
    "flag": st.one_of(st.none(), st.booleans()),
    "word": st.one_of(st.none(), st.text(st.characters(codec="utf-8"), max_size=8)),
    "day": st.one_of(st.none(), st.dates(date(1700, 1, 1), date(2200, 1, 1)).map(str)),
}


@given(rows=st.lists(st.fixed_dictionaries(CELLS), min_size=1, max_size=6))
@settings(max_examples=60)
def test_a_value_comes_out_as_it_was_recorded(rows):
    with tempfile.TemporaryDirectory() as folder:
        asked = request(Path(folder))
        made = compose(asked, [known(row) for row in rows], Path(folder) / "out", dataset="loans")
        found = ingest(str(made.path), f"{folder}/store", {"kinds": dict(made.kinds)})
        table = read_table(found.path)
        read = [tuple(_plain(row[name]) for name in CELLS) for row in table.to_dict("records")]
        declared = [line.split(",") for line in ROWS.splitlines()]
        expected = [
            tuple(_plain(value(cell, made.kinds[name], written=True)) for name, cell in zip(CELLS, line, strict=False))
            for line in declared
        ]
        for row in rows:
            through = json.loads(json.dumps(row))
            expected.append(tuple(_plain(value(through[name], made.kinds[name], form=Format())) for name in CELLS))
        assert sorted(map(repr, read)) == sorted(map(repr, expected))


def _plain(cell: object) -> object:
    """Write one value as what it is, whatever holds it."""
    if cell is None or type(cell).__name__ in {"NAType", "NaTType"}:
        return None
    if isinstance(cell, date):
        return str(cell)[:10]
    if type(cell).__name__ in {"bool", "bool_"}:
        return bool(cell)
    if isinstance(cell, numbers.Integral):
        return int(cell)
    if isinstance(cell, float):
        return None if math.isnan(cell) else cell
    return str(cell)
