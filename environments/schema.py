"""The JSON schema that editors hold environment files against."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mlstrata.environments.spec.environment import EnvironmentSpec

_ADDRESS = "https://raw.githubusercontent.com/mlstrata/mlstrata/v{}/environments/environment.schema.json"
FILE = Path(__file__).with_name("environment.schema.json")


def schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12) of an environment file.

    It knows shapes, names and descriptions; references and contradictions only the loader knows.
    """
    generated = EnvironmentSpec.model_json_schema(by_alias=True)
    # The loader chooses the storage by the target, which no schema's default can say.
    generated["required"] = [key for key in generated["required"] if key != "storage"]
    _without_titles(generated)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": _ADDRESS.format(version("mlstrata")),
        "title": "mlstrata environment",
    }
    return {**head, **generated}


def text() -> str:
    """Return the schema as it is committed."""
    return json.dumps(schema(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _without_titles(part: object) -> None:
    """Drop the titles that are made from names: they say nothing, and double the file."""
    if isinstance(part, dict):
        if isinstance(part.get("title"), str):
            del part["title"]
        for item in part.values():
            _without_titles(item)
    elif isinstance(part, list):
        for item in part:
            _without_titles(item)
