"""The OpenAPI 3.1 document of a system, from the signature of the model that answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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


def document(system: str, api: str, version: str, columns: Sequence[Column], output: Output) -> dict[str, Any]:
    """Return the document.

    Args:
        system: The system's name.
        api: The version of its interface, such as v1.
        version: The model's version, whose signature it is.
        columns: The inputs of that signature.
        output: What it answers.
    """
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
        "paths": {f"/systems/{system}/{api}/predict": {"post": _operation()}},
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "schemas": _schemas(system, columns, output),
        },
    }


def _operation() -> dict[str, Any]:
    given = {"description": "A prediction for each instance, in their order.", "content": _content("Answer")}
    refused = {status: {"description": what, "content": _content("Error")} for status, what in sorted(_ERRORS.items())}
    return {
        "operationId": "predict",
        "summary": "Predict for one instance or more.",
        "requestBody": {"required": True, "content": _content("Request")},
        "responses": {"200": given, **refused},
    }


def _schemas(system: str, columns: Sequence[Column], output: Output) -> dict[str, Any]:
    instance = {
        **_object({column.name: _field(column) for column in columns}),
        "required": [column.name for column in columns if column.required],
    }
    prediction = _object(output.schema())
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


def _field(column: Column) -> dict[str, Any]:
    kind = _TYPES[column.type]
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
