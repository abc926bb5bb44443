"""The bill of materials and the definitions of the operators' own files name the same kinds, at the same version."""

from pathlib import Path

import pytest

from components.upstream.bill import piece
from components.upstream.piece import ordered
from tests.support.cluster import programs
from tests.support.definitions import OURS, definitions

FILE = Path(__file__).parents[2] / "tools/control-plane/definitions.txt"
KWOK = "karpenter-kwok"  # not for users: the class of nodes of Karpenter's own provider for tests
LISTED = [line.split() for line in FILE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
PIECES = [(name, version) for name, _, version, _, _ in LISTED if name != KWOK]


@pytest.mark.parametrize(("name", "version"), PIECES)
def test_the_definitions_are_of_the_version_that_users_get(name: str, version: str):
    assert ordered(piece(name).version) == ordered(version)


@pytest.mark.parametrize(("name", "version"), PIECES)
def test_the_bill_names_each_definition_and_no_other(name: str, version: str):
    there = {found for found, _ in definitions(programs()[f"definitions/{name}-{version}"])}
    assert there == set(piece(name).crds)


@pytest.mark.parametrize("file", sorted(OURS.glob("*.yaml")), ids=lambda path: path.stem)
def test_ours_are_of_kinds_whose_own_cannot_be_had(file: Path):
    """A file has the name of its piece, and kinds of that piece only; there is no module with its definitions."""
    name = {"seldon": "seldon-core"}.get(file.stem, file.stem)
    ours = {found for found, text in definitions(OURS) if text in file.read_text(encoding="utf-8")}
    assert ours
    assert ours <= set(piece(name).crds)
    assert name not in dict(PIECES)
