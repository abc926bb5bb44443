"""The schema knows the settings' keys and carries an address, so that editors find typing errors in them."""

import json

import jsonschema
import pytest

from mlstrata.environments.schema import schema
from mlstrata.environments.spec.rules import RULES
from mlstrata.environments.spec.settings import check_training

SETTINGS = schema()["$defs"]["ModelSpec"]["properties"]["settings"]


def accepts(settings: object) -> bool:
    return jsonschema.Draft202012Validator(SETTINGS).is_valid(settings)


def test_it_has_an_address_of_this_version() -> None:
    from importlib.metadata import version

    assert f"/v{version('mlstrata')}/" in schema()["$id"]


def test_it_knows_every_rule_that_validate_knows() -> None:
    for step, rules in RULES.items():
        assert set(SETTINGS["properties"][step]["properties"]) == set(rules)


@pytest.mark.parametrize(
    "settings",
    [
        {"quality": {"max_nulls": 0.5}},
        {"quality": {"max_null": 0.5}},
        {"quality": {"max_nulls": "much"}},
        {"qualty": {}},
        {"search": {"metric": "auc"}},
        {"search": {"metric": "aucc"}},
        {"seed": -1},
        {"test_fraction": 1},
        {"workers": 2, "gpus": 0, "parameters": {"C": 1}},
        {"leakage": {"allow": ["a", 1]}},
        {"comparison": {"enforce": "yes"}},
        {"mitigation": {"method": "reweigh"}},
    ],
    ids=json.dumps,
)
def test_it_judges_as_validate_does(settings: dict[str, object]) -> None:
    assert accepts(settings) == (not list(check_training(settings)))
