"""The OpenAPI document says what the check of a request does."""

import pytest
from jsonschema import Draft202012Validator

from mlstrata.services.serving.openapi import document
from mlstrata.services.serving.problem import ProblemError
from mlstrata.services.serving.schema import RequestSchema
from mlstrata_steps.tasks.output import Probability

INPUTS = [
    {"name": "ratio", "type": "double", "required": True},
    {"name": "count", "type": "long", "required": True},
    {"name": "kind", "type": "string", "required": False},
    {"name": "own", "type": "boolean", "required": True},
]
GOOD = {"ratio": 0.5, "count": 3, "kind": "a", "own": True}


def described():
    return document("loans", "v2", "7", RequestSchema(INPUTS).columns, Probability())


def validator(schema):
    found = described()
    return Draft202012Validator({"$ref": f"#/components/schemas/{schema}", "components": found["components"]})


def test_its_schemas_are_schemas_and_every_reference_leads_somewhere():
    found = described()
    schemas = found["components"]["schemas"]
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    operation = found["paths"]["/systems/loans/v2/predict"]["post"]
    contents = [operation["requestBody"], *operation["responses"].values()]
    references = {one["content"]["application/json"]["schema"]["$ref"] for one in contents}
    assert {one.rpartition("/")[2] for one in references} <= set(schemas)
    assert found["openapi"].startswith("3.1")
    assert {"title", "version"} <= set(found["info"])
    assert set(operation["responses"]) >= {"200", "401", "403", "408", "413", "422", "429", "503"}


@pytest.mark.parametrize(
    "instance",
    [
        GOOD,
        GOOD | {"kind": None},
        {name: GOOD[name] for name in ("ratio", "count", "own")},
        GOOD | {"ratio": "much"},
        GOOD | {"ratio": None},
        GOOD | {"count": 2**63},
        GOOD | {"own": 1},
        GOOD | {"other": 1},
        {"ratio": 0.5},
    ],
)
def test_it_allows_what_the_check_allows_and_nothing_else(instance):
    body = {"instances": [instance]}
    try:
        RequestSchema(INPUTS).check(body["instances"])
    except ProblemError:
        taken = False
    else:
        taken = True
    assert validator("Request").is_valid(body) is taken


def test_answers_of_the_process_are_as_described():
    answer = {
        "predictions": [{"probability": 0.25, "label": 0}],
        "model": {"system": "loans", "version": "7"},
        "request_id": "r",
    }
    assert validator("Answer").is_valid(answer)
    assert not validator("Answer").is_valid(answer | {"predictions": [{"probability": 2, "label": 0}]})
    problem = ProblemError(422, "schema", "no", [{"path": "a", "got": 1, "expected": "b", "fix": "c"}])
    assert validator("Error").is_valid(problem.body("r"))
