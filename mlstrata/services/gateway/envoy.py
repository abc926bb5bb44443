"""Puts parts of `envoy.yaml` together: what Envoy is told, with the values of the settings filled in."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from string import Template
from typing import Any

import yaml

from mlstrata.services.gateway.settings import GatewaySettings


@cache
def _parts() -> dict[str, Any]:
    text = Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")
    parts: dict[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - safe
    return parts


def part(part_name: str, /, **values: Any) -> dict[str, Any]:
    """Return a part, free to change.

    Args:
        part_name: Its name in the file.
        values: What stands in it as `$name`, of any type where that is all of a text.

    Raises:
        KeyError: There is no such part, or a value of it is not given.
    """
    filled: dict[str, Any] = _filled(_parts()[part_name], values)
    return filled


def _filled(told: Any, values: dict[str, Any]) -> Any:
    if isinstance(told, dict):
        return {key: _filled(inner, values) for key, inner in told.items()}
    if isinstance(told, list):
        return [_filled(inner, values) for inner in told]
    if not isinstance(told, str):
        return told
    return values[told[1:]] if told[:1] == "$" and told[1:].isidentifier() else Template(told).substitute(values)


def watched(settings: GatewaySettings, file: str) -> dict[str, Any]:
    """Return the source of a file that Envoy reads again when it is renamed into the gateway's folder."""
    return part("watched", path=str(settings.directory / file), folder=str(settings.directory))
