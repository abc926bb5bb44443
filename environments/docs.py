"""The tables of docs/environments.md, made from the models, so that they cannot differ."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic_core import PydanticUndefined

from mlstrata.environments.loading.shape import Field, fields_of, item_of, models_in, tag_of
from mlstrata.environments.spec.environment import EnvironmentSpec
from mlstrata.environments.spec.quantities import format_duration
from mlstrata.environments.stages import TABLE

_FEW = 12

FILE = Path(__file__).resolve().parent.parent / "docs" / "environments.md"


def text(page: str) -> str:
    """Return `page` with its generated parts, between `<!-- name -->` and `<!-- /name -->`, made anew."""
    for name, lines in (("stages", _stages()), ("fields", _fields())):
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(end)
        page = "".join((before, begin, "\n", "\n".join(lines), "\n", end, after))
    return page


def _stages() -> Iterator[str]:
    yield "| stage | capability | why there | needs |"
    yield "|---|---|---|---|"
    for entry in TABLE:
        needs = ", ".join(entry.needs) or "-"
        yield f"| {entry.stage or 'any'} | `{entry.capability}` | {entry.reason} | {needs} |"


def _fields() -> Iterator[str]:
    done: set[type[BaseModel]] = set()
    waiting: list[tuple[str, type[BaseModel]]] = [("", EnvironmentSpec)]
    while waiting:
        path, model = waiting.pop(0)
        if model in done:
            continue
        done.add(model)
        yield from _section(path, model)
        inner = [
            (f"{path}.{field.key}{brackets}".strip("."), option)
            for field in fields_of(model).values()
            for brackets, option in _models(field.annotation)
        ]
        waiting = inner + waiting
    yield ""


def _section(path: str, model: type[BaseModel]) -> Iterator[str]:
    yield ""
    kind = f" of kind {tag}" if (tag := tag_of(model)) else ""
    yield f"### {f'`{path}`{kind}' if path else 'The file'}"
    yield ""
    yield inspect.cleandoc(model.__doc__ or "")
    yield ""
    yield "| key | default | what it says |"
    yield "|---|---|---|"
    for field in fields_of(model).values():
        fixed = " **Fixed once deployed.**" if _is_immutable(field) else ""
        yield f"| `{field.key}` | {_default(field)} | {field.info.description}{_values(field)}{fixed} |"


def _models(annotation: object) -> Iterator[tuple[str, type[BaseModel]]]:
    item = item_of(annotation)
    brackets, inner = ("[]", item) if item is not None else ("", annotation)
    for model in models_in(inner):
        yield brackets, model


def _values(field: Field) -> str:
    """Return the values of a choice, where its description does not name them all already."""
    annotation: Any = field.annotation
    schema = TypeAdapter(annotation).json_schema()
    choices = [part["enum"] for part in (schema, *schema.get("$defs", {}).values()) if "enum" in part]
    if len(choices) != 1 or models_in(field.annotation) or models_in(item_of(field.annotation)):
        return ""
    unnamed = [value for value in choices[0] if str(value) not in (field.info.description or "")]
    return f" One of {', '.join(map(str, choices[0]))}." if unnamed and len(choices[0]) <= _FEW else ""


def _is_immutable(field: Field) -> bool:
    return isinstance(field.info.json_schema_extra, dict) and "x-immutable" in field.info.json_schema_extra


def _default(field: Field) -> str:
    value = field.info.get_default(call_default_factory=True, validated_data={})
    if field.key == "storage":
        return "by target"
    if value is PydanticUndefined:
        return "*required*"
    if isinstance(value, BaseModel):
        return "see below"
    if value is None or value in ((), {}):
        return "none"
    return f"`{_written(value)}`"


def _written(value: object) -> str:
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_written(item)}" for key, item in value.items()) + "}"
    return str(value.value if isinstance(value, Enum) else value)
