"""The table of prices: what a unit of something costs, where, read on which day in which source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import Field

from mlstrata.closed import Closed
from mlstrata.environments.loading.translate import Finding
from mlstrata.environments.spec.base import choice
from mlstrata.environments.spec.teams import Accelerator
from mlstrata.operations.errors import UsageError
from mlstrata.policies.core.files import PolicyErrors, PolicyFile, relative

SHIPPED = Path(__file__).with_name("prices.yaml")
OWN = "prices.yaml"
"""A workspace's own table, at its root; it replaces the shipped one."""
ANYWHERE = "any"
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._/-]{0,99}$")]


class Unit(StrEnum):
    """Axis: what one price is for."""

    HOUR = "hour"
    CPU_HOUR = "CPU-hour"
    GIB_HOUR = "GiB-hour"
    GPU_HOUR = "GPU-hour"
    MONTH = "month"
    GIB_MONTH = "GiB-month"
    GB = "GB"
    MILLION = "million"

    @property
    def hourly(self) -> bool:
        """Return whether what runs all month pays it for each of the month's hours."""
        return self.value.endswith("hour")


class Source(Closed):
    """Where prices were read."""

    what: str = Field(min_length=1, description="What it is, and which state of it.")
    address: str = Field(min_length=1, description="Where it is, such as https://github.com/opencost/opencost.")


class Price(Closed):
    """What one unit of something costs in one region."""

    name: Name = Field(description="What it is of, such as ec2/g6.xlarge; docs/cost.md lists the names.")
    amount: Annotated[Decimal, Field(ge=0, max_digits=15)] = Field(description="What one unit costs, in the currency.")
    unit: Unit = Field(description="The unit.")
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")] = Field(
        description="Region that it holds in; any: it holds everywhere."
    )
    also: tuple[Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")], ...] = Field(
        default=(), description="Regions that it stands for, whose own price no source has; an estimate tells it."
    )
    day: date = Field(description="Day on which it was read in its source.")
    source: Name = Field(description="Its source, by name.")
    accelerator: Accelerator | None = Field(default=None, description="Of a machine: the GPUs that it has; none: none.")
    gpus: Annotated[int, Field(ge=1, le=16)] = Field(default=1, description="Of a machine with GPUs: how many.")


class Assumption(Closed):
    """How much is used in a month of what is paid by use; without it that is listed as not priced."""

    name: Name = Field(description="The price that it is of.")
    quantity: Annotated[Decimal, Field(ge=0, max_digits=15)] = Field(
        description="Units in a month, hours too, of each resource that pays it."
    )
    why: str = Field(min_length=1, description="Why so much: measured when, or estimated from what.")


class _File(Closed):
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = Field(description="Currency of all prices, as ISO 4217.")
    hours_a_month: Annotated[Decimal, Field(gt=0, le=744)] = Field(
        default=Decimal(730), description="Hours that a month is reckoned with; 730, a year's by twelve."
    )
    sources: dict[Name, Source] = Field(min_length=1, description="Sources by name.")
    prices: tuple[Price, ...] = Field(description="The prices.")
    assumed: tuple[Assumption, ...] = Field(default=(), description="What is assumed of use; none: it is not priced.")


class PriceTable(_File):
    """All prices of a file."""

    file: str = Field(description="The file, as people know it.")

    @cached_property
    def _by_name(self) -> dict[tuple[str, str], Price]:
        standing = {(one.name, region): one for one in self.prices for region in one.also}
        return standing | {(one.name, one.region): one for one in self.prices}

    @cached_property
    def used(self) -> dict[str, Assumption]:
        """What is assumed of use, by price."""
        return {one.name: one for one in self.assumed}

    @property
    def days(self) -> tuple[date, date]:
        """Return the first and the last day on which a price was read."""
        days = sorted(one.day for one in self.prices)
        return days[0], days[-1]

    def price(self, name: str, region: str, unit: Unit) -> Price | None:
        """Return a price; None where there is none in the region.

        Raises:
            UsageError: it is of another unit than what is measured: a sum would be wrong, by 730 at worst.
        """
        found = self._by_name.get((name, region)) or self._by_name.get((name, ANYWHERE))
        if found is not None and found.unit is not unit:
            raise UsageError(f"{self.file}: {name}: got a price for a {found.unit}; allowed {unit}, as it is measured")
        return found

    def machines(self, accelerator: Accelerator, gpus: int, region: str) -> list[Price]:
        """Return the machines with so many GPUs of a kind in a region, the cheapest first."""
        here = (
            one
            for one in self.prices
            if {region, ANYWHERE} & {one.region, *one.also} and not one.name.endswith("/spot")
        )
        fitting = [one for one in here if one.accelerator is accelerator and one.gpus == gpus]
        return sorted(fitting, key=lambda one: (one.amount, one.name))

    def month(self, price: Price, quantity: Decimal) -> Decimal:
        """Return what so many units of a price cost a month."""
        return price.amount * quantity * (self.hours_a_month if price.unit.hourly else 1)


def read(path: Path) -> PriceTable:
    """Read a table of prices.

    Raises:
        UsageError: there is no such file, or something in it is malformed; every mistake is named, with its line.
    """
    try:
        found = PolicyFile.read(path, nothing="currency: EUR")
        if found is None:
            raise UsageError(
                f"{relative(path)}: there is no such file; name a table of prices as docs/cost.md shows it"
            )
        found.require(found.unlike(_File))
        held = _File.model_validate(found.data)
        found.require(_odd(held))
    except PolicyErrors as error:
        raise UsageError(str(error)) from None
    return PriceTable(**dict(held), file="the shipped table" if path == SHIPPED else relative(path))


def _odd(held: _File) -> Iterator[Finding]:
    """Yield where parts of a table that are well-formed do not fit together."""
    if not held.prices:
        yield Finding(("prices",), "got none", fix="add prices, each with amount, unit, region, day and source")
    twice = Counter((one.name, one.region) for one in held.prices)
    for at, one in enumerate(held.prices):
        if twice[one.name, one.region] > 1:
            yield Finding(
                ("prices", at, "name"), f"got {one.name} in {one.region} more than once", fix="keep one of them"
            )
        if one.source not in held.sources:
            yield Finding(("prices", at, "source"), f"got {one.source}", one.source, choice(one.source, held.sources))
    names = {one.name for one in held.prices}
    given = Counter(one.name for one in held.assumed)
    for at, assumed in enumerate(held.assumed):
        path = ("assumed", at, "name")
        if assumed.name not in names:
            yield Finding(path, f"got {assumed.name}, of which there is no price", fix="add the price, or remove it")
        if given[assumed.name] > 1:
            yield Finding(path, f"got {assumed.name} more than once", fix="keep one of them")
