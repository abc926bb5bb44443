"""What a person orders is refused in words where it cannot be carried out, whatever is wrong."""

import shutil
from pathlib import Path

import pytest

from mlstrata.environments.workspace import VARIABLE
from mlstrata.operations.learning.orders import carry_out
from mlstrata.services.retraining.orders import Order, Ordered, OrderRefused

ROOT = Path(__file__).parents[3]


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    (tmp_path / "environments").mkdir()
    for file in ("Pulumi.yaml", "environments/local.yaml"):
        shutil.copy(ROOT / file, tmp_path / file)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("order", Order)
def test_an_order_is_refused_with_what_is_wrong(workspace, order):
    ordered = Ordered(order=order, reason="it harms people", who="ada")
    with pytest.raises(OrderRefused, match="local is not up"):
        carry_out("local", "mortgage-approval", ordered)
    with pytest.raises(OrderRefused, match="no system 'nobody'"):
        carry_out("local", "nobody", ordered)
    (workspace / "environments/local.yaml").write_text("stage: foo")
    with pytest.raises(OrderRefused, match="stage: got 'foo'"):
        carry_out("local", "mortgage-approval", ordered)
