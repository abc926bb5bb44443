"""What a planned resource is measured by, before any price is looked up."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, auto

from mlstrata.operations.cost.prices import Unit

ONE = Decimal(1)


@dataclass(frozen=True)
class Meter:
    """So many units of a price.

    Attributes:
        price: The price's name.
        unit: Its unit.
        low: The least that is used at once, or a month; None: it is paid by use, which nothing in a plan tells.
        high: The most.
        what: What it is, in words.
    """

    price: str
    unit: Unit
    low: Decimal | None
    high: Decimal
    what: str


class Outcome(Enum):
    """Axis: what a resource has to do with money."""

    METERED = auto()
    FREE = auto()
    INCLUDED = auto()
    UNKNOWN = auto()


@dataclass(frozen=True)
class Measured:
    """What one resource is measured by.

    Attributes:
        outcome: Whether it costs something of its own.
        meters: What it is measured by.
        why: Of what is not known, all of it or something beside its meters: why.
    """

    outcome: Outcome
    meters: tuple[Meter, ...] = ()
    why: str = ""


FREE = Measured(Outcome.FREE)
INCLUDED = Measured(Outcome.INCLUDED)


def metered(*meters: Meter, beside: str = "") -> Measured:
    """Return what is paid by meters, and why something beside them is not known."""
    return Measured(Outcome.METERED, meters, beside)


def unknown(why: str) -> Measured:
    """Return what costs something that no table can tell."""
    return Measured(Outcome.UNKNOWN, why=why)


def fixed(price: str, unit: Unit, what: str, low: Decimal = ONE, high: Decimal | None = None) -> Meter:
    """Return a meter whose amount the plan tells."""
    return Meter(price, unit, low, low if high is None else high, what)


def by_use(price: str, unit: Unit, what: str) -> Meter:
    """Return a meter whose amount only use tells."""
    return Meter(price, unit, None, Decimal(0), what)


def count(low: Decimal | int, high: Decimal | int) -> str:
    """Return how many, as people write it: `3`, or `1 to 4`."""
    return f"{low}" if low == high else f"{low} to {high}"
