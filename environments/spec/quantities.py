"""Quantities written as people write them: `400d`, `150ms`, `50/s`, `512Mi`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema

from mlstrata.environments.redaction import shown
from mlstrata.environments.spec.base import wrong
from mlstrata.environments.spec.text import Number, Whole

_MILLISECONDS = {
    "ms": 1,
    "s": 1000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 7 * 86_400_000,
    # A year of retention is 366 days, so that what is kept for ten years outlasts ten of the calendar's (3653 days).
    "y": 366 * 86_400_000,
}
_LONGEST = timedelta(days=366 * 100)
_DURATION = re.compile(r"([0-9]{1,15}) ?(ms|s|m|h|d|w|y)")
_DURATION_ALLOWED = "a whole number with a unit: ms, s, m, h, d, w or y, such as 150ms or 400d, above 0 up to 100y"
_WORDS = re.compile(r"([0-9]{1,9})\s*(millisecond|second|sec|minute|min|hour|day|week|month|year)s?", re.IGNORECASE)
_UNIT_OF_WORD = {
    "millisecond": "ms",
    "second": "s",
    "sec": "s",
    "minute": "m",
    "min": "m",
    "hour": "h",
    "day": "d",
    "week": "w",
    "year": "y",
}


def parse_duration(value: object) -> timedelta:
    """Read a duration.

    Args:
        value: text such as `400d`, or a timedelta.

    Returns:
        the duration, above zero, up to 100 years, in whole milliseconds.

    Raises:
        PydanticCustomError: it is not one; the error proposes what may have been meant.
    """
    if isinstance(value, timedelta):
        if timedelta(0) < value <= _LONGEST and not value.microseconds % 1000:
            return value
        raise wrong(_DURATION_ALLOWED)
    if isinstance(value, int) and not isinstance(value, bool):
        raise wrong(_DURATION_ALLOWED, f"add the unit, such as {abs(value) or 1}d")
    if not isinstance(value, str):
        raise wrong(_DURATION_ALLOWED)
    if match := _DURATION.fullmatch(value):
        milliseconds = int(match[1]) * _MILLISECONDS[match[2]]
        if 0 < milliseconds <= _LONGEST / timedelta(milliseconds=1):
            return timedelta(milliseconds=milliseconds)
        raise wrong(_DURATION_ALLOWED)
    raise wrong(_DURATION_ALLOWED, _propose_duration(value))


def _propose_duration(value: str) -> str:
    match = _WORDS.fullmatch(value.strip())
    if not match:
        return f"add the unit, such as {value.strip()}d" if re.fullmatch(r"\s*[0-9]{1,9}\s*", value) else ""
    word = match[2].lower()
    if word == "month":
        return f"months differ in length; count days, such as {int(match[1]) * 31}d"
    return f"did you mean '{match[1]}{_UNIT_OF_WORD[word]}'?"


def format_duration(value: timedelta) -> str:
    """Write a duration with the largest unit that leaves it whole: `400d`, `10y`, `150ms`."""
    milliseconds = value // timedelta(milliseconds=1)
    for unit in ("y", "d", "h", "m", "s"):
        if milliseconds % _MILLISECONDS[unit] == 0:
            return f"{milliseconds // _MILLISECONDS[unit]}{unit}"
    return f"{milliseconds}ms"


Duration = Annotated[
    timedelta,
    PlainValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]{1,15} ?(ms|s|m|h|d|w|y)$", "examples": ["400d", "150ms"]}),
]

_PERIODS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_RATE = re.compile(r"([0-9]{1,9}) ?/ ?(s|m|h|d)")
_RATE_ALLOWED = "requests over a period of s, m, h or d, such as 50/s, from 1 to 1000000"
_MOST_REQUESTS = 1_000_000


@dataclass(frozen=True)
class Rate:
    """So many requests in a period.

    Attributes:
        count: requests, from 1.
        per_seconds: the period in seconds: 1, 60, 3600 or 86400.
    """

    count: int
    per_seconds: int

    def __str__(self) -> str:
        unit = next((name for name, seconds in _PERIODS.items() if seconds == self.per_seconds), None)
        return f"{self.count}/{unit or f'{self.per_seconds}s'}"


def parse_rate(value: object) -> Rate:
    """Read a rate such as `50/s`.

    Raises:
        PydanticCustomError: it is not one.
    """
    if isinstance(value, Rate):
        value = str(value)
    if isinstance(value, int) and not isinstance(value, bool):
        raise wrong(_RATE_ALLOWED, f"add the period, such as {abs(value) or 1}/s")
    if not isinstance(value, str):
        raise wrong(_RATE_ALLOWED)
    match = _RATE.fullmatch(value)
    if not match:
        number = re.match(r"[0-9]{1,7}", value.strip())
        raise wrong(_RATE_ALLOWED, f"did you mean '{number[0]}/s'?" if number and int(number[0]) else "")
    if not 1 <= int(match[1]) <= _MOST_REQUESTS:
        raise wrong(_RATE_ALLOWED)
    return Rate(int(match[1]), _PERIODS[match[2]])


RequestRate = Annotated[
    Rate,
    PlainValidator(parse_rate),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]{1,9} ?/ ?(s|m|h|d)$", "examples": ["50/s"]}),
]


def parse_day(value: object) -> date:
    """Read a day written `2027-06-01`.

    Raises:
        PydanticCustomError: it is not one.
    """
    if type(value) is date:
        return value
    allowed = "a day written YYYY-MM-DD, such as 2027-06-01"
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise wrong(allowed, "there is no such day in the calendar") from None
    raise wrong(allowed)


Day = Annotated[
    date,
    PlainValidator(parse_day),
    PlainSerializer(date.isoformat, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date"}),
]

_MEMORY = re.compile(r"[1-9][0-9]{0,6}(?:Mi|Gi|Ti)")


def parse_memory(value: object) -> str:
    """Check an amount of memory in Kubernetes' notation, such as `512Mi`.

    Raises:
        PydanticCustomError: it is not one.
    """
    if isinstance(value, str) and _MEMORY.fullmatch(value):
        return value
    allowed = "a whole number of Mi, Gi or Ti, such as 512Mi"
    number = re.match(r"[1-9][0-9]{0,6}", str(value))
    unit = re.search(r"([MGTmgt])(?:[iI])?[bB]?$", str(value))
    raise wrong(allowed, f"did you mean '{number[0]}{unit[1].upper()}i'?" if number and unit else "")


_MEBIBYTES = {"Mi": 1, "Gi": 1024, "Ti": 1024**2}


def mebibytes(memory: str) -> int:
    """Return an amount of memory such as `2Gi` in MiB."""
    return int(memory[:-2]) * _MEBIBYTES[memory[-2:]]


def memory_of(mebibytes: int) -> str:
    """Return MiB as Kubernetes writes them: `512Mi`, `2Gi`."""
    return f"{mebibytes}Mi" if mebibytes % 1024 else f"{mebibytes // 1024}Gi"


Memory = Annotated[
    str, PlainValidator(parse_memory), WithJsonSchema({"type": "string", "pattern": r"^[1-9][0-9]{0,6}(Mi|Gi|Ti)$"})
]

_CRON_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_CRON_PART = re.compile(r"(?:\*|([0-9]{1,2})(?:-([0-9]{1,2}))?)(?:/([0-9]{1,2}))?")


_SUNDAY = 7
_LONGEST_MONTHS = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}


def parse_cron(value: object) -> str:
    """Check a schedule: five fields (minute, hour, day, month, weekday; UTC) of numbers, ranges, lists and steps.

    Raises:
        PydanticCustomError: it is not one, or names days that no year has, such as 31 February.
    """
    allowed = "five cron fields in UTC (minute hour day month weekday, numbers), such as '0 3 * * 1'"
    if not isinstance(value, str):
        raise wrong(allowed)
    fields = value.split()
    if len(fields) != len(_CRON_RANGES):
        raise wrong(allowed, f"{len(fields)} fields are given")
    for field, (lowest, highest) in zip(fields, _CRON_RANGES, strict=True):
        for part in field.split(","):
            match = _CRON_PART.fullmatch(part)
            bounds = [int(n) for n in match.groups()[:2] if n is not None] if match else []
            if not match or any(not lowest <= n <= highest for n in bounds) or bounds != sorted(bounds):
                raise wrong(allowed, f"{shown(part)} is not a number, range or step from {lowest} to {highest}")
            if match[3] is not None and int(match[3]) == 0:
                raise wrong(allowed, f"{shown(part)} steps by nothing")
    *_, days, months, weekdays = fields
    # With weekdays given, cron also means each of those; "*" leaves the days to the other two fields.
    by_days = "*" in weekdays or {day % _SUNDAY for day in _numbers(weekdays, 4)} == set(range(_SUNDAY))
    longest = max(_LONGEST_MONTHS.get(month, 31) for month in _numbers(months, 3))
    if by_days and min(_numbers(days, 2)) > longest:
        raise wrong(allowed, "no year has such a day in these months")
    return " ".join(fields)


def cron_for_kubernetes(schedule: str) -> str:
    """Return a schedule as Kubernetes and Kubeflow read it: to them Sunday is 0 only, and no range ends on it."""
    *rest, weekdays = schedule.split()
    if _SUNDAY in (days := _numbers(weekdays, 4)) and "*" not in weekdays:
        weekdays = ",".join(map(str, sorted({day % _SUNDAY for day in days})))
    return " ".join((*rest, weekdays))


def _numbers(field: str, place: int) -> set[int]:
    """Return the numbers that a well-formed field of a schedule stands for."""
    found: set[int] = set()
    for part in field.split(","):
        match = _CRON_PART.fullmatch(part)
        first, last, step = (int(one) if one else None for one in match.groups()) if match else (None, None, None)
        lowest, highest = _CRON_RANGES[place]
        # A number alone is itself; with a step it begins a range.
        end = last if last is not None else first if first is not None and step is None else highest
        found |= set(range(lowest if first is None else first, end + 1, step or 1))
    return found


Cron = Annotated[str, PlainValidator(parse_cron), WithJsonSchema({"type": "string", "examples": ["0 3 * * 1"]})]

Share = Annotated[Number, Field(ge=0, le=1)]
"""A share from 0 to 1."""

Percent = Annotated[Number, Field(gt=0, le=100)]
"""A percentage, above 0 up to 100."""

Count = Annotated[Whole, Field(ge=0, le=10_000)]
