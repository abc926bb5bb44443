"""The OpenAPI 3.1 document of a system, from the signature of the model that answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlstrata.services.recording.record import MODEL as MODEL_SOURCE
from mlstrata.services.serving.fallback import REASONS, REFUSE, REFUSED
from mlstrata.services.serving.schema import Column
from mlstrata_steps.tasks.output import Output

OPENAPI = "3.1.0"
MODEL = "x-model"
"""The document's field of our own: the system and the version of its model."""
_INT32, _INT64 = 2**31, 2**63
_TYPES: dict[str, dict[str, Any]] = {
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer", "minimum": -_INT32, "maximum": _INT32 - 1},
    "long": {"type": "integer", "minimum": -_INT64, "maximum": _INT64 - 1},
    "float": {"type": "number"},
    "double": {"type": "number"},
    "string": {"type": "string"},
    "datetime": {"type": "string", "format": "date-time"},
}
_NUMBER: dict[str, Any] = {"type": "number"}
_WHY = "What each input adds to the mean; base and contributions add up to the output. null: there was no time for one."
_UNSURE = "The model is not to decide an instance (`unsure`); a person must."
# What a caller may meet, and what it says.
_ERRORS = {
    "400": "Not JSON, or not HTTP.",
    "401": "No token, or one that is not good.",
    "403": "The token gives no access to this system.",
    "408": "The request took too long to arrive.",
    "413": "The body is larger than this system takes.",
    "415": "The body is compressed.",
    "422": "The body breaks the schema; each thing wrong is named.",
    "429": "Over this consumer's rate or quota.",
    "431": "The headers are larger than the gateway takes.",
    "500": "The model failed, or its prediction was withheld.",
    "503": "No version answers now, or (`overloaded`) more is asked than can be: see `retry-after`.",
    "504": "The answer took too long.",
}


@dataclass(frozen=True)
class Beside:
    """What comes with an answer, or in its place.

    Attributes:
        explained: Whether explanations do.
        fallback: Who answers where the model should not; empty: it always does.
    """

    explained: bool = False
    fallback: str = ""


def document(
    system: str, api: str, version: str, columns: Sequence[Column], output: Output, *, beside: Beside | None = None
) -> dict[str, Any]:
    """Return the document.

    Args:
        system: The system's name.
        api: The version of its interface, such as v1.
        version: The model's version, whose signature it is.
        columns: The inputs of that signature.
        output: What it answers.
        beside: What comes with an answer, or in its place; None: nothing does.
    """
    more = beside or Beside()
    return {
        "openapi": OPENAPI,
        "info": {
            "title": system,
            "version": f"{api} (model {version})",
            "description": f"Predictions of {system}. The fields of an instance are those of model version {version}.",
        },
        MODEL: {"system": system, "version": version},
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": {f"/systems/{system}/{api}/predict": {"post": _operation(more)}},
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "schemas": _schemas(system, columns, output, more),
        },
    }


def _operation(beside: Beside) -> dict[str, Any]:
    given = {"description": "A prediction for each instance, in their order.", "content": _content("Answer")}
    errors = _ERRORS | ({str(REFUSED): _UNSURE} if beside.fallback == REFUSE else {})
    refused = {status: {"description": what, "content": _content("Error")} for status, what in sorted(errors.items())}
    return {
        "operationId": "predict",
        "summary": "Predict for one instance or more.",
        "requestBody": {"required": True, "content": _content("Request")},
        "responses": {"200": given, **refused},
    }


def _schemas(system: str, columns: Sequence[Column], output: Output, beside: Beside) -> dict[str, Any]:
    instance = {
        **_object({column.name: _field(column) for column in columns}),
        "required": [column.name for column in columns if column.required],
    }
    prediction = _prediction(output, beside)
    model = _object({"system": {"const": system}, "version": {"type": "string"}})
    detail = _object({name: {"type": "string"} for name in ("path", "expected", "fix")} | {"got": {}})
    error = _object({"code": {"type": "string"}, "message": {"type": "string"}})
    error["properties"]["details"] = {"type": "array", "items": detail}
    return {
        "Instance": instance,
        "Request": _object({"instances": {"type": "array", "minItems": 1, "items": _reference("Instance")}}),
        "Answer": _object(
            {
                "predictions": {"type": "array", "items": prediction},
                "model": model,
                "request_id": {"type": "string"},
            }
        ),
        "Error": _object({"error": error, "request_id": {"type": "string"}}),
    }


def _prediction(output: Output, beside: Beside) -> dict[str, Any]:
    """Describe what an instance is answered: by the model, or by whom the fallback hands it to."""
    own = output.schema()
    if beside.explained:
        own = own | {"explanation": {"oneOf": [_explanation(), {"type": "null"}], "description": _WHY}}
    if not beside.fallback:
        return _object(own)
    told = _object(own | {"source": {"const": MODEL_SOURCE}})
    if beside.fallback == REFUSE:
        return told
    handed = {
        "source": {"const": beside.fallback},
        "reasons": {"type": "array", "minItems": 1, "items": {"enum": list(REASONS)}},
    }
    return {"oneOf": [told, _object(handed) | {"description": "A person decides; the model's answer is not given."}]}


def _explanation() -> dict[str, Any]:
    numbers = {"base": {"type": "number"}, "contributions": {"type": "object", "additionalProperties": _NUMBER}}
    words = {"unit": {"enum": ["log_odds", "probability", "value"]}, "method": {"enum": ["exact", "approximate"]}}
    one = _object(numbers | words)
    one["properties"]["of"] = {"type": "string", "description": "The class that is explained, of several."}
    return one


def _field(column: Column) -> dict[str, Any]:
    kind = _TYPES[column.type] | ({} if column.longest is None else {"maxLength": column.longest})
    if column.image is not None:
        kind |= {"contentEncoding": "base64", "description": column.expected.capitalize()}
    return kind if column.required else {**kind, "type": [kind["type"], "null"]}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _content(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": _reference(schema)}}


def _reference(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}
