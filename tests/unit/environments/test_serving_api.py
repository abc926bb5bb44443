"""Quotas of consumers, and versions of an API on their way out."""

from datetime import date

import pytest
from pydantic import ValidationError

from mlstrata.environments.spec.serving import ServingSpec

TWO = {"api_versions": ["v1", "v2"]}


def test_a_quota_stands_beside_the_rate():
    (desk,) = ServingSpec.model_validate(
        {"consumers": [{"name": "desk", "rate": "50/s", "quota": "100000/d"}]}
    ).consumers
    assert (desk.quota.count, desk.quota.per_seconds) == (100_000, 86_400)
    assert ServingSpec.model_validate({"consumers": [{"name": "desk", "rate": "50/s"}]}).consumers[0].quota is None


def test_an_outgoing_version_has_its_days():
    given = {**TWO, "deprecations": [{"api": "v1", "since": "2026-10-01", "sunset": "2027-04-01"}]}
    (one,) = ServingSpec.model_validate(given).deprecations
    assert (one.api, one.since, one.sunset) == ("v1", date(2026, 10, 1), date(2027, 4, 1))


@pytest.mark.parametrize(
    ("deprecations", "said"),
    [
        ([{"api": "v3", "since": "2026-10-01"}], "not served"),
        ([{"api": "v1", "since": "2026-10-01"}] * 2, "twice"),
        ([{"api": "v1", "since": "2026-10-01", "sunset": "2026-09-01"}], "before since"),
        ([{"api": "v1"}], "since"),
    ],
)
def test_what_makes_no_sense_is_refused(deprecations, said):
    with pytest.raises(ValidationError, match=said):
        ServingSpec.model_validate({**TWO, "deprecations": deprecations})
