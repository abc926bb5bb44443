"""One node for all tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.support.node.node import Node


@pytest.fixture(scope="package")
def node() -> Iterator[Node]:
    made = Node()
    try:
        made.start()
        yield made
    finally:
        made.stop()
