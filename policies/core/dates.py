"""When a duty applies, and whether it blocks on a given day.

The days are those of Regulation (EU) 2024/1689 as amended by Regulation (EU) 2026/1744.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

HIGH_RISK_ANNEX_I = date(2028, 8, 2)
LEGACY_OF_AUTHORITIES = date(2030, 8, 2)
"""For high-risk systems of public authorities that were placed before their duties applied (Art. 111(2))."""


class Duty(StrEnum):
    """Axis: which of the Act's dates a policy waits for."""

    ALWAYS = "always"
    BANS = "bans"
    GENERAL_PURPOSE = "general_purpose"
    GENERAL = "general"
    INTIMATE_CONTENT = "intimate_content"
    MARKING = "marking"
    HIGH_RISK = "high_risk"


APPLIES: dict[Duty, date] = {
    Duty.ALWAYS: date.min,
    Duty.BANS: date(2025, 2, 2),
    Duty.GENERAL_PURPOSE: date(2025, 8, 2),
    Duty.GENERAL: date(2026, 8, 2),
    Duty.INTIMATE_CONTENT: date(2026, 12, 2),
    Duty.MARKING: date(2026, 8, 2),
    Duty.HIGH_RISK: date(2027, 12, 2),
}
"""Art. 72, 73 and 86 wait for `HIGH_RISK` too: they speak of high-risk systems only, and Art. 6, which says what those
are, applies from that day; the general date of 2026-08-02 finds none."""
MARKING_OF_PLACED = date(2026, 12, 2)
"""Art. 50(2) for systems that were on the market before the general date."""
GENERAL_PURPOSE_OF_PLACED = date(2027, 8, 2)
"""Chapter V for models that were on the market before its date (Art. 111(3))."""
_GRACE = {Duty.MARKING: MARKING_OF_PLACED, Duty.GENERAL_PURPOSE: GENERAL_PURPOSE_OF_PLACED}


class Enforcement(StrEnum):
    """Axis: whether a duty blocks before its day."""

    NOW = "now"
    BY_DATE = "by_date"


@dataclass(frozen=True)
class Calendar:
    """The days a check goes by.

    Attributes:
        today: The day that everything is asked about: freshness of documents, ends of exemptions.
        as_of: The day that duties are asked about; another one where only they are moved.
        enforcement: Whether duties block before their day.
    """

    today: date
    as_of: date
    enforcement: Enforcement = Enforcement.BY_DATE

    @classmethod
    def on(
        cls,
        today: date,
        enforcement: str = Enforcement.BY_DATE,
        as_of: date | None = None,
        duties_on: date | None = None,
    ) -> Calendar:
        """Return the calendar of a check on `today`.

        Args:
            today: The day of the check.
            enforcement: Whether duties block before their day.
            as_of: The day that everything is asked about; one that is past makes nothing younger than it is.
            duties_on: The day that duties alone are asked about; None: `as_of`.
        """
        return cls(max(today, as_of or today), duties_on or as_of or today, Enforcement(enforcement))

    def blocks(self, effective: date) -> bool:
        """Return whether a duty that applies from `effective` blocks a deployment."""
        return self.enforcement is Enforcement.NOW or self.as_of >= effective


def effective(
    duty: Duty, *, annex_i_only: bool = False, placed: date | None = None, of_an_authority: bool = False
) -> date:
    """Return the day a duty applies from.

    Args:
        duty: The duty.
        annex_i_only: The system is high risk as a product under Annex I alone, whose duties come later.
        placed: The day on which the system was placed on the market or put into service.
        of_an_authority: A public authority uses it.
    """
    day = HIGH_RISK_ANNEX_I if duty is Duty.HIGH_RISK and annex_i_only else APPLIES[duty]
    if placed is None or placed >= day:
        return day
    if duty is Duty.HIGH_RISK and of_an_authority:
        return LEGACY_OF_AUTHORITIES
    return _GRACE.get(duty, day)


def said(effective_from: date, calendar: Calendar) -> str:
    """Say when a duty applies and whether it blocks: what stands behind a finding's reason."""
    if effective_from == date.min:
        return ""
    if calendar.as_of >= effective_from:
        return f"applies since {effective_from}"
    if calendar.enforcement is Enforcement.NOW:
        return f"applies {effective_from}; enforced now"
    return f"will block from {effective_from}"
