"""What a model answers is what its own contract says: in the API, its document, the V2 protocol and batch alike."""

import csv
import json

import numpy as np
import pandas as pd
import pytest
from jsonschema import Draft202012Validator
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression, LogisticRegression

from mlstrata.services.batch.__main__ import attempt
from mlstrata.services.batch.scoring import read_manifest, score
from mlstrata.services.batch.settings import ScoringJob
from mlstrata.services.batch.table import BatchError
from mlstrata.services.serving.openapi import document
from mlstrata.services.serving.predictor import Predictor
from mlstrata.services.serving.problem import ProblemError
from mlstrata.services.serving.releases import FILE
from mlstrata.services.serving.settings import ServingSettings
from mlstrata_steps.tasks.output import METADATA, Classes, Probability, Value
from tests.support.answers import answer

RANDOM = np.random.default_rng(0)
FRAME = pd.DataFrame({"a": RANDOM.normal(size=60), "b": RANDOM.normal(size=60)})
KINDS = {
    "binary": (LogisticRegression(), (FRAME["a"] > 0).astype(int), Probability(0.8)),
    "multiclass": (LogisticRegression(), np.arange(60) % 3, Classes(("red", "no, none", "blue"))),
    "regression": (LinearRegression(), 100 + 10 * FRAME["a"], Value((0.0, 200.0))),
}


@pytest.fixture(scope="module", params=KINDS)
def served(request, tmp_path_factory):
    import mlflow

    folder, (learner, target, output) = tmp_path_factory.mktemp(request.param), KINDS[request.param]
    model = learner.fit(FRAME, target)
    ask = "predict" if isinstance(output, Value) else "predict_proba"
    mlflow.sklearn.save_model(
        model, folder / "models/1", signature=infer_signature(FRAME, getattr(model, ask)(FRAME)),
        input_example=FRAME.head(2), pyfunc_predict_fn=ask, metadata={METADATA: output.document()},
    )  # fmt: skip
    (folder / FILE).write_text(json.dumps({"champion": "1", "loaded": ["1"]}))
    return folder, output, getattr(model, ask)(FRAME)


def predictor(folder, **settings):
    given = Predictor(
        ServingSettings(system="kinds", directory=folder, http_port=1, grpc_port=2, metrics_port=3, **settings)
    )
    given.versions.load_released()
    return given


BODY = json.dumps({"instances": FRAME.to_dict("records")}).encode()


def test_the_answer_is_the_models_and_fits_the_document(served):
    folder, output, said = served
    asked = predictor(folder)
    told = answer(asked, BODY, None)
    values = output.read(said, len(FRAME))
    assert told["predictions"] == output.predictions(values)
    described = document("kinds", "v1", "1", asked.versions.choose("1").schema.columns, output)
    schema = {"$ref": "#/components/schemas/Answer", "components": described["components"]}
    assert list(Draft202012Validator(schema).iter_errors({**told, "request_id": "1"})) == []
    broken = {**told, "request_id": "1", "predictions": [{"probability": "much"}]}
    assert list(Draft202012Validator(schema).iter_errors(broken))


def test_the_label_follows_the_contract(served):
    folder, output, said = served
    labels = [one.get("label") for one in answer(predictor(folder), BODY, None)["predictions"]]
    if isinstance(output, Probability):
        assert labels == (said[:, 1] >= 0.8).astype(int).tolist()
        assert 0 < sum(labels) < (said[:, 1] >= 0.5).sum()
    elif isinstance(output, Classes):
        assert labels == [output.classes[place] for place in said.argmax(axis=1)]
    else:
        assert labels == [None] * len(FRAME)


def test_an_answer_outside_of_the_declared_range_is_withheld(served):
    folder, output, said = served
    middle = float(np.median(output.read(said, len(FRAME))))
    with pytest.raises(ProblemError, match="withheld"):
        answer(predictor(folder, output_range=(middle, middle + 1e-6)), BODY, None)


def test_tensors_hold_every_answer(served):
    _, output, said = served
    for _, kind, shape, data in output.tensors(output.read(said, len(FRAME))):
        assert (len(data), shape[0]) == (np.prod(shape), len(FRAME))
        assert kind in {"FP64", "BYTES"}


def test_a_version_is_tried_before_batch_takes_it(served, tmp_path):
    folder, output, said = served
    job = ScoringJob(system="kinds", directory=folder, workdir=tmp_path, input="-", version="1")
    assert attempt(job) == 2
    beyond = float(output.read(said, len(FRAME)).max()) + 1
    with pytest.raises(BatchError, match="on its input example: "):
        attempt(job.model_copy(update={"output_range": (beyond, beyond + 1)}))


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_batch_writes_what_the_api_answers(served, tmp_path, suffix):
    folder, output, _ = served
    rows = [*FRAME.to_dict("records")[:5], {"a": "much", "b": 1.0}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    job = ScoringJob(
        system="kinds", directory=folder, workdir=tmp_path / "work", input=str(tmp_path / "in.jsonl"),
        output=tmp_path / f"out.{suffix}",
    )  # fmt: skip
    done, path = score(job)
    assert (done.scored, done.refused) == (5, 1)
    assert read_manifest(path) == done
    text = path.read_text()
    lines = (
        list(csv.DictReader(text.splitlines())) if suffix == "csv" else [json.loads(one) for one in text.splitlines()]
    )
    fields = ["row", "key", "status", *output.columns, "reason", "version"]
    assert all(list(line) == fields for line in lines)
    told = answer(predictor(folder), json.dumps({"instances": rows[:5]}).encode(), None)["predictions"]
    for line, one in zip(lines, told, strict=False):
        for name, value in output.cells(one).items():
            assert (str(value) if suffix == "csv" else value) == line[name]
    assert not any(lines[-1][name] for name in output.columns)
    # Another model's scores may follow in the same place.
    assert score(job.model_copy(update={"chunk_rows": 2}))[1] == path
