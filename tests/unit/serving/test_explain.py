"""What each input adds: exactly where columns add up, else by asking, never later than asked."""

import itertools
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlstrata.services.serving.additive import additive_of
from mlstrata.services.serving.explain import Asking, explainer_of
from mlstrata.services.serving.schema import RequestSchema
from mlstrata.services.serving.shapley import background_of, contributions
from mlstrata_steps.profile import BOOLEAN, CATEGORY, NUMBER, profiled
from mlstrata_steps.reference import Reference
from mlstrata_steps.tasks.output import Classes, Probability, Value

ROWS = 200
CELLS = {
    "income": [float(at % 17) for at in range(ROWS)],
    "count": [at % 5 for at in range(ROWS)],
    "job": [("cook", "smith", "clerk")[at % 3] for at in range(ROWS)],
    "own": [at % 4 == 0 for at in range(ROWS)],
    "debt": [None if at % 10 == 0 else at / 10 for at in range(ROWS)],
}
KINDS = {"income": NUMBER, "count": NUMBER, "job": CATEGORY, "own": BOOLEAN, "debt": NUMBER}
INPUTS = [
    {"name": "income", "type": "double"},
    {"name": "count", "type": "long"},
    {"name": "job", "type": "string"},
    {"name": "own", "type": "boolean"},
    {"name": "debt", "type": "double", "required": False},
]
REFERENCE = Reference("", {}, "test", ROWS, tuple(profiled(name, CELLS[name], KINDS[name]) for name in CELLS), ())
TRAINING = [dict(zip(CELLS, row, strict=True)) for row in zip(*CELLS.values(), strict=True)]
ROW = {"income": 12.0, "count": 3, "job": "smith", "own": True, "debt": None}
LATE = time.perf_counter() + 1e6


def logistic(number):
    return 1 / (1 + math.exp(-number))


def linear(row):
    debt = 2.0 if row["debt"] is None else row["debt"]
    job = {"cook": 0.3, "smith": -0.4, "clerk": 0.0}.get(row["job"], 0.1)
    return 0.05 * row["income"] - 0.2 * row["count"] + job + 0.7 * row["own"] + 0.03 * debt - 0.5


class Model:
    version = "1"

    def __init__(self, function, output):
        self.function, self.output, self.schema, self.asked = function, output, RequestSchema(INPUTS), 0

    def predict(self, instances):
        self.asked += len(instances)
        return np.array([self.function(one) for one in instances])


def test_what_a_linear_model_adds_is_exact_against_its_own_mean_over_training():
    found = additive_of(Model(lambda row: logistic(linear(row)), Probability()), REFERENCE)
    (one,) = found.explain([ROW], LATE)
    mean = sum(map(linear, TRAINING)) / ROWS
    assert math.isclose(one.base, mean, abs_tol=1e-6)
    assert math.isclose(one.base + sum(one.contributions.values()), linear(ROW), abs_tol=1e-6)
    assert (one.unit, one.method) == ("log_odds", "exact")
    for name in CELLS:
        others = sum(linear(ROW) - linear(ROW | {name: row[name]}) for row in TRAINING) / ROWS
        assert math.isclose(one.contributions[name], others, abs_tol=1e-6), name


def test_a_text_that_training_did_not_know_is_explained_too():
    found = additive_of(Model(linear, Value()), REFERENCE)
    (one,) = found.explain([ROW | {"job": "pilot"}], LATE)
    assert math.isclose(one.base + sum(one.contributions.values()), linear(ROW | {"job": "pilot"}), abs_tol=1e-6)
    assert one.unit == "value"


def test_of_several_classes_the_likeliest_is_explained():
    def said(row):
        odds = [math.exp(linear(row)), math.exp(0.1 * row["income"]), 1.0]
        return [one / sum(odds) for one in odds]

    found = additive_of(Model(said, Classes(("a", "b", "c"))), REFERENCE)
    (one,) = found.explain([ROW], LATE)
    logs = np.log(said(ROW))
    assert one.of == "abc"[int(logs.argmax())]
    assert math.isclose(one.base + sum(one.contributions.values()), (logs - logs.mean()).max(), abs_tol=1e-6)


@pytest.mark.parametrize(
    "function",
    [
        lambda row: linear(row) + 0.1 * row["income"] * row["own"],
        lambda row: linear(row) + 0.01 * row["income"] ** 2,
        lambda row: linear(row) + (0.5 if row["job"] == "cook" and row["own"] else 0.0),
        lambda row: linear(row) if row["own"] else math.inf,
    ],
    ids=["product", "square", "and", "infinite"],
)
def test_columns_that_act_together_are_found_out(function):
    assert additive_of(Model(function, Value()), REFERENCE) is None


WEIGHTS = st.lists(st.floats(-3, 3), min_size=15, max_size=15)


@settings(max_examples=25, deadline=None)
@given(weights=WEIGHTS)
def test_asking_is_exact_where_two_columns_act_together_and_always_adds_up(weights):
    names = list(CELLS)

    def number(row, name):
        cell = row[name]
        return {"cook": 1.0, "smith": -1.0}.get(cell, 0.5) if isinstance(cell, str) else float(cell or 0) / 10

    def pairwise(row):
        pairs = itertools.combinations_with_replacement(names, 2)
        return sum(
            weight * number(row, one) * number(row, other) for weight, (one, other) in zip(weights, pairs, strict=True)
        )

    model = Model(pairwise, Value())
    background = background_of(model, REFERENCE, 6)
    base = model.predict(background).reshape(-1, 1)
    one = contributions(model, ROW, background, base)
    assert math.isclose(one.base + sum(one.contributions.values()), pairwise(ROW), abs_tol=1e-9)
    for name in names:
        assert math.isclose(one.contributions[name], shapley(pairwise, background, name), abs_tol=1e-9), name


def shapley(function, background, name):
    """Compute a Shapley value by its definition: the mean over all orders of the columns."""
    others, total = [one for one in CELLS if one != name], 0.0
    count = len(CELLS)
    for size in range(count):
        weight = math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count)
        for chosen in itertools.combinations(others, size):
            for row in background:
                with_chosen = row | {one: ROW[one] for one in chosen}
                total += weight * (function(with_chosen | {name: ROW[name]}) - function(with_chosen))
    return total / len(background)


def test_background_rows_are_distributed_as_training_and_are_no_rows_of_it():
    rows = background_of(Model(linear, Value()), REFERENCE, 50)
    assert len(rows) == 50
    assert rows == background_of(Model(linear, Value()), REFERENCE, 50)
    assert sum(row["debt"] is None for row in rows) == 5
    assert 16 <= sum(row["job"] == "cook" for row in rows) <= 18
    assert all(isinstance(row["count"], int) for row in rows)
    assert abs(np.mean([row["income"] for row in rows]) - np.mean(CELLS["income"])) < 0.5


def test_a_model_that_does_not_add_up_is_asked_and_says_so():
    found = explainer_of(Model(lambda row: logistic(linear(row) * row["own"]), Probability()), REFERENCE, 60.0)
    (one,) = found.explain([ROW], LATE)
    assert (one.unit, one.method) == ("probability", "approximate")
    assert math.isclose(one.base + sum(one.contributions.values()), logistic(linear(ROW)), abs_tol=1e-9)


def test_after_its_time_there_is_none_and_nobody_waits_for_it():
    model = Model(lambda row: linear(row) * row["own"], Value())
    background = background_of(model, REFERENCE, 4)
    explainer = Asking(model, background, model.predict(background).reshape(-1, 1))
    assert explainer.explain([ROW, ROW], time.perf_counter() - 1) == [None, None]
    assert [one.method for one in explainer.explain([ROW], LATE)] == ["approximate"]


def test_nobody_waits_for_a_model_that_hangs_nor_for_another_explanation():
    entered, free = threading.Event(), threading.Event()
    model = Model(lambda row: linear(row) * row["own"], Value())
    background = background_of(model, REFERENCE, 4)
    base = model.predict(background).reshape(-1, 1)
    model.function = lambda row: entered.set() or (free.wait() and linear(row))
    explainer = Asking(model, background, base)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(explainer.explain, [ROW], LATE)
        entered.wait()
        assert explainer.explain([ROW], LATE) == [None]
        free.set()
        assert first.result() != [None]
        free.clear()
        assert explainer.explain([ROW], time.perf_counter() + 0.01) == [None]
        free.set()


def test_a_model_that_is_too_slow_to_be_asked_is_not():
    model = Model(lambda row: linear(row) * row["own"], Value())
    assert explainer_of(model, REFERENCE, 1e-9) is None


def test_free_text_is_not_explained_by_texts_that_stand_for_it() -> None:
    model = Model(lambda row: logistic(linear(row)), Probability())
    assert explainer_of(model, REFERENCE, 60.0) is not None
    model.schema = RequestSchema(INPUTS, lengths={"job": 100})
    assert explainer_of(model, REFERENCE, 60.0) is None
