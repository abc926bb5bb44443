"""What is given out and what is withheld."""

import json
import math

import numpy as np
import pytest
from prometheus_client import REGISTRY

from mlstrata.services.serving import beside
from mlstrata.services.serving.predictor import Predictor
from mlstrata.services.serving.problem import ProblemError
from mlstrata.services.serving.releases import FILE, Releases
from mlstrata.services.serving.schema import RequestSchema
from mlstrata.services.serving.settings import ServingSettings
from mlstrata_steps.tasks.output import OutputError, Probability
from tests.support.answers import answer

BODY = json.dumps({"instances": [{"a": 1.0}, {"a": 2.0}]}).encode()


class Fixed:
    """A model that always gives the same output."""

    def __init__(self, output, version="1"):
        self.given, self.output, self.version = output, Probability(0.4), version
        self.schema = RequestSchema([{"name": "a", "type": "double"}])

    def predict(self, instances):
        if isinstance(self.given, Exception):
            raise self.given
        return np.array(self.given)


@pytest.fixture
def predictor(tmp_path):
    return Predictor(ServingSettings(system="loans", directory=tmp_path, http_port=1, grpc_port=2, metrics_port=3))


def give(predictor, output):
    predictor.versions._models = {"1": Fixed(output)}
    return answer(predictor, BODY, "1")


def counted(reason):
    labels = {"system": "loans", "version": "1", "reason": reason}
    return REGISTRY.get_sample_value("mlstrata_predict_implausible_total", labels) or 0.0


def test_the_label_is_one_from_the_threshold_on(predictor):
    told = give(predictor, [0.39, 0.4])
    assert told["predictions"] == [{"probability": 0.39, "label": 0}, {"probability": 0.4, "label": 1}]
    assert told["model"] == {"system": "loans", "version": "1"}


@pytest.mark.parametrize(
    ("output", "reason"),
    [([0.5, 1.0001], "range"), ([-1e-9, 0.5], "range"), ([0.5, math.inf], "range"), ([math.nan, 0.5], "not_a_number")],
)
def test_what_is_no_probability_is_withheld_with_its_reason_and_counted(predictor, output, reason):
    before = counted(reason)
    with pytest.raises(ProblemError) as raised:
        give(predictor, output)
    assert (raised.value.status, raised.value.code, raised.value.version) == (500, "implausible", "1")
    assert "allowed 0.0 to 1.0" in raised.value.message
    assert counted(reason) == before + 1


def test_an_output_of_another_shape_is_withheld(predictor):
    before = counted("shape")
    with pytest.raises(ProblemError, match="withheld"):
        give(predictor, OutputError("shape"))
    assert counted("shape") == before + 1


def test_a_model_that_fails_is_500_and_its_words_stay_here(predictor):
    with pytest.raises(ProblemError) as raised:
        give(predictor, RuntimeError("/secret/path"))
    assert raised.value.status == 500
    assert "/secret" not in json.dumps(raised.value.body("r"))


def test_a_narrower_range_is_kept_to(tmp_path):
    settings = ServingSettings(
        system="loans", directory=tmp_path, http_port=1, grpc_port=2, metrics_port=3, output_range=(0.1, 0.9)
    )
    with pytest.raises(ProblemError, match=r"allowed 0\.1 to 0\.9"):
        give(Predictor(settings), [0.5, 0.95])


def test_the_champion_is_read_again_when_it_changes(predictor, tmp_path):
    predictor.versions._models = {"1": Fixed([0.1, 0.1]), "2": Fixed([0.2, 0.2], "2")}
    for version in ("1", "2", "1"):
        new = tmp_path / "new"
        new.write_text(Releases(champion=version).to_json())
        new.replace(tmp_path / FILE)
        assert answer(predictor, BODY, None)["model"]["version"] == version


@pytest.mark.parametrize("version", ["9", "x" * 10_000, "<script>", ""])
def test_a_version_that_is_not_in_memory_is_503_and_not_echoed(predictor, version):
    with pytest.raises(ProblemError) as raised:
        answer(predictor, BODY, version)
    assert raised.value.status == 503
    assert len(raised.value.message) < 200
    assert "script" not in raised.value.message


@pytest.mark.parametrize(
    ("more", "looks", "reads"),
    [
        ({}, False, False),
        ({"explain": {"within_s": 1}}, False, True),
        ({"fallback": {"below_confidence": 0, "to": "refuse"}}, True, True),
        ({"recording": {"spill": "s", "recorder": "http://r", "token_file": "t", "key_file": "k"}}, True, True),
    ],
)
def test_only_who_looks_at_predictions_costs_anything(tmp_path, monkeypatch, more, looks, reads):
    settings = ServingSettings.model_validate(
        {"system": "loans", "directory": tmp_path, "http_port": 1, "grpc_port": 2, "metrics_port": 3, **more}
    )
    asked = []
    monkeypatch.setattr(beside, "read_reference", lambda folder: asked.append("reference"))
    monkeypatch.setattr(beside.Bounds, "flags", lambda *_: asked.append("flags") or ())
    predictor = Predictor(settings)
    predictor.versions._models = {"1": Fixed([0.2, 0.6])}
    answer(predictor, BODY, "1")
    assert set(asked) == {*(["reference"] if reads else []), *(["flags"] if looks else [])}
