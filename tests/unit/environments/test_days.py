"""A day begins at midnight where the environment is, summer time or not."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstrata.environments import EnvironmentSpec, SpecErrors, load
from mlstrata.environments.days import ZONE, day_of

SHIPPED = Path(__file__).parents[3] / "environments/local.yaml"
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("moment", "zone", "day"),
    [
        ("2027-12-01T22:59:59+00:00", "Europe/Berlin", date(2027, 12, 1)),
        ("2027-12-01T23:00:00+00:00", "Europe/Berlin", date(2027, 12, 2)),
        ("2027-12-01T22:00:00+00:00", "Europe/Helsinki", date(2027, 12, 2)),
        ("2028-08-01T22:00:00+00:00", "Europe/Berlin", date(2028, 8, 2)),  # summer: two hours before UTC
        ("2028-08-01T21:59:59+00:00", "Europe/Berlin", date(2028, 8, 1)),
        ("2027-12-02T00:00:00+00:00", "UTC", date(2027, 12, 2)),
        ("2027-12-02T02:00:00+00:00", "Atlantic/Azores", date(2027, 12, 2)),
        ("2027-12-02T04:59:00+00:00", "America/New_York", date(2027, 12, 1)),
        ("2027-12-01T12:00:00+00:00", "Pacific/Auckland", date(2027, 12, 2)),
        ("2027-12-01T18:00:00-05:00", "Europe/Berlin", date(2027, 12, 2)),  # a moment says its own zone
        ("2027-03-28T01:00:00+00:00", "Europe/Berlin", date(2027, 3, 28)),  # the hour that is not
        ("2027-10-31T00:30:00+00:00", "Europe/Berlin", date(2027, 10, 31)),  # the hour that is twice
        ("2027-10-31T01:30:00+00:00", "Europe/Berlin", date(2027, 10, 31)),
    ],
)
def test_a_moment_is_of_the_day_that_the_zone_has(moment, zone, day):
    assert day_of(datetime.fromisoformat(moment), zone) == day


@given(st.dates(date(2024, 1, 2), date(2035, 1, 1)), st.sampled_from(["UTC", ZONE, "Europe/Helsinki", "Europe/Lisbon"]))
def test_a_day_begins_at_its_own_midnight(day, zone):
    """Through every change to summer time and back: none of these zones changes at midnight."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    assert day_of(midnight, zone) == day
    assert day_of(midnight - SECOND, zone) == day - timedelta(days=1)


def test_the_zone_is_the_unions_where_nobody_says_one():
    assert load(SHIPPED).timezone == ZONE
    assert ZONE in available_timezones()


@pytest.mark.parametrize(
    ("given", "meant"),
    [("Europe/Berln", "did you mean 'Europe/Berlin'?"), ("CET+1", ""), ("Europe", ""), ("../../etc/hosts", "")],
)
def test_a_zone_that_is_none_is_refused_with_the_nearest(tmp_path, given, meant):
    text = SHIPPED.read_text(encoding="utf-8").replace("stage: ", f"timezone: {given}\nstage: ", 1)
    (tmp_path / "local.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SpecErrors) as refused:
        load(tmp_path / "local.yaml")
    assert f"timezone: got '{given}'; allowed UTC, or a zone of the IANA database such as Europe/Berlin" in str(
        refused.value
    )
    assert meant in str(refused.value)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Brussels", "America/Argentina/Buenos_Aires", "Etc/GMT+1"])
def test_a_zone_is_taken_by_its_name(zone):
    values = load(SHIPPED).model_dump(mode="json", by_alias=True)
    assert EnvironmentSpec.model_validate({**values, "timezone": zone}).timezone == zone
