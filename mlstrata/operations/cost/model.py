"""An estimate: lines with an owner each, their sums, and what has no price."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

CENT = Decimal("0.01")
NOTHING = Decimal(0)


@dataclass(frozen=True, order=True)
class Range:
    """An amount a month, from what always runs to all that may.

    Attributes:
        low: The least.
        high: The most; equal to `low` where nothing varies.
    """

    low: Decimal = NOTHING
    high: Decimal = NOTHING

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.high + other.high)

    def __sub__(self, other: Range) -> Range:
        return Range(self.low - other.low, self.high - other.high)

    def rounded(self) -> Range:
        """Return it in whole cents: lines are rounded, so that every sum of them is the sum of what is shown."""
        return Range(self.low.quantize(CENT, ROUND_HALF_UP), self.high.quantize(CENT, ROUND_HALF_UP))


@dataclass(frozen=True, order=True)
class Owner:
    """Whose a cost is.

    Attributes:
        component: What it is of the platform, such as registry or gpu.
        system: The AI system; empty for what none has to itself.
        team: The team; empty for the platform's own.
        cost_centre: The account that it is booked to.
    """

    component: str
    system: str = ""
    team: str = ""
    cost_centre: str = ""


@dataclass(frozen=True, order=True)
class Line:
    """What one resource costs one owner.

    Attributes:
        resource: Its logical name.
        type: Its type.
        what: What is paid, in words.
        owner: Whose it is.
        month: The amount a month.
    """

    resource: str
    type: str
    what: str
    owner: Owner
    month: Range


@dataclass(frozen=True, order=True)
class NotPriced:
    """Something that costs money, how much is not known.

    Attributes:
        resource: Its logical name.
        type: Its type.
        why: What is missing, and what would tell.
    """

    resource: str
    type: str
    why: str


@dataclass(frozen=True)
class Estimate:
    """What an environment would cost a month.

    Attributes:
        environment: Its name.
        region: Its region; empty where none is declared.
        currency: Currency of all amounts.
        prices: The table that they come from, and the days on which its figures were read.
        lines: What costs, by resource and owner.
        not_priced: What has no price.
        free: How many resources cost nothing of their own.
        included: How many resources are in what another one pays: pods on machines of the plan.
        assumed: What is assumed of use, in words.
        budget: What may be spent a month, by a budget of the plan in the same currency; None: there is none.
    """

    environment: str
    region: str
    currency: str
    prices: str
    lines: Sequence[Line] = ()
    not_priced: Sequence[NotPriced] = ()
    free: int = 0
    included: int = 0
    assumed: Sequence[str] = ()
    budget: Decimal | None = None

    @property
    def beyond_budget(self) -> str:
        """Return how the estimate stands to the budget; empty: there is none."""
        if self.budget is None:
            return ""
        said = f"the budget of {self.budget:,.2f}"
        low, high = self.total.low - self.budget, self.total.high - self.budget
        if low > 0:
            return f"{said} is exceeded by what always runs alone, by {low:,.2f}"
        return f"{said} is exceeded by {high:,.2f} when all runs that may" if high > 0 else f"{said} holds"

    @property
    def total(self) -> Range:
        """Return the sum of all lines."""
        return sum((line.month for line in self.lines), Range())

    def by(self, key: Callable[[Owner], str]) -> dict[str, Range]:
        """Return the sums by a property of the owner, the dearest first."""
        return summed(self.lines, key)


def summed(lines: Iterable[Line], key: Callable[[Owner], str]) -> dict[str, Range]:
    """Return the sums of lines by a property of their owner, the dearest first."""
    found: dict[str, Range] = {}
    for line in lines:
        name = key(line.owner)
        found[name] = found.get(name, Range()) + line.month
    return dict(sorted(found.items(), key=lambda item: (-item[1].high, -item[1].low, item[0])))


def by_reason(found: Iterable[NotPriced]) -> dict[str, list[str]]:
    """Return what has no price by why, as kind and name."""
    reasons: dict[str, list[str]] = {}
    for one in found:
        kind = one.type.replace("/", ":").rpartition(":")[2]
        reasons.setdefault(one.why, []).append(f"{kind} {one.resource}")
    return reasons


def split(amount: Decimal, weights: Mapping[Owner, Decimal]) -> dict[Owner, Decimal]:
    """Divide an amount of whole cents by weights; the parts are whole cents and add up to it.

    Args:
        amount: The amount, at least 0.
        weights: Owner to weight, none below 0 and one above it.

    Returns:
        Owner to part. The cents that are left go to the largest remainders.
    """
    total = sum(map(Fraction, weights.values()))
    cents = int(amount / CENT)
    exact = {owner: cents * Fraction(weight) / total for owner, weight in weights.items()}
    parts = {owner: int(share) for owner, share in exact.items()}
    left = cents - sum(parts.values())
    for owner in sorted(exact, key=lambda one: (parts[one] - exact[one], one))[:left]:
        parts[owner] += 1
    return {owner: part * CENT for owner, part in parts.items()}
