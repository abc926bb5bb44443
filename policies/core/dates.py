"""When a duty applies, and whether it blocks on a given day.

The days are those of Regulation (EU) 2024/1689 as amended by Regulation (EU) 2026/1744.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

HIGH_RISK_ANNEX_I = date(2028, 8, 2)


class Duty(StrEnum):
    """Axis: which of the Act's dates a policy waits for."""

    ALWAYS = "always"
    BANS = "bans"
    GENERAL_PURPOSE = "general_purpose"
    GENERAL = "general"
    INTIMATE_CONTENT = "intimate_content"
    HIGH_RISK = "high_risk"


APPLIES: dict[Duty, date] = {
    Duty.ALWAYS: date.min,
    Duty.BANS: date(2025, 2, 2),
    Duty.GENERAL_PURPOSE: date(2025, 8, 2),
    Duty.GENERAL: date(2026, 8, 2),
    Duty.INTIMATE_CONTENT: date(2026, 12, 2),
    Duty.HIGH_RISK: date(2027, 12, 2),
}


class Enforcement(StrEnum):
    """Axis: whether a duty blocks before its day."""

    NOW = "now"
    BY_DATE = "by_date"


@dataclass(frozen=True)
class Calendar:
    """The days a check goes by.

    Attributes:
        today: The day of the check: freshness goes by it.
        as_of: The day that duties, and the exemptions from them, are asked about; moves nothing else.
        enforcement: Whether duties block before their day.
    """

    today: date
    as_of: date
    enforcement: Enforcement = Enforcement.BY_DATE

    @classmethod
    def on(cls, today: date, enforcement: str = Enforcement.BY_DATE, as_of: date | None = None) -> Calendar:
        """Return the calendar of a check on `today`, about `as_of` where it is given."""
        return cls(today, as_of or today, Enforcement(enforcement))

    @property
    def last(self) -> date:
        """Return the later of both days: what ends before it lets nothing pass on the day that is asked about."""
        return max(self.today, self.as_of)

    def blocks(self, effective: date) -> bool:
        """Return whether a duty that applies from `effective` blocks a deployment."""
        return self.enforcement is Enforcement.NOW or self.as_of >= effective


def effective(duty: Duty, *, annex_i_only: bool = False) -> date:
    """Return the day a duty applies from.

    Args:
        duty: The duty.
        annex_i_only: The system is high risk as a product under Annex I alone, whose duties come later.
    """
    if duty is Duty.HIGH_RISK and annex_i_only:
        return HIGH_RISK_ANNEX_I
    return APPLIES[duty]


def said(effective_from: date, calendar: Calendar) -> str:
    """Say when a duty applies and whether it blocks: what stands behind a finding's reason."""
    if effective_from == date.min:
        return ""
    if calendar.as_of >= effective_from:
        return f"applies since {effective_from}"
    if calendar.enforcement is Enforcement.NOW:
        return f"applies {effective_from}; enforced now"
    return f"will block from {effective_from}"
