"""A version that cannot predict its own input example: the message names the field, module or value."""

import json

import httpx
import pytest

from mlstrata.operations.releases import RolloutError
from mlstrata.operations.releases.local.process import ServingProcess
from mlstrata.services.serving import model
from mlstrata.services.serving.example import FILE
from mlstrata.services.serving.fetch import UnusableError, attempt
from mlstrata.services.serving.problem import ProblemError
from mlstrata.services.serving.schema import RequestSchema

SCHEMA = RequestSchema([{"name": "age", "type": "long", "required": True}])
FIELD = 'instances[0].age: got "old", send a whole number of 64 bits'


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "models" / "3"
    made.mkdir(parents=True)
    (made / FILE).write_text(json.dumps({"dataframe_split": {"columns": ["age"], "data": [["old"]]}}))
    return tmp_path


def test_a_problem_names_each_field_in_one_line():
    with pytest.raises(ProblemError) as raised:
        SCHEMA.check([{"age": "old", "income": 3}])
    said = raised.value.sentence()
    assert FIELD in said
    assert "instances[0].income: got 3, remove 'income'" in said
    assert ProblemError(500, "implausible", "withheld").sentence() == "withheld"


def test_a_pod_says_which_field_of_the_example_is_wrong(folder, monkeypatch):
    class Loaded:
        schema = SCHEMA

        def __init__(self, version, folder):
            pass

    monkeypatch.setattr(model, "LoadedModel", Loaded)
    with pytest.raises(UnusableError) as raised:
        attempt("loans", "3", folder, (0.0, 1.0))
    assert str(raised.value).startswith("version 3 of loans on its input example: 1 thing in the body breaks")
    assert str(raised.value).endswith(FIELD)


def test_a_pod_says_which_module_is_not_there(folder, monkeypatch):
    def load(version, folder):
        raise ModuleNotFoundError("No module named 'lightgbm'")

    monkeypatch.setattr(model, "LoadedModel", load)
    with pytest.raises(UnusableError, match="cannot be loaded: ModuleNotFoundError: No module named 'lightgbm'"):
        attempt("loans", "3", folder, (0.0, 1.0))


def test_a_release_says_which_field_of_the_example_is_wrong(folder, monkeypatch):
    def refuse(method, url, **request):
        with pytest.raises(ProblemError) as raised:
            SCHEMA.check(request["json"]["instances"])
        return httpx.Response(422, json=raised.value.body("id"))

    monkeypatch.setattr(httpx, "request", refuse)
    with pytest.raises(RolloutError) as raised:
        ServingProcess("loans", "http://127.0.0.1:1", folder / "secret").smoke("3", folder / "models/3")
    assert str(raised.value).startswith("trying version 3 on its input example of loans: 1 thing in the body breaks")
    assert str(raised.value).endswith(FIELD)
