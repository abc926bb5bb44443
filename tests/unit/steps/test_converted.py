"""A pipeline's ONNX form: equal to the model for every shipped algorithm, or left out with a reason."""

import functools
import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingRegressor

from mlstrata_steps.converted import proof
from mlstrata_steps.converted.form import REASON, Form, FormError, Session, opened
from mlstrata_steps.converted.proof import instances, proven
from mlstrata_steps.converted.write import convert
from mlstrata_steps.estimator import CLASSIFIERS, REGRESSORS, build
from mlstrata_steps.tasks.base import CLASSIFIER, REGRESSOR
from mlstrata_steps.tasks.output import Classes, Probability, Value

BINARY, SEVERAL, NUMBER = Probability(0.4), Classes(("a", "b", "c")), Value()
FEW = {"random_forest": {"n_estimators": 20}, "hist_gradient_boosting": {"max_iter": 20}}
SHIPPED = [
    *((name, BINARY) for name in CLASSIFIERS), *((name, SEVERAL) for name in CLASSIFIERS),
    *((name, NUMBER) for name in REGRESSORS),
]  # fmt: skip
DIGESTS = f"import runpy; print(runpy.run_path({__file__!r})['digests']())"


@functools.cache
def rows():
    """Numbers and truth values with and without gaps, whole numbers, texts, and texts of which some are rare."""
    random, count = np.random.default_rng(3), 400
    return pd.DataFrame(
        {
            "size": random.normal(size=count),
            "debt": np.where(random.random(count) < 0.1, np.nan, random.lognormal(size=count) * 1e4),
            "age": random.integers(18, 90, count),
            "own": random.random(count) < 0.5,
            "told": pd.Series(random.choice([True, False, None], count), dtype=object),
            "colour": pd.Series(random.choice(["red", "green", "blue", None], count), dtype=object),
            "place": pd.Series(random.choice([f"p{at}" for at in range(150)], count), dtype=object),
        }
    )


@functools.cache
def fitted(algorithm, output):
    """A model, and what it is asked by."""
    frame = rows()
    score = frame["size"] + frame["debt"].fillna(0) / 1e4 + (frame["colour"] == "red") - frame["age"] / 40
    learns = REGRESSOR if output is NUMBER else CLASSIFIER
    target = score if output is NUMBER else np.digitize(score, [-1, 1] if output is SEVERAL else [0])
    model = build(algorithm, FEW.get(algorithm, {}), frame, seed=0, learns=learns).fit(frame, target)
    return model, model.predict if output is NUMBER else model.predict_proba


@functools.cache
def shipped(algorithm, output):
    """Its session, and what it is asked by."""
    model, ask = fitted(algorithm, output)
    content, document = proven(lambda: convert(model, rows()), rows(), output, ask)
    assert content is not None, document
    return Session(content, Form.of({"onnx": json.loads(json.dumps(document))})), ask, document, content


@pytest.mark.parametrize(("algorithm", "output"), SHIPPED)
def test_every_shipped_algorithm_has_a_form_equal_to_the_last_digits(algorithm, output):
    _, _, document, _ = shipped(algorithm, output)
    assert document["gap"] < 1e-12, "double precision from end to end"
    assert document["rows"] > len(rows()), "made-up rows were tried, too"


cells = st.fixed_dictionaries(
    {
        "size": st.floats(-1e30, 1e30),
        "debt": st.none() | st.floats(-1e30, 1e30),
        "age": st.integers(-(2**40), 2**40),
        "own": st.booleans(),
        "told": st.none() | st.booleans(),
        "colour": st.none() | st.sampled_from(["red", "green", "blue"]) | st.text(st.characters(codec="utf-8")),
        "place": st.sampled_from([f"p{at}" for at in range(150)]) | st.text(st.characters(codec="utf-8")),
    }
)


@pytest.mark.parametrize(("algorithm", "output"), SHIPPED)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(several=st.lists(cells, min_size=1, max_size=8))
def test_any_row_that_a_request_may_hold_is_answered_alike(algorithm, output, several):
    session, ask, _, _ = shipped(algorithm, output)
    frame = pd.DataFrame(several, columns=list(rows().columns)).astype(rows().dtypes.to_dict())
    ours, theirs = (output.read(said, len(several)) for said in (session(several), ask(frame)))
    assert np.abs(ours - theirs).max() <= 1e-9 * max(1, np.abs(theirs).max())


def test_a_split_is_taken_on_the_side_where_scikit_learn_takes_it():
    session, ask, _, _ = shipped("hist_gradient_boosting", BINARY)
    model, _ = fitted("hist_gradient_boosting", BINARY)
    splits = {node["num_threshold"] for grown, *_ in model[-1]._predictors for node in grown.nodes
              if not node["is_leaf"] and node["feature_idx"] == 0}  # fmt: skip
    edges = [near for one in splits for near in (np.nextafter(one, -np.inf), one, np.nextafter(one, np.inf))]
    frame = pd.concat([rows().head(1)] * len(edges), ignore_index=True).assign(size=edges)
    assert np.abs(BINARY.read(session(instances(frame)), len(frame)) - ask(frame)[:, 1]).max() < 1e-12
    rounded = ask(frame.assign(size=np.array(edges, dtype="float32").astype("float64")))[:, 1]
    assert np.abs(rounded - ask(frame)[:, 1]).max() > 1e-6, "in single precision some go down the other side"


def test_what_has_no_converter_is_left_as_it_is_with_the_reason():
    model, ask = fitted("sklearn.semi_supervised:LabelSpreading", BINARY)
    content, document = proven(lambda: convert(model, rows()), rows(), BINARY, ask)
    assert content is None
    assert "skl2onnx has no form of LabelSpreading" in document[REASON]
    assert Form.of({"onnx": document}) is None


def test_other_estimators_of_scikit_learn_are_converted_by_skl2onnx_and_compared_alike():
    model, ask = fitted("sklearn.naive_bayes:GaussianNB", BINARY)
    content, document = proven(lambda: convert(model, rows()), rows(), BINARY, ask)
    assert content is not None, document
    assert document["gap"] <= proof.TOLERANCE


def test_what_only_single_precision_computes_is_loaded_once_in_each(monkeypatch):
    model, ask = fitted("sklearn.ensemble:AdaBoostClassifier", BINARY)
    loaded = []

    def counted(content):
        loaded.append(content)
        return opened(content)

    monkeypatch.setattr("mlstrata_steps.converted.write.opened", counted)
    monkeypatch.setattr("mlstrata_steps.converted.form.opened", counted)
    content, document = proven(lambda: convert(model, rows()), rows(), BINARY, ask)
    assert len(loaded) == 2
    assert loaded[0] != loaded[1], "the first is in double precision, which its converter mixes with single"
    assert content == loaded[1], document


def test_a_form_that_answers_otherwise_is_found_out():
    _, ask, _, content = shipped("logistic_regression", BINARY)
    form = Form.of({"onnx": shipped("logistic_regression", BINARY)[2]})
    _, document = proven(lambda: (content, form), rows(), BINARY, lambda frame: ask(frame) * (1 - 1e-5))
    assert "differs by" in document[REASON]
    at = float(ask(rows().head(1))[0, 1])
    _, document = proven(
        lambda: (content, form), rows(), Probability(at), lambda frame: np.nextafter(ask(frame)[:, 1], 0)
    )
    assert "another label" in document[REASON], "at the threshold no difference is small"


def test_where_a_library_is_missing_the_pipeline_is_served_with_the_reason(monkeypatch):
    def made():
        raise ImportError(name="onnx")

    assert proven(made, rows(), BINARY, lambda _: None) == (None, {REASON: "onnx is not installed here"})


def test_a_text_with_a_zero_byte_is_no_known_text():
    session, _, _, _ = shipped("logistic_regression", BINARY)
    one = instances(rows().head(1))[0]
    known, other, unknown = (session([one | {"colour": word}])[0, 0] for word in ("red", "red\0", "no colour"))
    assert other == unknown != known


def test_what_the_metadata_say_must_be_what_the_file_takes():
    _, _, document, content = shipped("logistic_regression", BINARY)
    wrong = document | {"inputs": [document["inputs"][0] | {"kind": "float32"}]}
    with pytest.raises(FormError, match="the model's metadata say"):
        Session(content, Form.of({"onnx": wrong}))
    with pytest.raises(FormError, match="package the model again"):
        Form.of({"onnx": {"inputs": 3}})


def digests():
    """Digests of files that we write, that skl2onnx writes behind our preparation, and that it writes alone."""
    ours, behind = (fitted(one, BINARY)[0] for one in ("logistic_regression", "sklearn.naive_bayes:GaussianNB"))
    alone = HistGradientBoostingRegressor(max_iter=5).fit(rows()[["size", "age"]], rows()["age"])
    made = [convert(ours, rows()), convert(behind, rows()), convert(alone, rows()[["size", "age"]])]
    return [hashlib.sha256(content).hexdigest() for content, _ in made]


def test_equal_training_gives_equal_bytes_in_every_process():
    asked = [
        subprocess.Popen(
            [sys.executable, "-c", DIGESTS], env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE, text=True,
        )
        for seed in ("1", "2")
    ]  # fmt: skip
    one, other = (process.communicate()[0] for process in asked)
    assert [process.returncode for process in asked] == [0, 0]
    assert one == other
