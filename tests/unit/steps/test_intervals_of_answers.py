"""An interval around a number: it holds what it promises on rows that nobody chose, or the model is refused."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mlstrata.services.serving.model import load as served
from mlstrata.services.serving.openapi import document
from mlstrata_steps import StepError
from mlstrata_steps.columns import Columns
from mlstrata_steps.evaluate import evaluate
from mlstrata_steps.gates import gate
from mlstrata_steps.outcome import StepRefused
from mlstrata_steps.package import package
from mlstrata_steps.register import numbers
from mlstrata_steps.split import split
from mlstrata_steps.tables import canonical, write_table
from mlstrata_steps.tasks.conformal import Interval, calibrated, needed
from mlstrata_steps.tasks.output import METADATA, Output, Value
from mlstrata_steps.train import train

ROWS = 2000
COLUMNS = {"target": "y", "task": "regression", "interval": 0.9}


def table(noise):
    x = np.random.default_rng(3).normal(size=ROWS)
    return pd.DataFrame({"x": x, "y": 10 * x + noise(np.random.default_rng(4))})


def judged(folder, frame, columns=COLUMNS):
    data, rows, test, model = (str(folder / name) for name in ("data", "train", "test", "model"))
    write_table(canonical(frame), data)
    split(data, rows, test, columns)
    answers = train(rows, model, columns).answers
    return rows, test, model, evaluate(test, model, columns, answers=answers)


@pytest.fixture(scope="module")
def skewed(tmp_path_factory):
    return judged(tmp_path_factory.mktemp("skewed"), table(lambda random: random.exponential(4, ROWS)))


def test_the_interval_holds_what_it_promises_and_follows_the_errors_direction(skewed):
    *_, evaluation = skewed
    found = evaluation["interval"]
    assert 0.8 < found["covered_low"] < found["covered"] < found["covered_high"] <= 1
    assert found["above"] > 1.5 * -found["below"] > 0, "errors upwards are the larger ones"
    assert gate(evaluation, [])["passed"]
    (check,) = [one for one in evaluation["checks"] if one["name"] == "interval"]
    assert "90.0% promised" in check["detail"]
    told = numbers(evaluation)
    assert told["interval_covered"] == found["covered"]
    assert told["interval_width"] == pytest.approx(found["above"] - found["below"])


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.sampled_from([0.5, 0.8, 0.9, 0.95]), st.integers(60, 300))
def test_of_any_errors_the_promised_share_is_held_on_average(seed, share, rows):
    random = np.random.default_rng(seed)
    off, first = random.standard_t(3, size=(40, 2 * rows)), np.arange(2 * rows) < rows
    found = [calibrated(one, np.zeros(2 * rows), first, share)[0]["covered"] for one in off]
    # 40 tables: what is off by chance is a few standard errors of their mean.
    assert np.mean(found) > share - 4 * np.std(found) / np.sqrt(len(found)) - 1e-9


def test_one_that_does_not_hold_on_the_other_rows_is_refused(skewed):
    labels, said = np.concatenate([np.linspace(-1, 1, 200), np.linspace(-9, 9, 200)]), np.zeros(400)
    found, (check,) = calibrated(labels, said, np.arange(400) < 200, 0.9)
    assert not check.passed
    assert found["covered_high"] < 0.9
    assert "90.0% promised" in check.detail
    *_, evaluation = skewed
    broken = {**evaluation, "checks": [*evaluation["checks"], {"name": "interval", "passed": False, "detail": "d"}]}
    with pytest.raises(StepRefused, match="interval: d"):
        gate(broken, [])


def test_luck_refuses_hardly_any():
    random, first, passed = np.random.default_rng(1), np.arange(400) < 200, 0
    for one in random.normal(size=(1000, 400)):
        passed += calibrated(one, np.zeros(400), first, 0.9)[1][0].passed
    assert passed >= 995


@pytest.mark.parametrize(("share", "few"), [(0.5, 3), (0.9, 19), (0.95, 39), (0.99, 199)])
def test_too_few_rows_promise_nothing(share, few):
    assert needed(share) == few
    labels, said = np.arange(2.0 * few), np.zeros(2 * few)
    found, (check,) = calibrated(labels, said, np.arange(2 * few) < few, share)
    assert found["below"] == 0, "the outermost of them all"
    found, (check,) = calibrated(labels, said, np.arange(2 * few) < few - 1, share)
    assert (found, check.passed) == ({}, False)
    assert f"{few} of each needed" in check.detail


def test_the_package_answers_with_it_as_its_document_says(skewed, tmp_path):
    rows, test, model, evaluation = skewed
    package(model, rows, str(tmp_path / "packed"), COLUMNS, test=test, evaluation=evaluation)
    loaded = served("1", tmp_path / "packed")
    values = loaded.predict([{"x": 0.0}, {"x": 1.0}])
    told = loaded.output.predictions(values)
    around = evaluation["interval"]
    for one in told:
        assert one["low"] == pytest.approx(one["value"] + around["below"])
        assert one["high"] == pytest.approx(one["value"] + around["above"])
    assert loaded.output.columns == ("value", "low", "high")
    assert [name for name, *_ in loaded.output.tensors(values)] == ["value", "low", "high"]
    described = document("s", "v1", "1", loaded.schema.columns, loaded.output)
    answer = {"predictions": told, "model": {"system": "s", "version": "1"}, "request_id": "a"}
    schema = {"$ref": "#/components/schemas/Answer", "components": described["components"]}
    assert list(Draft202012Validator(schema).iter_errors(answer)) == []
    assert "holds the true number in 0.9 of cases" in json.dumps(described)
    assert loaded.output.outside(values, None) is None


def test_a_contract_without_one_is_written_as_before():
    assert Value((0.0, 1.0)).document() == {"task": "regression", "range": [0.0, 1.0]}
    assert Value().predictions(np.array([1.0])) == [{"value": 1.0}]
    assert Value().measured({}) == Value()
    kept = Value((0.0, 1.0), Interval(-1.0, 2.0, 0.9))
    assert Output.of({METADATA: json.loads(json.dumps(kept.document()))}) == kept
    for odd in ({"below": 1, "above": 0, "share": 0.9}, {"below": 0, "above": 1, "share": 1}, {"below": 0}, [1]):
        with pytest.raises(StepError, match="allowed a contract of"):
            Output.of({METADATA: {"task": "regression", "interval": odd}})
    assert "interval" not in Columns.parse({"target": "y"}).document()


def test_each_of_several_numbers_has_its_own(tmp_path):
    frame = table(lambda random: random.normal(size=ROWS)).assign(
        z=lambda one: (one["x"] > 0).map({True: "b", False: "a"})
    )
    frame["x"] += np.random.default_rng(9).normal(size=ROWS)
    outputs = {
        "much": {"target": "y", "task": "regression", "interval": 0.8},
        "which": {"target": "z", "positive": "b"},
    }
    rows, test, model, evaluation = judged(tmp_path, frame, {"outputs": outputs})
    assert {"much.interval_covered", "much.interval_width"} <= set(numbers(evaluation))
    package(model, rows, str(tmp_path / "packed"), {"outputs": outputs}, test=test, evaluation=evaluation)
    loaded = served("1", Path(tmp_path / "packed"))
    (told,) = loaded.output.predictions(loaded.predict([{"x": 0.5}]))
    assert told["much"]["low"] < told["much"]["value"] < told["much"]["high"]
    assert set(told["which"]) == {"probability", "label"}
    assert "much.low" in loaded.output.columns
