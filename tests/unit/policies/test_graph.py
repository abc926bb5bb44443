"""The graph joins resources to systems, and no check can mistake an unknown value for a known one."""

import copy

import pytest

from mlstrata.policies.core.graph import Graph, Record
from mlstrata.policies.core.values import SECRET, UNKNOWN, UnknownValueError, dig, leaves, listed

SYSTEM = Record("u:system", "mlstrata:governance:AISystem", "s", inputs={"name": "s", "risk": {"tier": "high"}})


def record(name: str, **fields) -> Record:
    return Record(f"u:{name}", fields.pop("type", "kubernetes:apps/v1:Deployment"), name, **fields)


def labelled(**labels) -> dict:
    return {"metadata": {"labels": {f"mlstrata.io/{key}": value for key, value in labels.items()}}}


def test_a_system_has_its_descendants_and_what_carries_its_label_once():
    graph = Graph(
        [
            SYSTEM,
            record("child", parent="u:system"),
            record("grandchild", parent="u:child", inputs=labelled(system="s")),
            record("labelled", inputs=labelled(system="s")),
            record("tagged", inputs={"tags": {"mlstrata.io/system": "s"}}),
            record("other", inputs=labelled(system="t")),
            record("stranger"),
        ]
    )
    (system,) = graph.systems
    assert sorted(one.name for one in system.resources) == ["child", "grandchild", "labelled", "tagged"]
    assert "u:stranger" not in graph.owners


def test_parts_come_from_labels_and_from_our_components():
    graph = Graph(
        [
            record("a", inputs=labelled(part="recorder")),
            record("b", type="mlstrata:serving:Serving"),
            record("c", type="mlstrata:serving:Serving", inputs={"labels": {"mlstrata.io/part": "explainer"}}),
        ]
    )
    assert [graph.resources[index].part for index in range(3)] == ["recorder", "serving", "explainer"]
    assert [one.name for one in graph.part("recorder")] == ["a"]


def test_charts_without_children_were_not_inspected():
    chart = "kubernetes:helm.sh/v4:Chart"
    graph = Graph([record("hidden", type=chart), record("shown", type=chart), record("x", parent="u:shown")])
    assert [one.name for one in graph.not_inspected] == ["hidden"]


def test_a_bucket_is_found_by_dependency_and_by_name():
    bucket = record("b", type="aws:s3/bucket:Bucket", inputs={"bucket": "data"})
    graph = Graph(
        [
            bucket,
            record("by-name", type="aws:s3/x:X", inputs={"bucket": "data"}),
            record("by-urn", type="aws:s3/x:X", inputs={"bucket": UNKNOWN}, property_dependencies={"bucket": ("u:b",)}),
            record("other", type="aws:s3/x:X", inputs={"bucket": "logs"}),
            record("by-another", type="aws:s3/x:X", inputs={}, property_dependencies={"key": ("u:b",)}),
        ]
    )
    found = graph.referring(graph.by_urn["u:b"], "bucket", "aws:s3/x")
    assert sorted(one.name for one in found) == ["by-name", "by-urn"]


@pytest.mark.parametrize(
    "use",
    [
        bool,
        len,
        list,
        int,
        float,
        lambda value: value == "a",
        lambda value: value != "a",
        lambda value: value < 1,
        lambda value: f"{value}",
        lambda value: value["a"],
        lambda value: "a" in value,
        lambda value: value.get("a"),
        lambda value: value + 1,
        lambda value: dig(value, "a"),
        lambda value: dig({"a": value}, "a.b"),
        lambda value: dig([value], "0"),
        lambda value: listed({"a": value}, "a"),
    ],
)
def test_an_unknown_value_cannot_be_used(use):
    with pytest.raises(UnknownValueError):
        use(UNKNOWN)


def test_an_unknown_value_can_be_kept_and_copied():
    assert copy.deepcopy({"a": UNKNOWN})["a"] is UNKNOWN
    assert repr(UNKNOWN) == "[unknown]"
    assert repr(SECRET) == "[secret]"
    assert hash(UNKNOWN) is not None


def test_a_value_is_found_or_its_default():
    value = {"a": [{"b": 1}, {"b": None}], "c": "text"}
    assert dig(value, "a.0.b") == 1
    assert dig(value, "a.1.b", 2) == 2
    assert dig(value, "a.9.b", 3) == 3
    assert dig(value, "c.x", 4) == 4
    assert listed(value, "c") == ["text"]
    assert listed(value, "none") == []
    assert dict(leaves(value)) == {"a.0.b": 1, "a.1.b": None, "c": "text"}


def test_a_key_that_this_plan_makes_is_a_key():
    made = {"kmsKeyId": UNKNOWN}
    key = record("k", type="aws:kms/key:Key")
    graph = Graph(
        [key, record("d", inputs=made, property_dependencies={"kmsKeyId": ("u:k",)}), record("e", inputs=made)]
    )
    assert graph.by_urn["u:d"].set_or_made_here("kmsKeyId", ("aws:kms/",))
    with pytest.raises(UnknownValueError):
        graph.by_urn["u:e"].set_or_made_here("kmsKeyId", ("aws:kms/",))
