"""Sides are disjoint, complete, stratified, and bound to content rather than to position."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstrata_steps import StepError, StepRefused
from mlstrata_steps.split import held_out, split
from mlstrata_steps.tables import canonical, read_table, row_hashes, write_table


def table(rows: int, seed: int = 0, distinct: int = 10**6) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return canonical(
        pd.DataFrame({"x": random.integers(0, distinct, rows), "y": np.where(random.random(rows) < 0.3, "yes", "no")})
    )


@given(st.integers(20, 300), st.integers(0, 5), st.floats(0.1, 0.9))
def test_each_class_keeps_its_share(rows, seed, fraction):
    data = table(rows, seed)
    tested = held_out(data, data["y"], seed=seed, test_fraction=fraction)
    for value in data["y"].unique():
        of_class = np.asarray(data["y"] == value)
        assert tested[of_class].sum() == pytest.approx(of_class.sum() * fraction, abs=1)


@given(st.integers(20, 200), st.randoms(use_true_random=False))
def test_a_row_s_side_does_not_depend_on_where_it_stands(rows, random):
    data = table(rows)
    order = list(range(rows))
    random.shuffle(order)
    tested = held_out(data, data["y"], seed=0, test_fraction=0.25)
    moved = data.iloc[order].reset_index(drop=True)
    assert (held_out(moved, moved["y"], seed=0, test_fraction=0.25) == tested[order]).all()


@given(st.integers(50, 300), st.integers(2, 12), st.floats(0.1, 0.9))
def test_equal_rows_stay_on_one_side(rows, distinct, fraction):
    data = table(rows, distinct=distinct)
    tested, keys = held_out(data, data["y"], seed=0, test_fraction=fraction), row_hashes(data)
    assert not set(keys[tested]) & set(keys[~tested])


def test_more_rows_move_few(tmp_path: Path):
    few, more = table(1000), None
    more = canonical(pd.concat([few, table(20, seed=9)]))
    sides = [
        dict(zip(row_hashes(data), held_out(data, data["y"], seed=0, test_fraction=0.25), strict=True))
        for data in (few, more)
    ]
    moved = sum(sides[0][key] != sides[1][key] for key in sides[0])
    assert moved <= 20


def test_another_seed_is_another_split():
    data = table(400)
    one, two = (held_out(data, data["y"], seed=seed, test_fraction=0.25) for seed in (0, 1))
    assert 0.2 < (one != two).mean() < 0.6


def test_files(tmp_path: Path):
    path, train, test = (str(tmp_path / name) for name in ("all", "train", "test"))
    data = table(400)
    write_table(data, path)
    sides = split(path, train, test, {"target": "y"}, seed=3, test_fraction=0.25)
    found = [set(row_hashes(read_table(side))) for side in (train, test)]
    assert (sides.train, sides.test) == (len(read_table(train)), len(read_table(test)))
    assert sides.train + sides.test == 400
    assert not found[0] & found[1]
    assert found[0] | found[1] == set(row_hashes(data))
    before = [Path(side).read_bytes() for side in (train, test)]
    split(path, train, test, {"target": "y"}, seed=3, test_fraction=0.25)
    assert [Path(side).read_bytes() for side in (train, test)] == before


def test_what_cannot_be_split(tmp_path: Path):
    path, train, test = (str(tmp_path / name) for name in ("all", "train", "test"))
    write_table(canonical(pd.DataFrame({"x": [1, 2, 3, 4], "y": ["no", "no", "no", "yes"]})), path)
    with pytest.raises(StepError, match="got 'z'; the data has x, y"):
        split(path, train, test, {"target": "z"})
    with pytest.raises(StepError, match="between 0 and 1"):
        split(path, train, test, {"target": "y"}, test_fraction=1.0)
    with pytest.raises(StepRefused, match="test rows hold 1 of 2 classes"):
        split(path, train, test, {"target": "y", "positive": "yes"}, test_fraction=0.4)
    assert not Path(train).exists()
