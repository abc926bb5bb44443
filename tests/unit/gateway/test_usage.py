"""What is counted of an access log."""

import json
from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstrata.services.gateway.usage import percentile, read_usage


def line(status=200, *, system="loans", consumer="desk", version="1", took=10, at="2026-11-21T09:00:00.000Z"):
    entry = {"time": at, "system": system, "consumer": consumer, "api": "v1", "version": version}
    return json.dumps(entry | {"status": status, "duration_ms": took}) + "\n"


def test_by_system_consumer_and_version():
    lines = [line(took=value) for value in range(1, 101)]
    lines += [line(version="2"), line(422, version="2"), line(503, version=None), line(0, version=None)]
    lines += [line(401, consumer=None, version=None), line(system=None), "cut off {", "[]", "\n"]
    found = {(one.consumer, one.version): one for one in read_usage(lines)}
    assert set(found) == {("desk", "1"), ("desk", "2"), ("desk", "-"), ("-", "-")}
    first, second = found["desk", "1"], found["desk", "2"]
    assert (first.requests, first.refused, first.errors, first.p50_ms, first.p99_ms) == (100, 0, 0, 50, 99)
    assert (second.requests, second.refused, second.p50_ms) == (2, 1, 10)
    assert (found["desk", "-"].errors, found["desk", "-"].p50_ms) == (2, None)
    assert found["-", "-"].refused == 1


def test_a_refusal_told_as_grpc_is_one():
    lines = [json.dumps(json.loads(line(version=None)) | {"grpc_status": code}) for code in (16, 7, 8, 14)]
    (one,) = read_usage(lines)
    assert (one.requests, one.refused, one.errors, one.p50_ms) == (4, 3, 1, None)


def test_only_what_is_recent():
    lines = [line(at="2026-11-20T09:00:00.000Z"), line()]
    (one,) = read_usage(lines, datetime(2026, 11, 21, tzinfo=UTC))
    assert one.requests == 1


@given(st.lists(st.integers(0, 1000), min_size=1), st.integers(1, 100))
def test_a_percentile_is_the_least_value_that_enough_do_not_exceed(values, share):
    found = percentile(Counter(values), share)
    assert sum(one <= found for one in values) >= len(values) * share / 100
    assert sum(one < found for one in values) < len(values) * share / 100


@pytest.mark.parametrize(
    "broken",
    [
        {"time": "2026-11-22T09:00:00"},
        {"time": "2026-02-31T09:00:00Z"},
        {"duration_ms": 10**400},
        {"duration_ms": float("nan")},
        {"status": "200"},
        {"system": ["loans"]},
    ],
)
def test_no_line_keeps_the_others_from_being_counted(broken):
    lines = [line(), json.dumps(json.loads(line()) | broken), line()]
    found = read_usage(lines, datetime(2026, 11, 20, tzinfo=UTC))
    counted = next(one for one in found if one.system == "loans")
    assert counted.requests >= 2
    assert counted.p99_ms == 10
