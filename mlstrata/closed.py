"""The base of what is read from files and requests: fields that are not known are refused, values never change."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Closed(BaseModel):
    """A closed, frozen model."""

    model_config = ConfigDict(extra="forbid", frozen=True)
