"""A query as a dataset's source: with the database that it asks, and with nothing that could be a password."""

import pytest
from pydantic import ValidationError

from mlstrata.environments.spec.data import DatasetSpec

QUERY, ADDRESS = "queries/loans.sql", "postgres://reader@db.example.com:6432/lending"


def dataset(**given):
    return DatasetSpec.model_validate({"name": "loans", **given})


@pytest.mark.parametrize("address", [ADDRESS, "postgres://127.0.0.1/a", "postgres://[::1]:5432/a"])
def test_a_query_is_asked_at_its_database(address):
    found = dataset(source=QUERY, database={"address": address})
    assert (found.location.scheme, found.endpoint) == ("file", address)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"source": QUERY}, "database: is not given"),
        ({"source": "data/a.csv", "database": {"address": ADDRESS}}, "no query"),
        ({"database": {"address": ADDRESS}}, "the source is none, no query"),
        ({"source": "s3://bucket/a.sql", "database": {"address": ADDRESS}}, "no query"),
    ],
)
def test_one_without_the_other_is_refused(given, said):
    with pytest.raises(ValidationError, match=said):
        dataset(**given)


@pytest.mark.parametrize(
    "address", ["postgres://reader:secret@db/a", "postgres://db", "mysql://db/a", "postgres://db/a?sslmode=disable"]
)
def test_an_address_holds_no_password_and_weakens_nothing(address):
    with pytest.raises(ValidationError):
        dataset(source=QUERY, database={"address": address})
