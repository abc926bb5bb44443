"""Walks the models the way an error's location does, to know what is allowed there."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from functools import cache
from typing import Annotated, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

Key = str | int


class Field(NamedTuple):
    """A field as a file sees it: the key, its model's own declaration and its type."""

    key: str
    info: FieldInfo
    annotation: object


@cache
def fields_of(model: type[BaseModel]) -> dict[str, Field]:
    """Return the fields of `model` by the key a file writes."""
    return {
        info.alias or name: Field(info.alias or name, info, info.annotation)
        for name, info in model.model_fields.items()
    }


def models_in(annotation: object) -> list[type[BaseModel]]:
    """Return the models that a value of this type may be: none for a scalar, several for a union."""
    annotation = _bare(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in {Union, types.UnionType}:
        return [model for option in get_args(annotation) for model in models_in(option)]
    return []


def item_of(annotation: object) -> object | None:
    """Return the type of a list's items or of a mapping's values; None where it is neither."""
    annotation = _bare(annotation)
    origin = get_origin(annotation)
    if origin is tuple:
        item: object = get_args(annotation)[0]
        return item
    if origin is dict:
        value: object = get_args(annotation)[1]
        return value
    if origin in {Union, types.UnionType}:
        return next((item for option in get_args(annotation) if (item := item_of(option)) is not None), None)
    return None


def tag_of(model: type[BaseModel]) -> str | None:
    """Return the value of `kind` that chooses `model` from its union; None where it is no member of one."""
    info = model.model_fields.get("kind")
    return str(get_args(info.annotation)[0]) if info and get_origin(info.annotation) is typing.Literal else None


def models_at(root: type[BaseModel], path: tuple[Key, ...], data: object) -> list[type[BaseModel]]:
    """Return the models that the value at `path` may be; of a union only the one that its `kind` chooses."""
    annotation: object = root
    for key in path:
        options = _chosen(models_in(annotation), data)
        data = _step(data, key)
        field = next((f for option in options if (f := fields_of(option).get(str(key)))), None)
        annotation = field.annotation if field else item_of(annotation)
        if annotation is None:
            return []
    return _chosen(models_in(annotation), data)


@cache
def every_field(model: type[BaseModel]) -> tuple[tuple[tuple[str, ...], type[BaseModel], Field], ...]:
    """Return (path, owning model, field) for every field, depth first.

    In a path `[]` stands for a list's item and `*` for any key of a mapping.
    """
    return tuple(_every_field(model, ()))


def _every_field(
    model: type[BaseModel], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], type[BaseModel], Field]]:
    for key, field in fields_of(model).items():
        here = (*path, key)
        yield here, model, field
        annotation, inner = field.annotation, here
        while not models_in(annotation) and (item := item_of(annotation)) is not None:
            inner = (*inner, "*" if get_origin(_bare(annotation)) is dict else "[]")
            annotation = item
        for option in models_in(annotation):
            yield from _every_field(option, inner)


def _bare(annotation: object) -> object:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation


def _chosen(options: list[type[BaseModel]], data: object) -> list[type[BaseModel]]:
    kind = data.get("kind") if isinstance(data, dict) else None
    return [option for option in options if tag_of(option) == kind] or options if len(options) > 1 else options


def _step(data: object, key: Key) -> object:
    if isinstance(data, dict):
        return data.get(key)
    return data[key] if isinstance(data, list) and isinstance(key, int) and key < len(data) else None
