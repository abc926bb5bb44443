"""Which day it is where an environment is: what duties, exemptions, documents and retention are judged by."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, date, datetime

ZONE = "Europe/Berlin"
"""Where nobody says a zone: the time of most of the Union, whose Act's days these are."""


def now() -> datetime:
    """Return the moment it is; the only clock that days are read from."""
    return datetime.now(tz=UTC)


def today(zone: str = ZONE) -> date:
    """Return the day it is now in a time zone of the IANA database."""
    return day_of(now(), zone)


def day_of(moment: datetime, zone: str = ZONE) -> date:
    """Return the day of a moment, which says its own zone, in a time zone of the IANA database."""
    return moment.astimezone(zoneinfo.ZoneInfo(zone)).date()
