"""What callers of what goes are told, and by which day."""

from datetime import date

from mlstrata.services.gateway.deprecation import deprecation_headers
from mlstrata.services.gateway.settings import Deprecation, GatewaySystem

NEXT = "/systems/fresh/v2/predict"


def told(api: str = "v1", **changes: object) -> dict[str, str]:
    system = GatewaySystem(name="loans", upstream_port=18082, api_versions=("v1", "v2"), **changes)
    return {one["header"]["key"]: one["header"]["value"] for one in deprecation_headers(system, api)}


def outgoing(sunset: date | None) -> tuple[Deprecation, ...]:
    return (Deprecation(api="v1", since=date(2026, 12, 1), sunset=sunset),)


def test_what_stays_says_nothing():
    assert told() == told("v2", deprecations=outgoing(date(2027, 6, 1))) == {}


def test_a_version_that_goes_names_the_next_of_its_own_system():
    assert told(deprecations=outgoing(date(2027, 6, 1))) == {
        "deprecation": "@1796083200",
        "sunset": "Tue, 01 Jun 2027 00:00:00 GMT",
        "link": '</systems/loans/v2/predict>; rel="successor-version"',
    }


def test_a_system_that_goes_says_so_in_each_version_and_names_what_takes_over():
    for api in ("v1", "v2"):
        assert told(api, sunset=date(2027, 6, 1), successor=NEXT) == {
            "sunset": "Tue, 01 Jun 2027 00:00:00 GMT",
            "link": f'<{NEXT}>; rel="successor-version"',
        }
    assert told(sunset=date(2027, 6, 1)) == {"sunset": "Tue, 01 Jun 2027 00:00:00 GMT"}


def test_the_earlier_end_counts():
    earlier, later = date(2027, 1, 1), date(2027, 6, 1)
    for version, system in ((earlier, later), (later, earlier), (None, earlier)):
        found = told(deprecations=outgoing(version), sunset=system, successor=NEXT)
        assert found["sunset"] == "Fri, 01 Jan 2027 00:00:00 GMT"
        assert found["link"] == f'<{NEXT}>; rel="successor-version"'
