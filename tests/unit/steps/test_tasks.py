"""Kinds of answer: metrics are scikit-learn's, contracts come back as they were, and each gate refuses its fault."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from mlstrata_steps import StepError
from mlstrata_steps.columns import Columns
from mlstrata_steps.evaluate import evaluate
from mlstrata_steps.fairness import check_fairness
from mlstrata_steps.gates import gate
from mlstrata_steps.leakage import check_leakage
from mlstrata_steps.outcome import StepRefused, require
from mlstrata_steps.plausibility import check_plausibility
from mlstrata_steps.quality import check_quality
from mlstrata_steps.signal import check_signal
from mlstrata_steps.split import split
from mlstrata_steps.tables import canonical, read_table, write_table
from mlstrata_steps.tasks import Regression, task_of
from mlstrata_steps.tasks.binary import Binary
from mlstrata_steps.tasks.multiclass import MultiClass
from mlstrata_steps.tasks.output import METADATA, Classes, Output, Probability, Value
from mlstrata_steps.train import train

NUMBERS = st.floats(-1e6, 1e6)
THREE = ("a", "b", "c")


@st.composite
def yes_or_no(draw):
    rows = draw(st.integers(4, 60))
    labels = np.array([0, 1, *draw(st.lists(st.integers(0, 1), min_size=rows - 2, max_size=rows - 2))])
    some = st.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0]) | st.floats(0, 1)
    threshold = draw(st.sampled_from([0.2, 0.5, 0.7]))
    return labels, np.array(draw(st.lists(some, min_size=rows, max_size=rows))), threshold


@st.composite
def one_of_three(draw):
    rows = draw(st.integers(6, 60))
    labels = np.array([0, 1, 2, *draw(st.lists(st.integers(0, 2), min_size=rows - 3, max_size=rows - 3))])
    weights = draw(st.lists(st.tuples(*[st.floats(0.01, 1)] * 3), min_size=rows, max_size=rows))
    said = np.array(weights)
    return labels, said / said.sum(axis=1, keepdims=True)


@settings(deadline=None)
@given(yes_or_no())
def test_metrics_of_two_classes_are_scikit_learns(drawn):
    labels, said, threshold = drawn
    ours, chosen = Binary("1", threshold).metrics, said >= threshold
    wanted = {
        "pr_auc": metrics.average_precision_score(labels, said),
        "balanced_accuracy": metrics.balanced_accuracy_score(labels, chosen),
        "precision": metrics.precision_score(labels, chosen, zero_division=0),
        "recall": metrics.recall_score(labels, chosen),
        "f1": metrics.f1_score(labels, chosen, zero_division=0),
        "specificity": metrics.recall_score(labels, chosen, pos_label=0),
    }
    assert {name: ours[name](labels, said) for name in wanted} == pytest.approx(wanted)


@settings(deadline=None)
@given(one_of_three())
def test_metrics_of_three_classes_are_scikit_learns(drawn):
    labels, said = drawn
    ours, told = MultiClass(THREE).metrics, said.argmax(axis=1)
    wanted = {
        "auc": metrics.roc_auc_score(labels, said, multi_class="ovr"),
        "pr_auc": metrics.average_precision_score(np.eye(3)[labels], said, average="macro"),
        "accuracy": metrics.accuracy_score(labels, told),
        "balanced_accuracy": metrics.balanced_accuracy_score(labels, told),
        "precision": metrics.precision_score(labels, told, average="macro", zero_division=0),
        "recall": metrics.recall_score(labels, told, average="macro"),
        "f1": metrics.f1_score(labels, told, average="macro", zero_division=0, labels=[0, 1, 2]),
        "log_loss": metrics.log_loss(labels, said),
    }
    assert {name: ours[name](labels, said) for name in wanted} == pytest.approx(wanted)


@settings(deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=60), st.sampled_from([0.1, 0.5, 0.9]))
def test_metrics_of_numbers_are_scikit_learns(pairs, quantile):
    labels, said = (np.array(column) for column in zip(*pairs, strict=True))
    ours = Regression(quantile).metrics
    wanted = {
        "mae": metrics.mean_absolute_error(labels, said),
        "rmse": metrics.root_mean_squared_error(labels, said),
        "median_absolute_error": metrics.median_absolute_error(labels, said),
        "pinball": metrics.mean_pinball_loss(labels, said, alpha=quantile),
    }
    if labels.std() > 1e-3:
        wanted["r2"] = metrics.r2_score(labels, said)
    assert {name: ours[name](labels, said) for name in wanted} == pytest.approx(wanted, rel=1e-6, abs=1e-6)
    if (labels == 0).any():
        assert math.isnan(ours["mape"](labels, said))
    elif abs(labels).min() > 1e-3:
        assert ours["mape"](labels, said) == pytest.approx(metrics.mean_absolute_percentage_error(labels, said))


@pytest.mark.parametrize("output", [Probability(), Probability(0.2), Classes(THREE), Value(), Value((0.0, 7.5))])
def test_a_contract_comes_back_as_it_was(output):
    assert Output.of({METADATA: output.document()}) == output
    rows = np.array([[0.2, 0.5, 0.3]] * 4) if isinstance(output, Classes) else np.array([0.2] * 4)
    for prediction in output.predictions(rows):
        assert set(prediction) == set(output.schema())
        assert set(output.cells(prediction)) == set(output.columns)
    assert output.outside(np.full_like(rows, np.nan), None) is not None


@pytest.mark.parametrize(
    "document", [{}, {"task": "poetry"}, {"task": "multiclass", "classes": ["a", "a", "b"]}, {"task": "multiclass"},
                 {"task": "regression", "range": [2, 1]}, {"task": "binary", "threshold": 2}, "binary"],
)  # fmt: skip
def test_what_is_no_contract_is_refused(document):
    with pytest.raises(StepError, match=r"metadata\.output"):
        Output.of({METADATA: document})


def test_a_model_without_a_contract_gives_one_probability():
    assert Output.of(None) == Output.of({"commit": "1"}) == Probability(0.5)


def test_the_table_says_which_task_it_is():
    table = canonical(pd.DataFrame({"x": [0, 1, 1], "y": ["u", "v", "w"], "z": [0.5, 1.5, 2.5]}))
    found = {
        target: task_of(Columns.parse({"target": target, **more}), table)
        for target, more in (("x", {}), ("y", {}), ("z", {"task": "regression"}))
    }
    assert [task.name for task in found.values()] == ["binary", "multiclass", "regression"]
    assert found["y"].classes == ("u", "v", "w")
    assert [THREE[place] for place in found["y"].labels(table["y"])] == table["y"].map(
        dict(zip("uvw", THREE, strict=True))
    ).tolist()
    assert task_of(Columns.parse({"target": "y", "positive": "u"}), table).name == "binary"


def numbers_of(rows=900, seed=0):
    random = np.random.default_rng(seed)
    x, z = random.normal(size=rows), random.choice(["red", "blue"], rows)
    y = 100 + 10 * x + np.where(z == "red", 5, 0) + random.normal(size=rows) * 4
    return pd.DataFrame({"x": x, "z": z, "group": random.choice(["p", "q"], rows), "y": y})


def classes_of_three(rows=900, seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, 2))
    y = np.array(THREE)[np.argmax(np.column_stack([x, np.zeros(rows)]) + random.gumbel(size=(rows, 3)) * 0.4, axis=1)]
    return pd.DataFrame({"x": x[:, 0], "z": x[:, 1], "group": random.choice(["p", "q"], rows), "y": y})


REGRESSION = {"target": "y", "task": "regression", "protected": ["group"]}
MANY = {"target": "y", "protected": ["group"]}


def made(table, folder, columns, **how):
    paths = {name: str(folder / name) for name in ("all", "train", "test", "model")}
    write_table(canonical(table), paths["all"])
    split(paths["all"], paths["train"], paths["test"], columns)
    paths["answers"] = train(paths["train"], paths["model"], columns, **how).answers
    return paths


def refusal(report):
    with pytest.raises(StepRefused) as refused:
        require(report)
    return "; ".join(refused.value.reasons)


@pytest.mark.parametrize(
    ("table", "columns", "algorithm", "kpi"),
    [
        (numbers_of, REGRESSION, "linear_regression", {"metric": "rmse", "at_most": 5}),
        (numbers_of, REGRESSION, "random_forest", {"metric": "r2", "at_least": 0.6}),
        (classes_of_three, MANY, "logistic_regression", {"metric": "f1", "at_least": 0.6}),
        (classes_of_three, MANY, "hist_gradient_boosting", {"metric": "balanced_accuracy", "at_least": 0.6}),
    ],
)
def test_an_honest_model_passes_every_gate(tmp_path, table, columns, algorithm, kpi):
    fast = {"random_forest": {"n_estimators": 20}, "hist_gradient_boosting": {"max_iter": 20}}.get(algorithm, {})
    paths = made(table(), tmp_path, columns, algorithm=algorithm, parameters=fast)
    require(check_quality(paths["all"], columns, {}))
    require(check_leakage(paths["train"], paths["test"], columns, {}))
    found = evaluate(paths["test"], paths["model"], columns, answers=paths["answers"])
    files = (paths["train"], paths["test"], paths["model"])
    how = {"algorithm": algorithm, "parameters": fast, "rules": {"permutations": 3}}
    reports = {
        "signal": check_signal(*files, columns, evaluation=found, **how),
        "fairness": check_fairness(paths["test"], paths["model"], columns, {"at_most": 0.3}),
        "plausibility": check_plausibility(
            paths["test"], paths["model"], columns, {"max_shift": 0.05}, answers=paths["answers"]
        ),
    }
    assert gate(found, [kpi], reports)["passed"]
    with pytest.raises(StepRefused):
        gate(found, [{"metric": found and kpi["metric"], "at_least" if "at_most" not in kpi else "at_most": 1 if
                      "at_least" in kpi else 0}], reports)  # fmt: skip


@pytest.mark.parametrize(("table", "columns"), [(numbers_of, REGRESSION), (classes_of_three, MANY)])
def test_noise_teaches_nothing_and_is_refused(tmp_path, table, columns):
    random = np.random.default_rng(3)
    noise = table().assign(y=lambda known: random.permutation(known["y"]))
    paths = made(noise, tmp_path, columns)
    found = evaluate(paths["test"], paths["model"], columns, answers=paths["answers"])
    files = (paths["train"], paths["test"], paths["model"])
    assert "above chance" in refusal(check_signal(*files, columns, evaluation=found, rules={"permutations": 0}))
    assert "better than the base rate" in [check["name"] for check in found["checks"] if not check["passed"]]


@pytest.mark.parametrize(
    ("table", "columns", "leak"),
    [
        (numbers_of, REGRESSION, lambda known: 3 * known["y"] + 1),
        (numbers_of, REGRESSION, lambda known: np.exp(known["y"] / 20)),
        (classes_of_three, MANY, lambda known: known["y"].map({"a": "k", "b": "m", "c": "n"})),
        (classes_of_three, MANY, lambda known: known["y"].map({"a": 2, "b": 0, "c": 1})),
    ],
    ids=["scaled", "bent", "renamed", "numbered"],
)
def test_a_feature_that_holds_the_answer_is_found(tmp_path, table, columns, leak):
    paths = made(table().assign(w=leak), tmp_path, columns)
    assert "w" in refusal(check_leakage(paths["train"], paths["test"], columns, {}))


def test_two_features_whose_product_is_the_answer_are_found(tmp_path):
    random = np.random.default_rng(1)
    table = pd.DataFrame({"price": random.uniform(1, 9, 900), "number": random.integers(1, 50, 900), "other": 1.5})
    table["y"] = table["price"] * table["number"]
    paths = made(table, tmp_path, {"target": "y", "task": "regression"})
    reason = refusal(check_leakage(paths["train"], paths["test"], {"target": "y", "task": "regression"}, {}))
    assert "price and number together" in reason or "number and price together" in reason


def test_a_regression_that_underrates_a_group_is_unfair(tmp_path):
    table = numbers_of()
    # The model sees no group: it says the mean of both, too much of the one and too little of the other.
    table["y"] += np.where(table["group"] == "p", 12, 0)
    paths = made(table, tmp_path, REGRESSION)
    report = check_fairness(paths["test"], paths["model"], REGRESSION, {"at_most": 0.3})
    assert "residual difference differs by" in refusal(report)
    assert report["groups"]["group"]["q"]["mean_residual"] > 0 > report["groups"]["group"]["p"]["mean_residual"]
    with pytest.raises(StepError, match="allowed residual_difference"):
        check_fairness(paths["test"], paths["model"], REGRESSION, {"metric": "equalized_odds"})


def test_a_class_that_one_group_is_hardly_ever_said_to_be_is_unfair(tmp_path):
    table = classes_of_three()
    table["x"] += np.where(table["group"] == "p", 2, -2)
    paths = made(table, tmp_path, MANY)
    reason = refusal(check_fairness(paths["test"], paths["model"], MANY, {"at_most": 0.3}))
    assert "(class a)" in reason


@pytest.mark.parametrize("threshold", [0.999, 0.001])
def test_fairness_of_labels_that_are_all_alike_is_not_measurable(tmp_path, threshold):
    random = np.random.default_rng(2)
    x = random.normal(size=800)
    table = pd.DataFrame({"x": x, "group": random.choice(["p", "q"], 800), "y": (x + random.normal(size=800) > 0)})
    columns = {"target": "y", "positive": "True", "protected": ["group"], "threshold": threshold}
    paths = made(table, tmp_path, columns, parameters={"C": 0.01})
    who = "nobody" if threshold > 0.5 else "everybody"
    report = check_fairness(paths["test"], paths["model"], columns, {"at_most": 0.9})
    assert f"not measurable: {who} is positive at the threshold {threshold}" in refusal(report)
    assert "fairness_group" not in report["numbers"]
    # Without a limit it is said, and stops nothing.
    require(check_fairness(paths["test"], paths["model"], columns, {}))


def test_the_threshold_is_the_evaluations_too(tmp_path):
    random = np.random.default_rng(2)
    x = random.normal(size=800)
    table = pd.DataFrame({"x": x, "group": "p", "y": np.where(x + random.normal(size=800) > 1, "yes", "no")})
    recall = []
    for threshold in (0.2, 0.5, 0.8):
        columns = {"target": "y", "positive": "yes", "threshold": threshold}
        paths = made(table, tmp_path, columns)
        found = evaluate(paths["test"], paths["model"], columns, answers=paths["answers"])
        assert found["cut"] == threshold
        recall.append(found["metrics"]["recall"]["value"])
    assert recall[0] > recall[1] > recall[2]


@pytest.mark.parametrize(("table", "columns"), [(numbers_of, REGRESSION), (classes_of_three, MANY)])
def test_reports_hold_nothing_that_a_pipeline_cannot_carry(tmp_path, table, columns):
    from kfp.compiler.pipeline_spec_builder import to_protobuf_value

    # A group of one row lacks most classes: nothing can be said of those there.
    lonely = table()
    lonely.loc[:20, "group"] = [f"g{number}" for number in range(21)]
    paths = made(lonely, tmp_path, columns)
    files, answers = (paths["test"], paths["model"], columns), paths["answers"]
    for report in (
        answers,
        evaluate(*files, answers=answers),
        check_fairness(*files, {}),
        check_plausibility(*files, {}, answers=answers),
        check_leakage(paths["train"], paths["test"], columns, {}),
    ):
        assert to_protobuf_value(report)


def test_a_classifier_that_never_says_one_class_is_implausible(tmp_path):
    table = classes_of_three(rows=3000)
    random = np.random.default_rng(5)
    # Rare, and told from the others by nothing.
    table.loc[random.random(3000) < 0.04, "y"] = "rare"
    paths = made(table, tmp_path, MANY)
    reason = refusal(check_plausibility(paths["test"], paths["model"], MANY, {}, answers=paths["answers"]))
    assert "every class is said: never said of" in reason
    assert "rare" in reason


def test_numbers_far_outside_of_training_are_implausible(tmp_path):
    table = numbers_of()
    paths = made(table, tmp_path, REGRESSION)
    wild = read_table(paths["test"])
    wild.loc[0, "x"] = 1e4
    write_table(wild, paths["test"])
    reason = refusal(check_plausibility(paths["test"], paths["model"], REGRESSION, {}, answers=paths["answers"]))
    assert "values in range" in reason


@pytest.mark.parametrize(
    ("target", "columns", "says"),
    [
        (["a", "b"] * 450, {"target": "y"}, "set model.positive to a or b"),
        (["a"] * 900, {"target": "y"}, "needed two values, got 1"),
        (list(range(900)), {"target": "y"}, "for a number write task: regression"),
        ([f"t{n}" for n in range(900)], {"target": "y"}, "at most 50 are told apart; group them in the source"),
        (["a", "b", None] * 300, {"target": "y", "task": "regression"}, "for classes write task: classification"),
        ([1, 2, 3] * 300, {"target": "y", "task": "regression"}, "needed 10 different numbers, got 3"),
        ([1.0, 2.5, None] * 300, {"target": "y", "task": "regression"}, "missing in 300 rows"),
        (["a", "b", "c"] * 299 + ["d"] * 3, {"target": "y"}, "the rarest class, d, has 3 rows"),
    ],
)
def test_a_target_that_is_none_of_its_task_is_refused_with_the_fix(tmp_path, target, columns, says):
    path = str(tmp_path / "t")
    write_table(canonical(pd.DataFrame({"x": range(900), "y": target})), path)
    assert says in refusal(check_quality(path, columns, {}))
