"""The table of prices: the shipped one is whole, and a bad one is refused with every mistake in it."""

from decimal import Decimal

import pytest
import yaml

from mlstrata.environments import days
from mlstrata.operations.cost.prices import SHIPPED, read
from mlstrata.operations.errors import UsageError
from tests.support.priced import table_of


def test_every_shipped_figure_is_dated_and_sourced():
    table = read(SHIPPED)
    assert table.currency == "USD"
    assert all(one.day <= days.today() and one.amount > 0 for one in table.prices)
    assert {one.source for one in table.prices} == set(table.sources)
    assert not table.used  # what is used, nobody can know for others


def test_amounts_are_exact(tmp_path):
    (tmp_path / "prices.yaml").write_text(yaml.safe_dump(table_of()))
    by_name = {one.name: one.amount for one in read(tmp_path / "prices.yaml").prices}
    assert by_name["unit/memory"] == Decimal("0.002")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"currency": "dollars"}, "currency: got 'dollars'"),
        ({"prices": []}, "prices: got none"),
        ({"prices": [{"name": "a/b"}]}, "prices[0].amount: "),
        ({"prices": [table_of()["prices"][0] | {"amount": -1}]}, "prices[0].amount: got -1"),
        (
            {"prices": [table_of()["prices"][0] | {"unit": "fortnight"}]},
            "allowed hour, CPU-hour, GiB-hour",
        ),
        ({"prices": [table_of()["prices"][0] | {"source": "tests"}]}, "did you mean 'test'?"),
        ({"prices": [table_of()["prices"][0]] * 2}, "got unit/cpu in any more than once"),
        ({"assumed": [{"name": "nat/nothing", "quantity": 1, "why": "x"}]}, "of which there is no price"),
        ({"asumed": []}, "did you mean 'assumed'?"),
    ],
)
def test_a_bad_table_is_one_clear_error(tmp_path, changes, said):
    file = tmp_path / "prices.yaml"
    file.write_text(yaml.safe_dump(table_of(**changes)))
    with pytest.raises(UsageError) as refused:
        read(file)
    assert said in str(refused.value)
    assert str(refused.value).startswith(f"{file}:")


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "there is no such file"), ("", "the file is empty"), ("a: [", "prices.yaml:2: not valid YAML")],
)
def test_no_table_at_all_is_one_clear_error(tmp_path, text, said):
    file = tmp_path / "prices.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UsageError, match=said):
        read(file)
