"""Free text from file to package: learnt by hashed words, limited in length, and refused where a word is the answer."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st

from mlstrata.services.serving.model import LoadedModel
from mlstrata.services.serving.openapi import document
from mlstrata.services.serving.problem import ProblemError
from mlstrata.services.serving.schema import RequestSchema
from mlstrata_steps import StepError
from mlstrata_steps.columns import Columns, feature_frame
from mlstrata_steps.estimator import build, is_installed_type, load
from mlstrata_steps.evaluate import evaluate
from mlstrata_steps.fairness import check_fairness
from mlstrata_steps.leakage import check_leakage
from mlstrata_steps.package import package
from mlstrata_steps.privacy import check_privacy
from mlstrata_steps.prose import Prose
from mlstrata_steps.quality import check_quality
from mlstrata_steps.split import split
from mlstrata_steps.tables import canonical, read_table, write_table
from mlstrata_steps.tasks.output import Probability
from mlstrata_steps.train import train
from tests.support.prose import described

COLUMNS = {"target": "of", "positive": "sklearn", "texts": ["text"], "protected": ["hidden"], "text_length": 200}


@pytest.fixture(scope="module")
def texts() -> pd.DataFrame:
    return described()


def written(table: pd.DataFrame, folder: Path) -> tuple[str, str, str]:
    every, *sides = (str(folder / name) for name in ("all", "training", "testing"))
    write_table(canonical(table), every)
    split(every, *sides, COLUMNS)
    return every, *sides


@pytest.fixture(scope="module")
def made(texts: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("texts")
    every, training, testing = written(texts, folder)
    model = str(folder / "model")
    return every, training, testing, model, train(training, model, COLUMNS).answers


def test_the_words_of_real_texts_tell_whose_they_are(made) -> None:
    _, _, testing, model, answers = made
    assert evaluate(testing, model, COLUMNS, answers=answers)["metrics"]["auc"]["low"] > 0.9
    kinds = skops.io.get_untrusted_types(file=model)
    assert "mlstrata_steps.prose.Prose" in kinds
    assert all(is_installed_type(kind) for kind in kinds), "it is served without code of its own"


def test_other_learners_see_few_columns_of_it(made) -> None:
    training = read_table(made[1]).head(300)
    features = feature_frame(training, ["text", "lines"])
    forest = build("random_forest", {"n_estimators": 10}, features, seed=0, prose=("text",))
    labels = (training["of"] == "sklearn").astype(int)
    assert forest.fit(features, labels)[:-1].transform(features).shape == (300, 101)


def test_no_word_that_it_learnt_of_is_in_the_model(tmp_path: Path) -> None:
    rows = pd.DataFrame({"text": ["Quillfeather wrote", "nobody wrote"] * 30, "of": ["pandas", "sklearn"] * 30})
    write_table(canonical(rows), str(tmp_path / "rows"))
    train(str(tmp_path / "rows"), str(tmp_path / "model"), {**COLUMNS, "protected": []})
    kept = json.dumps(load(str(tmp_path / "model")).__getstate__(), default=lambda one: getattr(one, "__dict__", ""))
    assert "quillfeather" not in kept.lower()


def test_every_text_of_the_rows_is_in_the_limits_and_declared(made) -> None:
    report = check_quality(made[0], COLUMNS, {})
    assert report["passed"]
    assert not [one for one in report["checks"] if one["name"] == "column text values"], "it is no category"
    short = check_quality(made[0], {**COLUMNS, "text_length": 50}, {})
    (check,) = [one for one in short["checks"] if not one["passed"] and not one["warns"]]
    assert "160 characters at most" in check["detail"]
    assert "raise model.text_length above 50" in check["detail"]
    assert check_privacy(made[0], COLUMNS, {"personal": ["text"]}, {})["passed"]
    assert "undeclared free text" in check_privacy(made[0], COLUMNS, {}, {})["checks"][1]["detail"]


def test_what_holds_no_text_is_refused_as_one(made) -> None:
    report = check_quality(made[0], {**COLUMNS, "texts": ["lines"]}, {})
    (check,) = [one for one in report["checks"] if one["name"] == "column lines text"]
    assert check["detail"].startswith("holds integer values")


def test_addresses_in_free_text_are_found(texts: pd.DataFrame, tmp_path: Path) -> None:
    every = str(tmp_path / "all")
    write_table(canonical(texts.assign(text=texts["text"] + " ask ann@example.com")), every)
    assert "e-mail address" in check_privacy(every, COLUMNS, {}, {})["checks"][1]["detail"]


def test_a_leaked_label_in_text_is_refused_by_its_word(texts: pd.DataFrame, tmp_path: Path) -> None:
    closed = np.where(texts["of"] == "sklearn", " Closed as refunded.", " Closed as kept.")
    _, training, testing = written(texts.assign(text=texts["text"] + closed), tmp_path)
    report = check_leakage(training, testing, COLUMNS, {})
    (check,) = [one for one in report["checks"] if not one["passed"] and not one["warns"]]
    assert check["name"] == "no word of text is the answer"
    assert check["detail"] in {
        f"'{word}' alone reaches auc 1.000, at most 0.99 allowed" for word in ("refunded", "kept")
    }
    assert check_leakage(training, testing, COLUMNS, {"allow": ["text"]})["passed"]


def test_texts_that_hold_no_answer_pass(made) -> None:
    report = check_leakage(made[1], made[2], COLUMNS, {})
    assert report["passed"]
    assert report["scores"]["text"] > 0.9


def test_unfairness_by_a_protected_column_is_refused(made) -> None:
    report = check_fairness(made[2], made[3], COLUMNS, {"at_most": 0.05})
    assert [one["name"] for one in report["checks"] if not one["passed"]] == ["hidden"]


def test_the_package_says_how_long_a_text_may_be(made, tmp_path: Path) -> None:
    from mlflow.models import Model

    package(made[3], made[1], str(tmp_path / "package"), COLUMNS)
    held = Model.load(str(tmp_path / "package"))
    assert held.metadata["lengths"] == {"text": 200}
    assert set(held.metadata["onnx"]) == {"reason"}, "free text is served as it was trained"
    schema = RequestSchema(held.signature.inputs.to_dict(), lengths=held.metadata["lengths"])
    assert schema.check([{"text": "x" * 200, "lines": 1}])
    with pytest.raises(ProblemError) as refused:
        schema.parse(json.dumps({"instances": [{"text": "x" * 201, "lines": 1}]}).encode())
    assert refused.value.status == 422
    assert refused.value.details[0]["path"] == "instances[0].text"
    assert refused.value.details[0]["expected"] == "text of at most 200 characters"
    described = document("calls", "v1", "1", schema.columns, Probability(0.5))
    assert described["components"]["schemas"]["Instance"]["properties"]["text"]["maxLength"] == 200
    served = LoadedModel("1", tmp_path / "package")
    rows = read_table(made[2]).head(20)
    asked = served.schema.check(rows[["text", "lines"]].astype(object).to_dict("records"))
    expected = load(made[3]).predict_proba(feature_frame(rows, ["text", "lines"]))[:, 1]
    assert served.predict(asked) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"texts": ["of"]}, "no model may see it"),
        ({"texts": "text"}, "a list of names"),
        ({"text_length": 0}, "a whole number from 1"),
        ({"text_length": 1.5}, "a whole number from 1"),
    ],
)
def test_a_role_that_makes_no_sense_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(StepError, match=said):
        Columns.parse({**COLUMNS, **wrong})


@settings(deadline=None, max_examples=25)
@given(rows=st.lists(st.none() | st.text(max_size=40), min_size=1, max_size=8))
def test_any_text_becomes_a_row_of_length_one_or_nothing(rows: list[str | None]) -> None:
    table = pd.DataFrame({"text": pd.Series(rows, dtype=object)})
    made = Prose(64).fit(table).transform(table)
    lengths = np.sqrt(made.multiply(made).sum(axis=1))
    assert made.shape == (len(rows), 64)
    assert all(abs(one) < 1e-9 or abs(one - 1) < 1e-9 for one in np.asarray(lengths).reshape(-1))
    one = Prose(64).fit(table).transform(table.iloc[:1])
    assert (one != made[0]).nnz == 0, "a row does not depend on those it is asked with"
