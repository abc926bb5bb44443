"""The bill of materials and the definitions of the operators' own files name the same kinds, at the same version."""

import re
from pathlib import Path

import pytest

from mlstrata.components.upstream.bill import piece
from mlstrata.components.upstream.package import ordered
from tests.support.definitions import OURS, definitions
from tests.support.go_tools import programs

FILE = Path(__file__).parents[2] / "tools/control-plane/definitions.txt"
KWOK = "karpenter-kwok"  # not for users: the class of nodes of Karpenter's own provider for tests
LISTED = [line.split() for line in FILE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
PIECES = [(name, version) for name, _, version, _, _ in LISTED if name != KWOK]
BUNDLED = {"envoy-gateway": "gateway-api"}
"""Its module brings another project's along, those that it was built for."""


@pytest.mark.parametrize(("name", "version"), PIECES)
def test_the_definitions_are_of_the_version_that_users_get(name: str, version: str):
    assert ordered(piece(name).version) == ordered(version)


@pytest.mark.parametrize(("name", "version"), PIECES)
def test_the_bill_names_each_definition_and_no_other(name: str, version: str):
    there = {found for found, _ in definitions(programs("control-plane")[f"definitions/{name}-{version}"])}
    named = [name, *([BUNDLED[name]] if name in BUNDLED else [])]
    assert there == {one for each in named for one in piece(each).crds}


def test_the_gateway_api_is_of_the_version_that_envoy_gateway_was_built_for():
    name, version = next(one for one in PIECES if one[0] == "envoy-gateway")
    found = dict(definitions(programs("control-plane")[f"definitions/{name}-{version}"]))
    for one in piece("gateway-api").crds:
        said = re.findall(r"gateway\.networking\.k8s\.io/(bundle-version|channel): (\S+)", found[one])
        assert dict(said) == {"bundle-version": piece("gateway-api").version, "channel": "experimental"}, one


@pytest.mark.parametrize("file", sorted(OURS.glob("*.yaml")), ids=lambda path: path.stem)
def test_ours_are_of_kinds_whose_own_cannot_be_had(file: Path):
    """A file has the name of its piece, and kinds of that piece only; there is no module with its definitions."""
    name = {"seldon": "seldon-core"}.get(file.stem, file.stem)
    ours = {found for found, text in definitions(OURS) if text in file.read_text(encoding="utf-8")}
    assert ours
    assert ours <= set(piece(name).crds)
    assert name not in dict(PIECES)
