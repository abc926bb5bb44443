"""What a person orders about a system from the catalog's pages: the kill switch, and a word about its rollout."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from pydantic import Field

from mlstrata.closed import Closed


class Order(StrEnum):
    """Axis: what is ordered."""

    STOP = "stop"
    RESUME = "resume"
    APPROVE = "approve"
    ABORT = "abort"


class Ordered(Closed):
    """Body of `POST /systems/{system}/orders`."""

    order: Order = Field(description="What is to be done.")
    reason: str = Field(min_length=1, max_length=900, description="Why; it stands in the audit log.")
    who: str = Field(min_length=1, max_length=100, description="The person who orders it.")


class OrderRefused(Exception):
    """An order cannot be carried out; the message says why."""


CarryOut = Callable[[str, Ordered], str]
"""Carries out an order about a system and says what holds now; raises `OrderRefused`."""
