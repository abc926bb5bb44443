"""Training sees only what it may; what is saved predicts as what was trained."""

import numpy as np
import pandas as pd
import pytest

from mlstrata_steps import StepError
from mlstrata_steps.columns import Columns, feature_frame
from mlstrata_steps.estimator import CLASSIFIERS, load
from mlstrata_steps.evaluate import evaluate
from mlstrata_steps.tables import canonical, read_table, write_table
from mlstrata_steps.tasks.binary import Binary
from mlstrata_steps.train import train

COLUMNS = {"target": "y", "positive": "yes", "protected": ["group"], "exclude": ["id"]}
FAST = {"random_forest": {"n_estimators": 10}, "hist_gradient_boosting": {"max_iter": 10}}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    random = np.random.default_rng(1)
    rows = 800
    x = random.normal(size=rows)
    odds = 1.5 * x - 1
    table = pd.DataFrame(
        {
            "id": range(rows),
            "x": np.where(random.random(rows) < 0.05, np.nan, x),
            "n": random.integers(0, 4, rows),
            "colour": random.choice(["red", "blue", None], rows),
            "flag": random.random(rows) < 0.5,
            "group": random.choice(["a", "b"], rows),
            "y": np.where(random.random(rows) < 1 / (1 + np.exp(-odds)), "yes", "no"),
        }
    )
    path = tmp_path_factory.mktemp("data") / "t.parquet"
    write_table(canonical(table), str(path))
    return str(path)


@pytest.mark.parametrize("algorithm", CLASSIFIERS)
def test_a_model_survives_its_file_and_beats_the_baseline(data, tmp_path, algorithm):
    model = str(tmp_path / "model.skops")
    trained = train(data, model, COLUMNS, algorithm=algorithm, parameters=FAST.get(algorithm, {}))
    assert trained.features == ("x", "n", "colour", "flag")
    pipeline = load(model)
    features = feature_frame(read_table(data), trained.features)
    again = str(tmp_path / "again.skops")
    train(data, again, COLUMNS, algorithm=algorithm, parameters=FAST.get(algorithm, {}))
    probabilities = pipeline.predict_proba(features)
    assert (probabilities == load(again).predict_proba(features)).all()
    report = evaluate(data, model, COLUMNS, answers=trained.answers)
    assert all(check["passed"] for check in report["checks"]), report["checks"]
    assert report["metrics"]["auc"]["value"] > 0.7
    assert set(report["parity"]) == {"group"}


@pytest.mark.parametrize("algorithm", CLASSIFIERS)
def test_hidden_columns_change_nothing(data, tmp_path, algorithm):
    scrambled = read_table(data)
    random = np.random.default_rng(5)
    scrambled["id"] = pd.array(random.permutation(len(scrambled)), dtype="Int64")
    scrambled["group"] = pd.array(random.choice(["p", "q", "r"], len(scrambled)), dtype="string")
    write_table(scrambled, str(tmp_path / "s.parquet"))
    found = []
    for path in (data, str(tmp_path / "s.parquet")):
        train(path, str(tmp_path / "m.skops"), COLUMNS, algorithm=algorithm, parameters=FAST.get(algorithm, {}))
        features = feature_frame(read_table(data), ("x", "n", "colour", "flag"))
        found.append(load(str(tmp_path / "m.skops")).predict_proba(features))
    assert (found[0] == found[1]).all()


def test_preprocessing_learns_from_training_rows_only(data, tmp_path):
    model = str(tmp_path / "m.skops")
    trained = train(data, model, COLUMNS)
    table = read_table(data)
    imputer = load(model).named_steps["prepare"].named_transformers_["numbers"].named_steps["simpleimputer"]
    assert imputer.statistics_[0] == pytest.approx(float(table["x"].median()))
    assert trained.answers["share"] == pytest.approx(float((table["y"] == "yes").mean()))


def test_an_unknown_value_is_answered(data, tmp_path):
    train(data, str(tmp_path / "m.skops"), COLUMNS)
    pipeline = load(str(tmp_path / "m.skops"))
    row = feature_frame(read_table(data), ("x", "n", "colour", "flag")).head(1).assign(colour="octarine", x=np.nan)
    assert 0 < pipeline.predict_proba(row)[0, 1] < 1


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"algorithm": "svm"}, "got 'svm'; allowed logistic_regression"),
        ({"parameters": {"depth": 3}}, "parameters.depth: logistic_regression has no such"),
        ({"parameters": {"random_state": 3}}, "the seed is set by `seed`"),
        ({"parameters": {"C": -1.0}}, "cannot be trained with these settings"),
    ],
)
def test_bad_settings(data, tmp_path, settings, says):
    with pytest.raises(StepError, match=says):
        train(data, str(tmp_path / "m.skops"), COLUMNS, **settings)


def test_a_file_of_foreign_types_is_not_rebuilt(tmp_path):
    import skops.io
    from scipy.stats import gaussian_kde

    skops.io.dump(gaussian_kde(np.arange(9.0)), tmp_path / "m.skops")
    with pytest.raises(StepError, match="not trusted"):
        load(str(tmp_path / "m.skops"))


def test_feature_types():
    table = canonical(
        pd.DataFrame({"whole": [1, 2], "gap": [1, None], "text": ["a", None], "flag": [True, False], "y": ["a", "b"]})
    )
    kinds = feature_frame(table, ("whole", "gap", "text", "flag")).dtypes
    assert [str(kind) for kind in kinds] == ["int64", "float64", "object", "bool"]
    assert Columns.parse({"target": "y", "positive": "a", "exclude": ["gap"]}).seen(list(table.columns)) == (
        "whole", "text", "flag",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("probabilities", "failing"),
    [
        ([0.1, 0.9], []),
        ([0.1, 1.2], ["probabilities in range"]),
        ([-0.1, 0.5], ["probabilities in range"]),
        ([0.1, float("nan")], ["probabilities in range", "probabilities spread"]),
        ([0.3, 0.3], ["probabilities spread"]),
    ],
)
def test_plausibility(probabilities, failing):
    assert [check.name for check in Binary().plausible(np.array(probabilities), {}) if check.refuses] == failing
