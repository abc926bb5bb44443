"""The bill of materials, from `bill.yaml`: every upstream piece with its version, licence, source, CRDs and images.

What a component installs it takes from here, `piece("seldon-core").chart`; no version stands anywhere else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter

from mlstrata.components.upstream.package import UpstreamPackage

BUSL, AGPL = "BUSL-1.1", "AGPL-3.0-only"


def _read() -> tuple[UpstreamPackage, ...]:
    text = Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")
    given = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    pieces = [{"name": name, **fields, **_unfolded(fields)} for name, fields in given.items()]
    return TypeAdapter(tuple[UpstreamPackage, ...]).validate_python(pieces)


def _unfolded(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that the file writes shorter than an `UpstreamPackage` has them."""
    return {
        "crds": [f"{plural}.{group}" for group, plurals in fields.get("crds", {}).items() for plural in plurals],
        "images": [_image(one) for one in fields.get("images", ())],
        "offered": [_image(one) for one in fields.get("offered", ())],
    }


def _image(given: str | dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {"image": given} if isinstance(given, str) else dict(given)
    name, _, digest = fields.pop("image").partition("@")
    repository, _, tag = name.rpartition(":")
    values = [{"path": path, "part": part} for path, part in fields.pop("values", {}).items()]
    return {"repository": repository, "tag": tag, "digest": digest or None, "helm_values": values, **fields}


BILL: tuple[UpstreamPackage, ...] = _read()
PIECES: dict[str, UpstreamPackage] = {one.name: one for one in BILL}


def piece(name: str) -> UpstreamPackage:
    """Return the piece called `name`, at the version that mlstrata was tested with.

    Raises:
        KeyError: there is none; the message lists those there are.
    """
    try:
        return PIECES[name]
    except KeyError:
        raise KeyError(f"no upstream piece '{name}'; allowed {', '.join(PIECES)}") from None
