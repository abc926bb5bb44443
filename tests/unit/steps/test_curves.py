"""ROC and calibration curves that a run keeps."""

import numpy as np
import pytest


def drawn(rows=3000, seed=3):
    random = np.random.default_rng(seed)
    probabilities = random.random(rows)
    return (random.random(rows) < probabilities).astype("int64"), probabilities


def test_the_roc_is_that_of_scikit_learn_within_the_points_kept():
    from sklearn.metrics import roc_curve

    from mlstrata_steps.curves import POINTS, roc

    labels, probabilities = drawn()
    found = np.array(roc(labels, probabilities))
    assert len(found) <= POINTS
    assert found[0].tolist() == [0, 0]
    assert found[-1].tolist() == [1, 1]
    false, true, _ = roc_curve(labels, probabilities, drop_intermediate=False)
    for x, y in found:
        assert any(np.isclose(false, x, atol=1e-5) & np.isclose(true, y, atol=1e-5))
    from mlstrata_steps.tasks.metrics import auc

    assert np.trapezoid(found[:, 1], found[:, 0]) == pytest.approx(auc(labels, probabilities), abs=0.005)


def test_equal_probabilities_are_cut_together():
    from mlstrata_steps.curves import roc

    assert roc(np.array([0, 1, 0, 1]), np.full(4, 0.3)) == [[0.0, 0.0], [1.0, 1.0]]


def test_calibration_has_every_row_once_and_follows_what_happened():
    from mlstrata_steps.curves import BINS, calibration

    labels, probabilities = drawn()
    found = np.array(calibration(labels, probabilities))
    assert (len(found), found[:, 2].sum()) == (BINS, len(labels))
    assert np.all(np.diff(found[:, 0]) > 0)
    assert np.abs(found[:, 0] - found[:, 1]).max() < 0.1
    assert len(calibration(labels[:45], probabilities[:45])) == 2, "no group with next to no rows"


def test_groups_of_as_many_rows_each_are_not_rounded():
    from mlstrata_steps.curves import calibration, told_and_happened

    labels, probabilities = drawn(rows=2000)
    found = told_and_happened(probabilities, np.column_stack([labels, 1.0 - probabilities]), 20)
    order = np.argsort(probabilities).reshape(20, 100)
    assert [one[0] for one in found] == [float(probabilities[rows].mean()) for rows in order]
    assert [one[1] for one in found] == [float(labels[rows].mean()) for rows in order]
    assert [one[2] for one in found] == pytest.approx([1 - one[0] for one in found])
    assert {one[3] for one in found} == {100.0}
    ten = told_and_happened(probabilities, labels[:, None], 10)
    assert calibration(labels, probabilities) == [[round(number, 6) for number in one] for one in ten]
