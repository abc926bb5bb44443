"""Training in two processes: the same model, made from sums that travelled."""

import os

import numpy as np
import pandas as pd
import pytest

from mlstrata_steps import StepError, distributed
from mlstrata_steps.columns import feature_frame
from mlstrata_steps.estimator import build, load
from mlstrata_steps.tables import canonical, read_table, write_table
from mlstrata_steps.train import train

COLUMNS = {"target": "y", "positive": "yes"}


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    random = np.random.default_rng(4)
    x = random.normal(size=501)
    table = {
        "x": np.where(random.random(501) < 0.1, np.nan, x),
        "n": random.integers(0, 9, 501),
        "colour": random.choice(["red", "blue", None], 501),
        "y": np.where(random.random(501) < 1 / (1 + np.exp(1 - 2 * x)), "yes", "no"),
    }
    path = str(tmp_path_factory.mktemp("rows") / "train.parquet")
    write_table(canonical(pd.DataFrame(table)), path)
    return path


@pytest.mark.parametrize("parameters", [{}, {"C": 0.01}])
def test_two_processes_make_the_model_of_one(rows, tmp_path, parameters):
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    train(rows, one, COLUMNS, parameters={**parameters, "tol": 1e-8})
    made = train(rows, two, COLUMNS, parameters=parameters, workers=2)
    assert made.shared["rows"] == [251, 250]
    assert len({*made.shared["processes"], os.getpid()}) == 3
    assert made.shared["rounds"] > 3
    features = feature_frame(read_table(rows), made.features)
    alone, together = load(one), load(two)
    assert together.predict_proba(features) == pytest.approx(alone.predict_proba(features), abs=1e-5)
    assert together.named_steps["classify"].coef_ == pytest.approx(alone.named_steps["classify"].coef_, abs=1e-4)
    assert list(together.predict(features)) == list(alone.predict(features))


def test_no_worker_stays(rows, tmp_path):
    made = train(rows, str(tmp_path / "m"), COLUMNS, workers=2)
    for process in made.shared["processes"]:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_a_worker_that_goes_away_is_one_sentence(rows, monkeypatch):
    monkeypatch.setattr(distributed, "KEY", "PATH_THAT_NO_WORKER_READS")
    monkeypatch.setattr(distributed, "PATIENCE", 3)
    table = read_table(rows)
    features = feature_frame(table, ["n"])
    pipeline = build("logistic_regression", {}, features, seed=0)
    with pytest.raises(StepError, match="workers: one of 2 processes did not start or went away"):
        distributed.fit(pipeline, features, np.array(table["y"] == "yes", dtype="int64"), workers=2)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"algorithm": "random_forest"}, "random_forest is trained in one process"),
        ({"parameters": {"penalty": "l1"}}, r"parameters\.penalty: not with workers; allowed then: C, max_iter, tol"),
    ],
)
def test_what_has_no_sum_is_refused(rows, tmp_path, settings, says):
    with pytest.raises(StepError, match=says):
        train(rows, str(tmp_path / "m"), COLUMNS, workers=2, **settings)
