"""What a predictor answers to a body, as the interface `v1` writes it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mlstrata.services.serving.prediction import Asked
from mlstrata.services.serving.predictor import Predictor


def answer(predictor: Predictor, body: bytes, version: str | None) -> dict[str, Any]:
    """Return the answer, without its request id."""
    asked = replace(Asked.of({}, "v1"), version=version)
    return predictor.written(predictor.predict(asked, lambda schema: schema.parse(body)))
