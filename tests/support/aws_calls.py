"""Planned inputs as the calls of AWS's API that make them, judged by botocore's own models; the mapping is data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import yaml
from botocore.model import ServiceModel, Shape
from botocore.validate import ParamValidator

from tests.support.recorded import Registered

FILE = Path(__file__).parents[1] / "data/aws/calls.yaml"
TAG_KEY, TAG_VALUE = re.compile(r"[\w .:/=+\-@]{1,128}"), re.compile(r"[\w .:/=+\-@]{0,256}")
NEVER_SAID = {"tags", "region"}
"""Inputs of every type, which are judged by themselves."""


@cache
def calls() -> Mapping[str, Mapping[str, Any]]:
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


@cache
def model(service: str) -> ServiceModel:
    """AWS's own model of a service; reading one takes a moment, so each is read once."""
    return botocore.session.get_session().get_service_model(service)


@cache
def _operation(name: str) -> Shape:
    service, _, operation = name.partition(".")
    return model(service).operation_model(operation).input_shape


def complaints(one: Registered) -> Iterator[str]:
    """Yield what AWS's API would refuse of a resource of a mapped type."""
    how = calls()[one.type]
    shape = _operation(how["call"])
    where = f"{one.type} {one.name}"
    given = {key: value for key, value in one.inputs.items() if key not in {*how.get("other", ()), *NEVER_SAID}}
    params, unknown = _params(given, how, shape)
    yield from (f"{where}: {what}" for what in unknown)
    report = ParamValidator().validate(params, shape)
    if report.has_errors():
        yield f"{where}: {report.generate_report()}"
    yield from (f"{where}: {what}" for what in _values(params, shape, how["call"]))
    for key, value in one.inputs.get("tags", {}).items():
        if not TAG_KEY.fullmatch(key) or not TAG_VALUE.fullmatch(value):
            yield f"{where}: tag {key}: {value!r}"


def _params(given: Mapping[str, Any], how: Mapping[str, Any], shape: Shape) -> tuple[dict[str, Any], list[str]]:
    unknown: list[str] = []
    params: dict[str, Any] = dict(how.get("add", {}))
    inside = {key: member for member, keys in how.get("within", {}).items() for key in keys}
    texts = {key: member for member, keys in how.get("texts", {}).items() for key in keys}
    listed = next(iter(how.get("list", {}).items()), None)
    shaped = {key: [value] if key in how.get("lists", ()) else value for key, value in given.items()}
    shaped |= {key: value[0] for key, value in shaped.items() if key in how.get("firsts", ())}
    for key, value in shaped.items():
        if key in texts:
            text = value if isinstance(value, str) else str(value).removesuffix(".0").lower()
            params.setdefault(texts[key], {})[f"{key[0].upper()}{key[1:]}"] = text
        elif listed and key in listed[1]:
            params.setdefault(listed[0], [{}])[0][listed[1][key]] = value
        else:
            into, of = params, shape
            if key in inside:
                of = shape.members[inside[key]]
                into = params.setdefault(inside[key], {})
            member = _member(of, how.get("is", {}).get(key, key))
            if member is None:
                unknown.append(f"{key} is no member of {how['call']}")
            else:
                into[member] = _cast(value, of.members[member], f"{key}", unknown)
    return params, unknown


def _member(shape: Shape, name: str) -> str | None:
    """Return the member of a name; the API and Pulumi differ in case and, of lists, in number."""
    known = {one.lower(): one for one in shape.members}
    low = name.lower()
    return next((known[one] for one in (low, low.removesuffix("s"), f"{low}s") if one in known), None)


def _cast(value: Any, shape: Shape, at: str, unknown: list[str]) -> Any:
    if shape.type_name == "structure" and isinstance(value, Mapping):
        made = {}
        for key, inner in value.items():
            member = _member(shape, key)
            if member is None:
                unknown.append(f"{at}.{key} is no member of {shape.name}")
            else:
                made[member] = _cast(inner, shape.members[member], f"{at}.{key}", unknown)
        return made
    if shape.type_name == "list" and isinstance(value, list):
        return [_cast(one, shape.member, f"{at}[]", unknown) for one in value]
    if shape.type_name == "list" and shape.name == "TagList" and isinstance(value, Mapping):
        return [{"Key": key, "Value": inner} for key, inner in value.items()]
    if shape.type_name in {"integer", "long"} and isinstance(value, float):
        return int(value)
    if shape.type_name == "boolean" and value in {"true", "false"}:
        return value == "true"
    return value


def _values(value: Any, shape: Shape, at: str) -> Iterator[str]:
    """Yield values that are none of an enum's, or not of a pattern: botocore itself leaves these to the service."""
    if shape.type_name == "structure" and isinstance(value, Mapping):
        for key, inner in value.items():
            if key in shape.members:
                yield from _values(inner, shape.members[key], f"{at}.{key}")
    elif shape.type_name == "list" and isinstance(value, list):
        for one in value:
            yield from _values(one, shape.member, f"{at}[]")
    elif isinstance(value, str):
        longest = shape.metadata.get("max")
        if longest is not None and len(value) > longest:
            yield f"{at}: got {value!r}; longer than {longest}"
        enum, pattern = getattr(shape, "enum", []), shape.metadata.get("pattern")
        if enum and value not in enum:
            yield f"{at}: got {value!r}; allowed {', '.join(enum)}"
        if pattern and not _matches(pattern, value):
            yield f"{at}: got {value!r}; not of the form {pattern}"


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.fullmatch(pattern, value) is not None
    except re.error:
        return True  # a pattern of Java's that Python does not read
