"""Whatever is copied is found again: rewriting loses nothing, mixes nothing up and happens once."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstrata.components.upstream.bill import BILL, piece
from mlstrata.components.upstream.image_values import Image
from mlstrata.components.upstream.mirror import Mirror, all_sources, build_command, full_name, reference
from mlstrata.components.upstream.package import Chart, Kustomization, Manifest

PART = st.sampled_from(["a", "b0", "seldonio", "x_y", "mlflow-server", "k8s.tools", "0"])
HOST = st.sampled_from(["r.example", "docker.io.example", "r.example:5000", "10.0.0.1:5000", "localhost"])
PATH = st.lists(PART, min_size=1, max_size=3).map("/".join)
TAG = st.sampled_from(["1", "v1.2.3", "latest", "2.0-gpu_x"])
DIGEST = st.sampled_from(["", "@sha256:" + "a" * 64])
IMAGES = st.builds(
    lambda host, path, tag, digest: f"{host}{path}:{tag}{digest}",
    st.just("") | HOST.map(lambda host: f"{host}/") | st.just("docker.io/"),
    PATH,
    TAG,
    DIGEST,
)
MIRRORS = st.builds(
    lambda host, path: Mirror(f"{host}{path}", f"https://{host}/files"), HOST, st.just("") | PATH.map("/{}".format)
)


@given(MIRRORS, IMAGES)
def test_an_image_moves_whole_and_once(mirror: Mirror, image: str):
    moved = mirror.image(image)
    assert moved.startswith(f"{mirror.registry}/")
    assert mirror.image(moved) == moved
    assert moved.rpartition("/")[2].partition(":")[1:] == image.rpartition("/")[2].partition(":")[1:]
    if not image.startswith(mirror.registry):
        assert moved.removeprefix(f"{mirror.registry}/") == full_name(image)


@given(MIRRORS, IMAGES, IMAGES)
def test_two_images_never_share_a_copy(mirror: Mirror, one: str, other: str):
    outside = not (one.startswith(mirror.registry) or other.startswith(mirror.registry))
    if outside and full_name(one) != full_name(other):
        assert mirror.image(one) != mirror.image(other)


@given(IMAGES)
def test_a_full_name_is_its_own(image: str):
    assert full_name(full_name(image)) == full_name(image)


def test_short_names_are_dockers():
    assert full_name("busybox:1") == "docker.io/library/busybox:1"
    assert full_name("seldonio/mlserver:1.3.5-slim") == "docker.io/seldonio/mlserver:1.3.5-slim"
    assert full_name("localhost/x:1") == "localhost/x:1"
    assert full_name("host:5000/x:1") == "host:5000/x:1"


LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["spec", "template", "image", "name", "containers", "initContainers"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)
CONTAINERS = st.lists(st.fixed_dictionaries({"name": PART, "image": IMAGES}), min_size=1, max_size=3)


@given(MIRRORS, TREES)
def test_rewriting_objects_twice_is_rewriting_them_once(mirror: Mirror, tree: object):
    once = mirror.objects(tree)
    assert mirror.objects(once) == once


@given(MIRRORS, CONTAINERS, CONTAINERS, st.sampled_from(["Deployment", "CronJob", "SeldonDeployment"]))
def test_every_container_of_every_kind_is_rewritten_and_nothing_else(
    mirror: Mirror, first: list[dict[str, str]], then: list[dict[str, str]], kind: str
):
    pod = {"initContainers": first, "containers": then, "volumes": [{"name": "a", "image": {"reference": "kept:1"}}]}
    nested = {
        "Deployment": {"spec": {"template": {"spec": pod}}},
        "CronJob": {"spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}},
        "SeldonDeployment": {"spec": {"predictors": [{"componentSpecs": [{"spec": pod}]}]}},
    }[kind]
    moved = str(mirror.objects({"kind": kind, "data": {"image": "kept:1"}, **nested}))
    for container in (*first, *then):
        assert repr({**container, "image": mirror.image(container["image"])}) in moved
    assert moved.count("kept:1") == 2


@given(MIRRORS)
def test_every_piece_of_the_bill_comes_from_the_mirror_alone(mirror: Mirror):
    copies = set()
    for one in BILL:
        moved = mirror.piece(one)
        assert (moved.version, moved.licence, moved.crds) == (one.version, one.licence, one.crds)
        for before, after in zip(all_sources(one), all_sources(moved), strict=True):
            if isinstance(before, Chart):
                assert replace(after, values={}) == replace(before, repository=f"oci://{mirror.registry}/charts")
            else:
                assert isinstance(after, Manifest)
                assert after.address.startswith(f"{mirror.files}/{one.name}/{one.version}/")
            assert after.address not in copies
            copies.add(after.address)
        assert all(image.repository.startswith(f"{mirror.registry}/") for image in moved.images)
        assert [image.tag for image in moved.images] == [image.tag for image in one.images]


def test_definitions_stay_definitions():
    moved = Mirror("r.example", "https://f.example").piece(piece("cert-manager"))
    assert isinstance(moved.crd_source, Manifest)
    assert moved.crd_source.address == "https://f.example/cert-manager/v1.21.1/0.yaml"
    assert moved.chart.address == "oci://r.example/charts/cert-manager"


def test_a_kustomization_is_built_where_it_is_copied():
    source = Kustomization("https://git.example/p", "a/b", "1.0")
    assert build_command(source) == ["kubectl", "kustomize", "https://git.example/p//a/b?ref=1.0&timeout=300s"]


def test_the_key_of_the_lock_has_no_digest():
    assert reference(Image("seldonio/x", "1", "sha256:0")) == "docker.io/seldonio/x:1"


@pytest.mark.parametrize(
    ("told", "moved"),
    [
        ("ghcr.io/kubeflow/kfp-launcher:2.17.0", "{0}/ghcr.io/kubeflow/kfp-launcher:2.17.0"),
        ("--executor-image=quay.io/argoproj/argoexec:v4.0.5", "--executor-image={0}/quay.io/argoproj/argoexec:v4.0.5"),
        ("seldonio/seldon-core-executor:1.17.1", "{0}/docker.io/seldonio/seldon-core-executor:1.17.1"),
        (
            '{"a": "quay.io/feastdev/feature-server@sha256:00", "b": 1}',
            '{"a": "{0}/quay.io/feastdev/feature-server@sha256:00", "b": 1}',
        ),
        # Neither another's image of that ending, nor an address, nor a name alone.
        (
            "registry.example/ghcr.io/kubeflow/kfp-launcher:2.17.0",
            "registry.example/ghcr.io/kubeflow/kfp-launcher:2.17.0",
        ),
        ("mysql:3306", "mysql:3306"),
        ("https://quay.io/feastdev/feature-server", "https://quay.io/feastdev/feature-server"),
        ("ghcr.io/kubeflow/kfp-launcher-of-ours:1", "ghcr.io/kubeflow/kfp-launcher-of-ours:1"),
    ],
)
def test_operators_are_told_the_mirrors_images_of_what_they_start(told: str, moved: str):
    mirror = Mirror("copies.example/all", "https://files.example")
    container = {"name": "main", "image": "docker.io/library/alpine:3.23", "env": [{"name": "IT", "value": told}]}
    rewritten = mirror.objects({"spec": {"containers": [container]}})
    assert rewritten == {
        "spec": {
            "containers": [
                {
                    "name": "main",
                    "image": "copies.example/all/docker.io/library/alpine:3.23",
                    "env": [{"name": "IT", "value": moved.replace("{0}", mirror.registry)}],
                }
            ]
        }
    }
    assert mirror.objects(rewritten) == rewritten
