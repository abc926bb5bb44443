"""The check of requests against a signature."""

import codecs
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstrata.services.serving.problem import ProblemError
from mlstrata.services.serving.schema import RequestSchema, UnsupportedSignatureError

TYPES = ["boolean", "integer", "long", "float", "double", "string", "datetime"]
INPUTS = [{"name": kind, "type": kind, "required": True} for kind in TYPES]
GOOD = {
    "boolean": True,
    "integer": 3,
    "long": 2**40,
    "float": 0.5,
    "double": 2,
    "string": "x",
    "datetime": "2026-01-02T03:04:05",
}


def body(*instances):
    return json.dumps({"instances": instances}).encode()


def test_a_good_instance_comes_back_as_python_values():
    (instance,) = RequestSchema(INPUTS).parse(body(GOOD))
    assert {name: value for name, value in instance.items() if name != "datetime"} == {
        name: value for name, value in GOOD.items() if name != "datetime"
    }
    assert instance["datetime"].year == 2026
    assert isinstance(instance["double"], float)


def test_a_mark_before_the_text_is_passed_over_once():
    schema = RequestSchema(INPUTS)
    assert schema.parse(codecs.BOM_UTF8 + body(GOOD)) == schema.parse(body(GOOD))
    for broken in (codecs.BOM_UTF8, codecs.BOM_UTF8 * 2 + body(GOOD), codecs.BOM_UTF16_LE + body(GOOD)):
        with pytest.raises(ProblemError, match="not JSON"):
            schema.parse(broken)


@pytest.mark.parametrize("name", ["integer", "long"])
@pytest.mark.parametrize("number", ["5.0", "5", "5e0", "-5.0"])
def test_a_whole_number_is_one_however_it_is_written(name, number):
    text = json.dumps({"instances": [GOOD | {name: 987}]}).replace("987", number)
    (instance,) = RequestSchema(INPUTS).parse(text.encode())
    assert type(instance[name]) is int
    assert instance[name] == float(number)


def test_a_truth_value_with_gaps_is_sent_as_one():
    schema = RequestSchema([{"name": "a", "type": "boolean", "required": False}])
    assert schema.parse(body({"a": True}, {"a": None}, {})) == [{"a": True}, {"a": None}, {"a": None}]
    for wrong in ("true", 1, 0.0):
        with pytest.raises(ProblemError):
            schema.parse(body({"a": wrong}))


def test_what_was_missing_in_training_is_missing_in_a_request():
    columns = [
        {"name": "text", "type": "string", "required": False},
        {"name": "n", "type": "double", "required": False},
    ]
    schema = RequestSchema(columns, missing=["n/a"])
    for word in ("n/a", "", None):
        assert schema.parse(body({"text": word, "n": word})) == [{"text": None, "n": None}]
    assert schema.parse(body({"text": "NA"})) == [{"text": "NA", "n": None}]
    assert RequestSchema(columns).parse(body({"text": "n/a"})) == [{"text": "n/a", "n": None}]


WRONG = [
    ("boolean", 1, "true or false"),
    ("boolean", "true", "true or false"),
    ("integer", 2**31, "32 bits"),
    ("integer", -(2**31) - 1, "32 bits"),
    ("integer", 1.5, "32 bits"),
    ("integer", 2.0**31, "32 bits"),
    ("long", 2.0**63, "64 bits"),
    ("integer", True, "32 bits"),
    ("long", 2**63, "64 bits"),
    ("long", "1", "64 bits"),
    ("double", "0.5", "a number"),
    ("double", True, "a number"),
    ("double", None, "a number"),
    ("double", [1], "a number"),
    ("string", 5, "text"),
    ("datetime", "yesterday", "ISO 8601"),
]


@pytest.mark.parametrize(("name", "value", "expected"), WRONG)
def test_a_wrong_value_is_named_with_what_is_expected(name, value, expected):
    with pytest.raises(ProblemError) as raised:
        RequestSchema(INPUTS).parse(body(GOOD | {name: value}))
    assert raised.value.status == 422
    (detail,) = raised.value.details
    assert detail["path"] == f"instances[0].{name}"
    assert expected in detail["expected"]
    assert detail["got"] == json.dumps(value)
    assert detail["fix"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_is_no_finite_number_is_refused(number):
    text = body(GOOD).decode().replace('"double": 2', f'"double": {number}')
    with pytest.raises(ProblemError) as raised:
        RequestSchema(INPUTS).parse(text.encode())
    assert raised.value.status == 422


def test_a_missing_and_an_unknown_field_are_told_apart_and_a_typo_is_guessed():
    instance = {"strin" if name == "string" else name: value for name, value in GOOD.items()}
    with pytest.raises(ProblemError) as raised:
        RequestSchema(INPUTS).parse(body(instance))
    details = {one["path"]: one for one in raised.value.details}
    assert details["instances[0].string"]["got"] == "nothing"
    assert details["instances[0].strin"]["fix"] == "did you mean 'string'?"


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ("[]", "body"),
        ("3", "body"),
        ('{"instances": []}', "instances"),
        ('{"instances": {}}', "instances"),
        ('{"instances": [1]}', "instances[0]"),
        ("{}", "instances"),
    ],
)
def test_another_shape_is_422(content, path):
    with pytest.raises(ProblemError) as raised:
        RequestSchema(INPUTS).parse(content.encode())
    assert raised.value.status == 422
    assert [one["path"] for one in raised.value.details] == [path]


def test_an_optional_column_may_be_null_or_absent():
    schema = RequestSchema([{"name": "a", "type": "double", "required": False}, INPUTS[5]])
    assert schema.parse(body({"string": "x"}, {"a": None, "string": "y"})) == [
        {"a": None, "string": "x"},
        {"a": None, "string": "y"},
    ]


def test_a_large_wrong_body_makes_a_small_answer():
    wrong = [{f"field{number}": number for number in range(5_000)} for _ in range(50)]
    with pytest.raises(ProblemError) as raised:
        RequestSchema(INPUTS).parse(body(*wrong))
    assert len(json.dumps(raised.value.body("r"))) < 10_000
    assert "the first 20 are shown" in raised.value.message


def test_a_long_value_is_cut_in_the_answer():
    with pytest.raises(ProblemError) as raised:
        RequestSchema(INPUTS).parse(body(GOOD | {"double": "x" * 10_000}))
    assert len(raised.value.details[0]["got"]) < 100


@pytest.mark.parametrize(
    "inputs",
    [
        None,
        [],
        [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}],
        [{"type": "double"}],
        [{"name": "a", "type": "binary"}],
        [{"name": "a", "type": {"type": "array"}}],
    ],
)
def test_a_signature_that_cannot_be_checked_is_refused(inputs):
    with pytest.raises(UnsupportedSignatureError):
        RequestSchema(inputs)


@given(st.binary(max_size=200))
def test_whatever_the_bytes_they_are_instances_or_a_problem(content):
    try:
        instances = RequestSchema(INPUTS).parse(content)
    except ProblemError as error:
        problem = error
    else:
        assert instances
        return
    assert problem.status in (400, 422)
    assert json.dumps(problem.body("r"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*TYPES, "x"]), inner, max_size=8),
    max_leaves=20,
)


@given(JSON)
def test_whatever_the_json_what_passes_has_exactly_the_columns(value):
    try:
        instances = RequestSchema(INPUTS).parse(json.dumps({"instances": value}).encode())
    except ProblemError as error:
        problem = error
    else:
        assert all(set(one) == set(TYPES) for one in instances)
        return
    assert problem.status == 422
    assert problem.details
