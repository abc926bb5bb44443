"""Estimates by round prices."""

from pathlib import Path

import pytest
import yaml

from mlstrata.environments.spec.environment import EnvironmentSpec
from mlstrata.operations.cost.estimate import estimate
from mlstrata.operations.cost.prices import read
from tests.support.priced import SPEC, table_of


@pytest.fixture
def spec():
    return EnvironmentSpec.model_validate(yaml.safe_load(SPEC))


@pytest.fixture
def priced(tmp_path: Path, spec):
    """Return what estimates records by the round prices."""

    def run(records, environment=spec, **changes):
        file = tmp_path / "prices.yaml"
        file.write_text(yaml.safe_dump(table_of(**changes)))
        return estimate(records, environment, read(file))

    return run
