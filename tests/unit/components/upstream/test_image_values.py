"""A chart is told each image of the bill, whole, and nothing else that it is told changes by that."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstrata.components.upstream.bill import BILL
from mlstrata.components.upstream.image_values import Image, Part, Value, image_values, merged
from mlstrata.components.upstream.mirror import Mirror
from mlstrata.components.upstream.package import Chart, UpstreamPackage

DIGEST = "sha256:" + "b" * 64
WITH_CHART = [one for one in BILL if any(isinstance(source, Chart) for source in one.sources)]
MIRROR = Mirror("copies.example:5000/all/of/it", "https://files.example")


def at(values: Mapping[str, Any], path: str) -> str | None:
    found: Any = values
    for key in path.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def put_together(values: Mapping[str, Any], helm_values: tuple[Value, ...]) -> str:
    """Return the image that a chart makes of what it is told."""
    texts = {one.part: at(values, one.path) for one in helm_values if at(values, one.path)}
    if name := texts.get(Part.NAME):
        return name
    repository = texts.get(Part.REPOSITORY) or f"{texts[Part.REGISTRY]}/{texts[Part.PATH]}"
    tag = texts.get(Part.PINNED) or texts.get(Part.TAG)
    digest = texts.get(Part.DIGEST) or (f"sha256:{texts[Part.HEX]}" if Part.HEX in texts else "")
    return repository + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


@pytest.mark.parametrize("one", WITH_CHART, ids=lambda one: one.name)
def test_each_image_of_a_chart_is_told_or_says_why_not(one: UpstreamPackage):
    for image in one.images:
        assert bool(image.helm_values) != bool(image.no_value_reason), image
    assert all(image.helm_values for image in one.offered)
    paths = [value.path for image in (*one.images, *one.offered) for value in image.helm_values]
    assert len(set(paths)) == len(paths)
    # A value is either a text or holds others.
    assert not [path for path in paths if any(other.startswith(f"{path}.") for other in paths)]


@pytest.mark.parametrize("one", [one for one in BILL if one not in WITH_CHART], ids=lambda one: one.name)
def test_only_a_chart_is_told(one: UpstreamPackage):
    assert not any(image.helm_values or image.no_value_reason for image in (*one.images, *one.offered))


@pytest.mark.parametrize("digest", [None, DIGEST])
@pytest.mark.parametrize("one", WITH_CHART, ids=lambda one: one.name)
def test_a_mirrors_chart_puts_each_image_together_as_the_copy(one: UpstreamPackage, digest: str | None):
    pinned = replace(one, images=tuple(replace(image, digest=digest) for image in one.images))
    moved = MIRROR.piece(pinned)
    values = moved.chart.values
    assert not one.chart.values, "upstream's own needs no telling"
    for before, image in zip(pinned.images, moved.images, strict=True):
        for start in sorted({value.path.rpartition(".")[0] for value in image.helm_values}):
            helm_values = tuple(value for value in image.helm_values if value.path.rpartition(".")[0] == start)
            expected = MIRROR.image(str(before))
            made = put_together(values, helm_values)
            has_tag = any(value.part in {Part.NAME, Part.TAG, Part.PINNED} for value in helm_values)
            assert made == expected if has_tag else made == MIRROR.image(before.repository), image


@pytest.mark.parametrize(
    ("parts", "digest", "told"),
    [
        ({"a.b": Part.NAME}, DIGEST, {"a": {"b": f"r.example/a/b:1@{DIGEST}"}}),
        (
            {"i.repository": Part.REPOSITORY, "i.tag": Part.PINNED},
            DIGEST,
            {"i": {"repository": "r.example/a/b", "tag": f"1@{DIGEST}"}},
        ),
        (
            {"i.registry": Part.REGISTRY, "i.repository": Part.PATH, "i.tag": Part.TAG, "i.sha": Part.HEX},
            DIGEST,
            {"i": {"registry": "r.example", "repository": "a/b", "tag": "1", "sha": "b" * 64}},
        ),
        (
            {"i.repository": Part.REPOSITORY, "i.tag": Part.TAG, "i.digest": Part.DIGEST},
            None,
            {"i": {"repository": "r.example/a/b", "tag": "1"}},
        ),
    ],
)
def test_where_a_digest_is_told(parts: dict[str, Part], digest: str | None, told: dict[str, Any]):
    values = tuple(Value(path, part) for path, part in parts.items())
    assert image_values([Image("r.example/a/b", "1", digest, helm_values=values)]) == told


def test_another_version_is_told_at_the_same_places():
    (seldon,) = [one for one in BILL if one.name == "seldon-core"]
    values = MIRROR.piece(seldon.at("1.17.2")).chart.values
    assert values["image"]["tag"] == "1.17.2"
    assert values["explainer"]["image"].endswith("/docker.io/seldonio/alibiexplainer:1.17.2")
    assert values["predictor_servers"]["SKLEARN_SERVER"]["protocols"]["seldon"]["defaultImageVersion"] == "1.17.2"


KEYS = st.sampled_from(["image", "webhook", "repository", "tag", "digest", "replicas", "crds", "controller"])
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.lists(st.integers(), max_size=2)
OWN = st.dictionaries(
    KEYS, st.recursive(LEAVES, lambda inner: st.dictionaries(KEYS, inner, max_size=4), max_leaves=10), max_size=5
)


def leaves(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


@given(OWN, st.sampled_from(WITH_CHART))
def test_our_own_values_stay_unless_they_are_the_images(own: dict[str, Any], one: UpstreamPackage):
    helm_values = MIRROR.piece(one).chart.values
    both = merged(own, helm_values)
    named = dict(leaves(helm_values))
    assert {path: at(both, path) for path in named} == named
    for path, value in leaves(own):
        below = [other for other in named if other.startswith(f"{path}.")]
        above = [other for other in named if path == other or path.startswith(f"{other}.")]
        if not below and not above:
            assert at(both, path) == value
    known = {*named, *(path for path, _ in leaves(own))}
    assert {path for path, _ in leaves(both)} <= known
    assert merged(both, helm_values) == both


@given(OWN, OWN)
def test_merging_changes_neither(one: dict[str, Any], over: dict[str, Any]):
    before = repr((one, over))
    merged(one, over)
    assert repr((one, over)) == before
