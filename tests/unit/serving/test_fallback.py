"""Where the model should not answer, whoever is declared does, and the answer says so."""

import json

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from mlstrata.files import write
from mlstrata.services.serving import fallback
from mlstrata.services.serving.observing import FallbackSettings
from mlstrata.services.serving.openapi import Beside, document
from mlstrata.services.serving.prediction import V2, Asked
from mlstrata.services.serving.predictor import Predictor
from mlstrata.services.serving.problem import ProblemError
from mlstrata.services.serving.schema import RequestSchema
from mlstrata.services.serving.settings import ServingSettings
from mlstrata_steps.profile import CATEGORY, NUMBER, profiled
from mlstrata_steps.reference import FILE, Reference
from mlstrata_steps.tasks.output import Classes, OutputError, Probability, Value

INPUTS = [{"name": "a", "type": "double"}, {"name": "b", "type": "string"}]
SEEN = {"a": 0.5, "b": "x"}
REFERENCE = Reference(
    "binary",
    {},
    "test",
    100,
    (
        profiled("a", [at / 100 for at in range(101)], NUMBER),
        profiled("b", ["x"] * 60 + ["y"] * 41, CATEGORY),
    ),
    (),
)


class Says:
    """A model that says what it is told to."""

    version = "1"

    def __init__(self, said, output=None):
        self.said, self.output = said, output or Probability()
        self.schema = RequestSchema(INPUTS)

    def predict(self, instances):
        if isinstance(self.said, Exception):
            raise self.said
        return np.array(self.said)


@pytest.fixture
def predictor(tmp_path):
    def made(model, to="human_review", below=0.6, **more):
        write(tmp_path / "models/1" / FILE, REFERENCE.text())
        settings = ServingSettings(
            system="loans",
            directory=tmp_path,
            http_port=1,
            grpc_port=2,
            metrics_port=3,
            fallback=FallbackSettings(below_confidence=below, to=to),
            **more,
        )
        found = Predictor(settings)
        found.versions._models = {"1": model}
        return found

    return made


def ask(predictor, *instances, api="v1"):
    asked = Asked.of({"x-mlstrata-version": "1"}, api)
    body = json.dumps({"instances": list(instances)}).encode()
    return predictor.predict(asked, lambda schema: schema.parse(body))


def test_a_sure_answer_stands_and_an_unsure_one_goes_to_a_person(predictor):
    found = predictor(Says([0.9, 0.55, 0.05, 0.41]))
    prediction = ask(found, *[SEEN] * 4)
    predictions = found.written(prediction)["predictions"]
    assert predictions == [
        {"probability": 0.9, "label": 1, "source": "model"},
        {"source": "human_review", "reasons": ["confidence"]},
        {"probability": 0.05, "label": 0, "source": "model"},
        {"source": "human_review", "reasons": ["confidence"]},
    ]
    assert [row.source for row in prediction.rows] == ["model", "human_review", "model", "human_review"]
    described = document(
        "loans", "v1", "1", RequestSchema(INPUTS).columns, Probability(), beside=Beside(fallback="human_review")
    )
    schema = {"$ref": "#/components/schemas/Answer", "components": described["components"]}
    answer = {**found.written(prediction), "request_id": "r"}
    assert Draft202012Validator(schema).is_valid(answer)
    answer["predictions"][1]["probability"] = 0.55
    assert not Draft202012Validator(schema).is_valid(answer), "what the model said is not given out"


@pytest.mark.parametrize(
    ("instance", "flag"),
    [({"a": 1.5, "b": "x"}, "range:a"), ({"a": -0.1, "b": "x"}, "range:a"), ({"a": 0.5, "b": "z"}, "unseen:b")],
)
def test_what_training_did_not_see_goes_to_a_person(predictor, instance, flag):
    (row,) = ask(predictor(Says([0.9])), instance).rows
    assert row.flags == (flag,)
    assert row.source == "human_review"
    assert row.reasons == (flag.partition(":")[0],)


def test_a_declared_range_holds_instead_of_what_training_saw(predictor):
    found = predictor(Says([0.9]), ranges={"a": (0.0, 2.0)})
    assert ask(found, {"a": 1.5, "b": "x"}).rows[0].source == "model"
    assert ask(found, {"a": 2.5, "b": "x"}).rows[0].flags == ("range:a",)


@pytest.mark.parametrize(("said", "reason"), [(RuntimeError("no"), "failed"), (OutputError("shape"), "implausible")])
def test_a_model_that_fails_is_a_persons_to_answer(predictor, said, reason):
    found = predictor(Says(said))
    prediction = ask(found, SEEN)
    assert found.written(prediction)["predictions"] == [{"source": "human_review", "reasons": [reason]}]
    assert prediction.rows[0].output is None


def test_one_implausible_row_does_not_take_the_others_with_it(predictor):
    found = predictor(Says([0.9, float("nan")]))
    first, second = ask(found, SEEN, SEEN).rows
    assert first.output == {"probability": 0.9, "label": 1}
    assert second.reasons == ("implausible",)


def test_refused_it_names_each_instance_and_keeps_them_for_the_record(predictor):
    with pytest.raises(ProblemError) as raised:
        ask(predictor(Says([0.9, 0.5]), to="refuse"), SEEN, SEEN)
    problem = raised.value
    assert (problem.status, problem.code, problem.version) == (fallback.REFUSED, "unsure", "1")
    assert [one["path"] for one in problem.details] == ["instances[1]"]
    assert [row.source for row in problem.rows] == ["model", "refuse"]


def test_the_v2_protocol_has_no_word_for_a_person_so_it_refuses(predictor):
    with pytest.raises(ProblemError) as raised:
        ask(predictor(Says([0.5])), SEEN, api=V2)
    assert raised.value.rows[0].source == "human_review"


def test_of_several_classes_the_likeliest_ones_probability_counts_and_a_number_is_never_unsure(predictor):
    classes = Classes(("a", "b", "c"))
    assert ask(predictor(Says([[0.5, 0.3, 0.2]], classes)), SEEN).rows[0].flags == ("confidence",)
    assert ask(predictor(Says([[0.7, 0.2, 0.1]], classes)), SEEN).rows[0].flags == ()
    assert ask(predictor(Says([7.0], Value((0.0, 10.0)))), SEEN).rows[0].source == "model"
    assert ask(predictor(Says([11.0], Value((0.0, 10.0)))), SEEN).rows[0].reasons == ("implausible",)


def test_inputs_that_cannot_be_looked_at_are_a_persons_too(predictor, monkeypatch):
    found = predictor(Says([0.9]))
    monkeypatch.setattr("mlstrata.services.serving.flags.Bounds.flags", lambda *_: 1 / 0)
    assert ask(found, SEEN).rows[0].reasons == ("unchecked",)


def test_without_a_reference_only_what_needs_none_counts(predictor, tmp_path):
    found = predictor(Says([0.9]))
    (tmp_path / "models/1" / FILE).write_text("{}")
    assert ask(found, {"a": 99.0, "b": "z"}).rows[0].source == "model"
