"""Trials of hyperparameters: which are drawn, which is chosen, what is kept, what a budget allows."""

import json
import time

import numpy as np
import pandas as pd
import pytest

from mlstrata_steps import StepError
from mlstrata_steps.search import SearchRules, Trial, draws, search
from mlstrata_steps.tables import canonical, write_table
from tests.support.patience import PATIENCE

COLUMNS = {"target": "y", "positive": "yes"}


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    random = np.random.default_rng(4)
    x = random.normal(size=(400, 3))
    y = np.where(random.random(400) < 1 / (1 + np.exp(-2 * x[:, 0])), "yes", "no")
    path = str(tmp_path_factory.mktemp("rows") / "train.parquet")
    write_table(canonical(pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": y})), path)
    return path


def look(rows, tell=None, store="", **rules):
    return search(
        rows, COLUMNS, algorithm="logistic_regression", parameters={"C": 1e-5}, rules=rules, store=store, tell=tell
    )


def test_without_trials_the_declared_parameters_are_taken(rows):
    found = look(rows)
    assert (found["parameters"], found["trials"], found["best"]) == ({"C": 1e-5}, [], 0)


def test_the_best_of_the_trials_is_chosen_and_all_are_kept(rows, tmp_path):
    told = []
    found = look(rows, told.append, str(tmp_path), trials=4, processes=2, metric="log_loss")
    scores = {trial["number"]: trial["score"] for trial in found["trials"]}
    assert found["best"] == min(scores, key=scores.get) != 1, "so small a C says the same of everyone"
    assert found["parameters"] == found["trials"][found["best"] - 1]["parameters"]
    assert [trial["number"] for trial in found["trials"]] == [1, 2, 3, 4]
    assert len(told) == 4
    assert told[-1].startswith("4 of 4 trials, best log_loss 0.")
    json.dumps(found, allow_nan=False)

    more = look(rows, None, str(tmp_path), trials=5, processes=1, metric="log_loss")
    assert [trial["cached"] for trial in more["trials"]] == [True] * 4 + [False]
    assert [trial.get("score") for trial in more["trials"]][:4] == list(scores.values())
    assert not any(trial["cached"] for trial in look(rows, None, str(tmp_path), trials=2, processes=1)["trials"])


@pytest.mark.parametrize("processes", [1, 2])
def test_as_many_trials_run_at_once_as_there_are_processes(rows, tmp_path, monkeypatch, processes):
    """Each trial waits for another one: two at once meet, and one at a time none ever does."""

    def meeting(number, parameters, *_):
        here = tmp_path / str(number)
        here.touch()
        deadline = time.monotonic() + (PATIENCE if processes > 1 else 0.5)
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        met = len(list(tmp_path.iterdir())) > 1
        # The first of a search of one at a time is gone before the second comes.
        if processes == 1:
            here.unlink()
        return Trial(number, parameters, float(met), 0.0, 0.0)

    monkeypatch.setattr("mlstrata_steps.search.try_one", meeting)
    found = look(rows, trials=4, processes=processes)
    assert [trial["score"] for trial in found["trials"]] == [float(processes == 2)] * 4


def test_a_longer_search_starts_with_the_shorter_one():
    short, long = (draws("random_forest", {"n_estimators": 5}, SearchRules(trials=n), 3) for n in (4, 9))
    assert long[:4] == short
    assert short[0] == {"n_estimators": 5}
    assert len({json.dumps(one, sort_keys=True) for one in long}) == 9
    assert all(type(one["min_samples_leaf"]) is int for one in long[1:])
    assert draws("random_forest", {}, SearchRules(trials=4), 4)[1:] != short[1:]


def test_a_small_space_is_tried_once():
    found = draws("logistic_regression", {}, SearchRules(trials=9, space={"C": [0.1, 1.0]}), 0)
    assert sorted(found, key=len) == [{}, *found[1:]]
    assert {one["C"] for one in found[1:]} == {0.1, 1.0}
    assert len(found) == 3


def test_a_refused_set_is_a_trial_that_failed(rows):
    found = look(rows, trials=3, processes=1, space={"C": [-1.0, 0.5]})
    refused = [trial for trial in found["trials"] if trial["parameters"]["C"] == -1.0]
    assert len(refused) == 1
    assert "score" not in refused[0]
    assert "'C' parameter" in refused[0]["error"]
    assert found["parameters"] == {"C": 0.5}
    with pytest.raises(StepError, match="no trial of logistic_regression gave a model"):
        search(rows, COLUMNS, algorithm="logistic_regression", parameters={"C": -1.0}, rules={"trials": 1})


def test_no_trial_starts_after_the_budget(rows):
    found = look(rows, trials=50, processes=1, seconds=1e-9)
    assert [trial["number"] for trial in found["trials"]] == [1]
    assert (found["asked"], found["out_of_time"]) == (50, True)


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"tries": 3}, "tries"),
        ({"trials": -1}, "trials from 0"),
        ({"metric": "profit"}, "got 'profit'; allowed auc"),
        ({"trials": 2, "space": {"C": {"low": 2, "high": 1}}}, r"search\.space\.C: got"),
        ({"trials": 2, "space": {"C": {"low": 0, "high": 1, "log": True}}}, "above 0 with log"),
        ({"trials": 2, "space": {"C": 3}}, "allowed a list of values"),
        ({"trials": 2, "space": {"c": [1]}}, r"search\.space\.c: logistic_regression has no such hyperparameter"),
        ({"trials": 2, "space": {"max_itr": [9]}}, r"search\.space\.max_itr: .*did you mean 'max_iter'"),
    ],
)
def test_bad_rules(rows, rules, says):
    with pytest.raises(StepError, match=says):
        look(rows, **rules)
