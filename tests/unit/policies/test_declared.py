"""What the program declares about its environment is what the policies read, with no file between them."""

import itertools
from dataclasses import replace
from pathlib import Path

import pulumi
import pytest

from mlstrata.components.governance.environment import declare
from mlstrata.environments import Capability, EnvironmentSpec, Stage, load
from mlstrata.policies.core.dates import Enforcement
from mlstrata.policies.core.declared import declared
from mlstrata.policies.core.facts import Environment
from mlstrata.policies.core.graph import Record
from mlstrata.policies.fixtures.compliant_world import compliant
from tests.support.declaration import WHOLE, declaration
from tests.support.recorded import record

ROOT = Path(__file__).parents[3]


def registered(spec: EnvironmentSpec) -> list[Record]:
    found = record(lambda: declare(spec) and pulumi.export("x", 1), stack=spec.name)
    return [Record(one.urn, one.type, one.name, "", one.inputs) for one in found.resources]


@pytest.mark.parametrize("name", ["local", "dev", "staging", "prod"])
def test_what_a_file_says_is_in_the_graph(name, tmp_path):
    spec = load(ROOT / f"environments/{name}.yaml")
    found = declared(registered(spec), tmp_path)
    assert found.name == name
    assert found.target == spec.target.kind
    assert found.region == (spec.target.region or "")
    assert found.stage is spec.stage
    assert found.capabilities == spec.capabilities
    assert found.enforcement.value == spec.enforce.value
    assert found.owner == (spec.owner or "")
    assert found.retention["documents"] == spec.retention.documents.days
    assert found.gpu_pools == {pool.name: pool.nodes.min for pool in spec.gpu_pools}


@pytest.mark.parametrize("name", ["local", "dev", "staging", "prod"])
def test_moving_up_a_stage_only_adds(name):
    values = load(ROOT / f"environments/{name}.yaml").model_dump(mode="json", by_alias=True)
    graphs = [
        {one.urn: one.inputs for one in registered(EnvironmentSpec.model_validate({**values, "stage": stage}))}
        for stage in Stage
    ]
    for lower, upper in itertools.pairwise(graphs):
        assert lower.items() <= upper.items()
        assert len(upper) == len(lower) + 1


def test_labels_and_a_cost_centre_are_there_for_policies_of_ones_own(tmp_path):
    values = load(ROOT / "environments/local.yaml").model_dump(mode="json", by_alias=True)
    assert (declared(registered(EnvironmentSpec.model_validate(values)), tmp_path).cost_centre) == ""
    values |= {"cost_centre": "4711", "labels": {"example.com/site": "Linz"}}
    found = declared(registered(EnvironmentSpec.model_validate(values)), tmp_path)
    assert (found.cost_centre, found.labels) == ("4711", {"example.com/site": "Linz"})


def test_a_capability_beside_the_stages_is_there(tmp_path):
    values = load(ROOT / "environments/local.yaml").model_dump(mode="json", by_alias=True)
    values["capabilities"] = {"on": ["encryption"], "off": ["catalog"]}
    found = declared(registered(EnvironmentSpec.model_validate(values)), tmp_path)
    assert Capability.ENCRYPTION in found.capabilities
    assert Capability.CATALOG not in found.capabilities


@pytest.mark.parametrize(
    "broken",
    [{}, {"name": "prod", "enforce": "someday"}, {"name": 3}],
)
def test_a_declaration_that_is_none_is_taken_strictly(tmp_path, broken):
    records = [Record(WHOLE, "mlstrata:governance:Environment", "environment", inputs=broken)]
    assert declared(records, tmp_path, "mine") == Environment("mine", enforcement=Enforcement.NOW)


def test_a_stage_nobody_knows_is_taken_strictly(tmp_path):
    records = list(declaration(compliant().environment))
    records = [replace(one, name="beyond") if one.name == "scale" else one for one in records]
    assert declared(records, tmp_path, "mine").stage is None


def test_the_documents_that_systems_name_are_looked_into(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/risk.md").write_text("Reviewed: 2026-10-01\n")
    inputs = {
        "documents": {"risk_register": "docs/risk.md", "fria": "https://example.com/fria"},
        "risk": {"exemption": {"condition": "a", "memo": "docs/memo.md"}},
    }
    found = declared([Record("u", "mlstrata:governance:AISystem", "one", inputs=inputs)], tmp_path).documents
    assert set(found) == {"docs/risk.md", "docs/memo.md", "https://example.com/fria"}
    assert found["docs/risk.md"].exists
    assert found["docs/memo.md"].exists is False
    assert found["https://example.com/fria"].exists is None
