"""Whom the loop's traffic is about, before and after the world has changed."""

from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstrata.environments import Workspace, load
from mlstrata.operations.loop.world import Case, World, world_of
from mlstrata.services.runner.requests import training_request

ROOT = Path(__file__).parents[3]
FILE = Workspace(ROOT).environment_file("local")


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    system = load(FILE).systems[0]
    home = tmp_path_factory.mktemp("home")
    request = training_request("local", system, root=ROOT, home=home, tracking_uri="http://127.0.0.1:1")
    return world_of(system, request)


def test_it_is_the_rows_that_no_model_was_trained_on(world):
    assert 560 < len(world.rows) < 620  # a quarter of 2,380
    row = world.rows[0]
    assert "pirat" in row.inputs
    assert not {"deny", "afam", "single"} & set(row.inputs)
    assert set(row.groups) == {"afam", "single"}
    assert {one.truth for one in world.rows} == {"yes", "no"}
    assert (world.positive, world.negative, world.leading) == ("yes", "no", "pirat")


def test_numbers_rise_and_codes_do_not(world):
    after = world.drifted(0.3)
    for before, now in zip(world.rows, after, strict=True):
        assert now.inputs["pirat"] == pytest.approx(min(before.inputs["pirat"] * 1.3, 3), abs=1e-6)
        assert {name: now.inputs[name] for name in ("chist", "mhist", "phist")} == {
            name: before.inputs[name] for name in ("chist", "mhist", "phist")
        }
        assert now.groups == before.groups


def test_the_outcomes_move_with_them(world):
    def share(rows):
        return sum(one.truth == "yes" for one in rows) / len(rows)

    assert share(world.drifted(0.3)) > share(world.rows) + 0.05


@given(
    values=st.lists(st.one_of(st.none(), st.floats(-5, 5), st.integers(-5, 5)), min_size=1, max_size=8),
    shift=st.floats(0.01, 10),
)
def test_no_value_leaves_its_bounds_and_no_outcome_is_new(values, shift):
    rows = [Case({"x": value}, "no", {}) for value in values]
    found = World(rows, ("x",), "x", {"x": (-1.0, 1.0)}, "yes", "no").drifted(shift)
    for before, now in zip(rows, found, strict=True):
        assert (now.inputs["x"] is None) == (before.inputs["x"] is None)
        assert type(now.inputs["x"]) is type(before.inputs["x"])
        assert now.inputs["x"] is None or -1 <= now.inputs["x"] <= 1
        assert now.truth in {"yes", "no"}


def test_no_two_people_are_the_same(world):
    people = list(islice(world.people(world.rows), 3 * len(world.rows)))
    assert len({tuple(one.inputs.values()) for one in people}) > 0.99 * len(people)
    for row, one in zip(world.rows, people, strict=False):
        assert one.inputs["pirat"] == pytest.approx(row.inputs["pirat"], rel=0.021)
        assert (one.truth, one.groups) == (row.truth, row.groups)


def test_the_opposite_of_an_answer():
    world = World((), (), "", {}, "yes", "no")
    assert [world.opposite({"probability": one}, 0.5) for one in (0.4, 0.5)] == ["yes", "no"]
