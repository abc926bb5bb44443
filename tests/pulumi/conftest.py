"""The real Pulumi CLI for every test of this folder."""

from pathlib import Path

import pytest

from tests.support.pulumi_cli import folder_for_path

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.engine)


@pytest.fixture(scope="session")
def pulumi_bin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder with the CLI and its plugins that goes before PATH."""
    return folder_for_path(tmp_path_factory.mktemp("pulumi") / "bin")
