"""Figures by a workspace's own functions: measured with an interval, judged by a KPI, compared with the base rate."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstrata_steps import StepError
from mlstrata_steps.columns import Columns
from mlstrata_steps.compare import compare
from mlstrata_steps.evaluate import evaluate
from mlstrata_steps.gates import judge
from mlstrata_steps.own_metrics import OwnMetric, metrics_of
from mlstrata_steps.register import numbers
from mlstrata_steps.tables import canonical, write_table
from mlstrata_steps.tasks import task_of
from mlstrata_steps.train import train

VALUE = """
def minutes_saved(truth, said, rows):
    called = said >= 0.5
    return float((called * (truth * rows["minutes"].to_numpy() - 1)).mean())


def minutes_lost(truth, said, rows):
    return -minutes_saved(truth, said, rows)


def nothing(truth, said, rows):
    return sum(()) / len(()) if len(rows) else 0.0


def unknown(truth, said, rows):
    return float("nan")
"""
COLUMNS = {"target": "y", "positive": "yes", "exclude": ["minutes"]}


def roles(**functions: str) -> dict[str, object]:
    better = {"minutes_lost": "lower"}
    named = {
        name: {"function": f"worth.value:{function}@1", "better": better.get(name, "higher")}
        for name, function in functions.items()
    }
    return {**COLUMNS, "metrics": named}


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Rows whose minutes are for no model to see, a model of them, and the package that values it."""
    before = list(sys.path)
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    (tmp_path / "worth").mkdir()
    (tmp_path / "worth/__init__.py").write_text("")
    (tmp_path / "worth/value.py").write_text(VALUE)
    random = np.random.default_rng(2)
    x = random.normal(size=400)
    y = np.where(random.random(400) < 1 / (1 + np.exp(-3 * x)), "yes", "no")
    rows = str(tmp_path / "rows.parquet")
    write_table(canonical(pd.DataFrame({"x": x, "minutes": random.integers(2, 20, 400), "y": y})), rows)
    found = train(rows, str(tmp_path / "model"), COLUMNS)
    yield rows, str(tmp_path / "model"), found.answers
    for name in [one for one in sys.modules if one.partition(".")[0] == "worth"]:
        del sys.modules[name]
    sys.path[:] = before


def test_it_is_measured_with_an_interval_and_judged_by_its_kpi(made) -> None:
    rows, model, answers = made
    report = evaluate(rows, model, roles(minutes_saved="minutes_saved"), answers=answers)
    found = report["metrics"]["minutes_saved"]
    assert 0 < found["low"] < found["value"] < found["high"]
    assert {"minutes_saved", "minutes_saved_low", "baseline_minutes_saved"} <= set(numbers(report))
    assert report["metrics"].keys() > {"auc", "minutes_saved"}
    passed = {check.name: check.passed for check in judge(report, [{"metric": "minutes_saved", "at_least": 1}])}
    assert passed["minutes_saved"]
    (check,) = [one for one in judge(report, [{"metric": "minutes_saved", "at_least": 60}]) if not one.passed]
    assert "at least 60 asked for" in check.detail


def test_it_is_compared_with_the_base_rate_on_the_same_rows(made, tmp_path: Path) -> None:
    rows, model, answers = made
    found = compare(
        rows, model, roles(minutes_saved="minutes_saved"), answers=answers, system="loans",
        tracking_uri=f"sqlite:///{tmp_path}/mlflow.db", rules={},
    )  # fmt: skip
    difference = found["baseline"]["difference"]["minutes_saved"]
    assert 0 < difference["low"] < difference["value"]
    assert found["numbers"]["against_baseline_minutes_saved"] == pytest.approx(difference["value"])


def test_which_way_is_better_follows_from_what_is_declared(made) -> None:
    table = pd.read_parquet(made[0])
    columns = Columns.parse(roles(minutes_saved="minutes_saved", minutes_lost="minutes_lost"))
    metrics = metrics_of(task_of(columns, table), columns, table)
    assert metrics["minutes_saved"].clearly_better(0.1, 0.2)
    assert metrics["minutes_lost"].clearly_worse(0.1, 0.2)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("nothing", r"minutes_saved: ZeroDivisionError.*\(value.py:12\)"),
        ("unknown", "gave nan for 400 rows; needed a number"),
        ("minutes_svaed", "has no function 'minutes_svaed'"),
    ],
)
def test_a_function_that_gives_no_number_is_refused_by_its_name(made, function: str, said: str) -> None:
    rows, model, answers = made
    with pytest.raises(StepError, match=said):
        evaluate(rows, model, roles(minutes_saved=function), answers=answers)


def test_a_name_of_the_tasks_own_figures_is_refused(made) -> None:
    rows, model, answers = made
    with pytest.raises(StepError, match=r"model.metrics.auc: .* choose another"):
        evaluate(rows, model, roles(auc="minutes_saved"), answers=answers)


@pytest.mark.parametrize("wrong", ["worth.value:f", {"function": "worth"}, {"function": "a:b", "better": "up"}])
def test_a_malformed_declaration_is_refused(wrong: object) -> None:
    with pytest.raises(StepError, match=r"columns.metrics.minutes"):
        Columns.parse({**COLUMNS, "metrics": {"minutes": wrong}})


@given(places=st.lists(st.integers(0, 9), min_size=1, max_size=30))
def test_it_sees_the_rows_that_labels_and_answers_are_of(places: list[int]) -> None:
    table = pd.DataFrame({"worth": np.arange(10.0)})

    def same(truth, said, rows):
        assert (rows["worth"].to_numpy() == truth).all()
        return float((truth == said).sum())

    metric = OwnMetric("same", same, "higher", table)
    assert metric.at(np.arange(10.0), np.arange(10.0), np.array(places)) == len(places)
