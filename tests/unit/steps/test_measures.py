"""Metrics agree with scikit-learn and fairlearn; intervals hold their estimates."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlstrata_steps.intervals import estimates
from mlstrata_steps.parity import groups_of
from mlstrata_steps.tasks import rates
from mlstrata_steps.tasks.binary import Binary

METRICS = Binary().metrics


@st.composite
def predictions(draw):
    rows = draw(st.integers(4, 80))
    labels = np.array([0, 1, *draw(st.lists(st.integers(0, 1), min_size=rows - 2, max_size=rows - 2))])
    some = st.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0]) | st.floats(0, 1)
    return labels, np.array(draw(st.lists(some, min_size=rows, max_size=rows)))


@given(predictions())
def test_metrics_agree_with_scikit_learn(pair):
    from sklearn import metrics

    labels, probabilities = pair
    assert METRICS["auc"](labels, probabilities) == pytest.approx(metrics.roc_auc_score(labels, probabilities))
    assert METRICS["accuracy"](labels, probabilities) == pytest.approx(
        metrics.accuracy_score(labels, probabilities >= 0.5)
    )
    assert METRICS["brier"](labels, probabilities) == pytest.approx(metrics.brier_score_loss(labels, probabilities))
    inside = np.clip(probabilities, 1e-9, 1 - 1e-9)
    assert METRICS["log_loss"](labels, inside) == pytest.approx(metrics.log_loss(labels, inside))


@settings(max_examples=40, deadline=None)
@given(predictions(), st.integers(0, 9))
def test_an_interval_holds_its_estimate(pair, seed):
    for estimate in estimates(METRICS, *pair, pair[0], seed=seed, resamples=60).values():
        assert estimate.low <= estimate.value <= estimate.high


def test_intervals_shrink_with_rows_and_repeat_with_the_seed():
    random = np.random.default_rng(0)
    labels = (random.random(4000) < 0.3).astype("int64")
    probabilities = np.clip(0.3 * labels + 0.5 * random.random(4000), 0, 1)
    widths = []
    for rows in (250, 4000):
        found = estimates(METRICS, labels[:rows], probabilities[:rows], labels[:rows], resamples=300)["auc"]
        widths.append(found.high - found.low)
    assert widths[1] < widths[0] / 2.5
    twice = [estimates(METRICS, labels, probabilities, labels, seed=4, resamples=20) for _ in range(2)]
    assert twice[0] == twice[1]


def test_the_interval_covers_as_often_as_it_says():
    """Over 60 samples from one known distribution, the true AUC lies inside in about 95 % of cases."""
    from scipy.stats import norm

    truth, inside = float(norm.cdf(1 / np.sqrt(2))), 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        labels = np.repeat([0, 1], 150)
        scores = norm.cdf(random.normal(size=300) + labels)
        found = estimates({"auc": METRICS["auc"]}, labels, scores, labels, seed=seed, resamples=200)["auc"]
        inside += found.low <= truth <= found.high
    assert inside >= 52


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 1), st.booleans()), min_size=120, max_size=200))
def test_the_gap_agrees_with_fairlearn(rows):
    from fairlearn.metrics import demographic_parity_difference

    groups, labels, chosen = (np.array(column) for column in zip(*rows, strict=True))
    kept = np.isin(groups, [name for name in "abc" if (groups == name).sum() >= 30])
    found = rates.gap(groups, labels, chosen, "demographic_parity", resamples=1)
    if len(set(groups[kept])) < 2:
        assert found is None
    else:
        expected = demographic_parity_difference(labels[kept], chosen[kept], sensitive_features=groups[kept])
        assert found.value == pytest.approx(expected)


def test_small_and_missing_groups_are_listed():
    groups = pd.Series(["a"] * 50 + ["b"] * 50 + [None] * 5)
    codes, labels, chosen = groups_of(groups), np.zeros(105, dtype="int64"), np.arange(105) < 25
    assert rates.gap(codes, labels, chosen, "demographic_parity", resamples=1).value == pytest.approx(0.5)
    found = rates.groups(codes, labels, chosen)
    assert found["missing"]["rows"] == 5
    assert found["a"]["true_positive_rate"] is None


def test_a_number_of_many_values_makes_quarters_and_one_of_few_its_values():
    ages = pd.Series([*range(20, 60), None], dtype="Int64")
    found = groups_of(ages)
    assert sorted(set(found)) == ["20 to 29", "30 to 39", "40 to 49", "50 to 59", "missing"]
    assert [found[0], found[9], found[10], found[39], found[40]] == [
        "20 to 29", "20 to 29", "30 to 39", "50 to 59", "missing",
    ]  # fmt: skip
    assert sorted(set(groups_of(pd.Series([0, 1, 2, 2])))) == ["0", "1", "2"]
    # Half of the rows share one value: they are one group, never split by chance.
    assert sorted(set(groups_of(pd.Series([5.5] * 20 + [6 + n / 10 for n in range(20)])))) == [
        "5.5 to 5.5", "6 to 6.9", "7 to 7.9",
    ]  # fmt: skip


@given(st.lists(st.floats(-1e6, 1e6) | st.none(), min_size=1, max_size=80))
def test_every_row_has_a_group_and_equal_values_the_same(values):
    found = groups_of(pd.Series(values, dtype="float64"))
    assert len(found) == len(values)
    by_value = {}
    for value, group in zip(values, found, strict=True):
        assert by_value.setdefault(value, group) == group
        assert (group == "missing") == (value is None)
