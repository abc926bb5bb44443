"""What may change in place, what may not, and what is said about it."""

from copy import deepcopy
from typing import Any

import pytest
import yaml

from mlstrata.environments import EnvironmentSpec, Loaded, SpecErrors, loads
from mlstrata.environments.changes import Kind, compare, refuse_immutable

BASE: dict[str, Any] = {
    "name": "prod",
    "target": {"kind": "aws", "region": "eu-central-1", "account": "123456789012"},
    "stage": "scale",
    "teams": [{"name": "lending"}, {"name": "cards"}],
    "storage": {"kind": "s3", "bucket": "models-1"},
    "systems": [
        {"name": name, "purpose": f"Help with {name}.", "risk": {"tier": "minimal"}, "model": {"modality": "tabular"}}
        for name in ("loans", "fraud")
    ],
}


def loaded(**parts: Any) -> Loaded:
    return loads(yaml.safe_dump({**deepcopy(BASE), **parts}, sort_keys=False).encode(), "prod.yaml")


DEPLOYED = loaded().spec


def systems(*changed: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**system, **change} for system, change in zip(deepcopy(BASE["systems"]), changed, strict=True)]


def test_nothing_differs_from_itself_in_either_form() -> None:
    assert compare(DEPLOYED, DEPLOYED) == ()
    assert compare(DEPLOYED.model_dump(mode="json"), DEPLOYED) == ()


def test_order_is_no_change() -> None:
    turned = loaded(systems=BASE["systems"][::-1], teams=BASE["teams"][::-1])
    assert compare(DEPLOYED, turned.spec) == ()


def test_a_changed_value_has_its_place_and_both_values() -> None:
    wanted = loaded(systems=systems({}, {"owner": "me@example.com"}))
    (change,) = refuse_immutable(DEPLOYED, wanted)
    assert (change.path, change.name) == (("systems", 1, "owner"), "systems[fraud].owner")
    assert (change.kind, change.before, change.after) == (Kind.CHANGED, None, "me@example.com")


def test_what_comes_and_goes() -> None:
    wanted = loaded(systems=BASE["systems"][:1], teams=[*BASE["teams"], {"name": "ops"}])
    assert [(c.name, c.kind) for c in refuse_immutable(DEPLOYED, wanted)] == [
        ("teams[ops]", Kind.ADDED),
        ("systems[fraud]", Kind.REMOVED),
    ]


def test_the_last_of_a_list_may_go_and_the_first_may_come() -> None:
    none = loaded(teams=[])
    assert [c.kind for c in refuse_immutable(DEPLOYED, none)] == [Kind.REMOVED] * 2
    assert [c.kind for c in refuse_immutable(none.spec, loaded())] == [Kind.ADDED] * 2


MOVE = "make a new environment, `mlstrata promote` its systems there, then take this one down"
COPY = "move everything there with `mlstrata migrate` (target local), else restore a backup in a new environment"
IMMUTABLE = {
    "region": (
        {"target": {"kind": "aws", "region": "eu-west-1", "account": "123456789012"}},
        "prod.yaml:4: target.region: got 'eu-west-1', but 'eu-central-1' is deployed and cannot change in place; "
        f"go back to 'eu-central-1', or {MOVE}",
    ),
    "account": (
        {"target": {"kind": "aws", "region": "eu-central-1", "account": "210987654321"}},
        "prod.yaml:5: target.account: got '210987654321', but '123456789012' is deployed and cannot change in place; "
        f"go back to '123456789012', or {MOVE}",
    ),
    "target": (
        {"target": {"kind": "local"}},
        "prod.yaml:3: target.kind: got 'local', but 'aws' is deployed and cannot change in place; "
        f"go back to 'aws', or {MOVE}",
    ),
    "bucket": (
        {"storage": {"kind": "s3", "bucket": "models-2"}},
        "prod.yaml:12: storage.bucket: got 'models-2', but 'models-1' is deployed and cannot change in place; "
        f"go back to 'models-1', or {COPY}",
    ),
    "name": (
        {"name": "live"},
        "prod.yaml:1: name: got 'live', but 'prod' is deployed and cannot change in place; go back to 'prod', "
        "or make a new environment, `mlstrata promote` its systems there, take this one down",
    ),
    "system renamed": (
        {"systems": systems({"name": "credit"}, {})},
        "prod.yaml:14: systems[0].name: got 'credit', but 'loans' is deployed and cannot change in place; "
        "go back to 'loans', or add a system with the new name, release a model there, then retire the old one",
    ),
    "team renamed": (
        {"teams": [{"name": "loans"}, {"name": "cards", "gpu_quota": 1}]},
        "prod.yaml:8: teams[0].name: got 'loans', but 'lending' is deployed and cannot change in place; "
        "go back to 'lending', or add the team under its new name, move its systems, then remove the old one",
    ),
}


@pytest.mark.parametrize(("parts", "expected"), IMMUTABLE.values(), ids=IMMUTABLE)
def test_fixed_fields_are_refused_with_the_way_to_migrate(parts: dict[str, Any], expected: str) -> None:
    with pytest.raises(SpecErrors) as caught:
        refuse_immutable(DEPLOYED, loaded(**parts))
    assert str(caught.value) == expected


def test_a_system_that_is_replaced_is_not_renamed() -> None:
    other = {"name": "pricing", "purpose": "Price.", "risk": {"tier": "limited"}, "model": {"modality": "text"}}
    changes = refuse_immutable(DEPLOYED, loaded(systems=[BASE["systems"][0], other]))
    assert {(c.name, c.kind) for c in changes} == {
        ("systems[pricing]", Kind.ADDED),
        ("systems[fraud]", Kind.REMOVED),
    }


def test_what_an_older_version_did_not_know_counts_as_its_default() -> None:
    old = DEPLOYED.model_dump(mode="json")
    del old["retention"], old["systems"][0]["monitor"]
    assert compare(old, DEPLOYED) == ()


def test_what_a_version_no_longer_knows_is_reported_not_tripped_over() -> None:
    old = {**DEPLOYED.model_dump(mode="json"), "cluster": "k8s-1"}
    assert [(c.name, c.kind) for c in compare(old, DEPLOYED)] == [("cluster", Kind.REMOVED)]


def test_a_part_of_what_is_deployed_is_enough_to_refuse() -> None:
    """The state keeps the fixed parts; numbers come back from its JSON as it pleases."""
    part = DEPLOYED.model_dump(mode="json", include={"name", "target", "systems"})
    part["systems"][0]["serving"]["sla"]["availability"] = 99
    assert not [c for c in refuse_immutable(part, loaded()) if c.migration]
    assert not [c for c in compare(part, DEPLOYED) if c.kind is Kind.CHANGED]
    with pytest.raises(SpecErrors, match=r"systems\[0\]\.name: got 'credit', but 'loans' is deployed"):
        refuse_immutable(part, loaded(systems=systems({"name": "credit"}, {})))


def test_true_is_not_one() -> None:
    before, after = DEPLOYED.model_dump(mode="json"), loaded(storage={"kind": "s3", "bucket": "models-1"}).spec
    before["storage"]["versioning"] = 1
    assert [c.name for c in compare(before, after)] == ["storage.versioning"]


def test_the_marks_of_fixed_fields_are_found() -> None:
    from mlstrata.environments.changes import _immutable

    assert {".".join(path) for path in _immutable()} >= {
        "name",
        "target.kind",
        "target.region",
        "target.account",
        "storage.kind",
        "storage.bucket",
        "systems.[].name",
        "teams.[].name",
        "gpu_pools.[].name",
    }
    assert isinstance(DEPLOYED, EnvironmentSpec)
