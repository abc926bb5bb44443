"""`components.yaml`: nothing comes before what it needs, in any shipped environment at any stage."""

from dataclasses import dataclass
from pathlib import Path

import pulumi
import pytest

from mlstrata.components.capability import built
from mlstrata.environments import EnvironmentSpec, Stage, Workspace, load
from mlstrata.environments.stages import capabilities_of
from mlstrata.operations.errors import Failed
from mlstrata.operations.render.manifests import folders, ordered
from mlstrata.stacks.program import plan
from tests.support.recorded import Graph, record

ROOT = Path(__file__).parents[3]


def graph_of(environment: str, stage: Stage) -> Graph:
    """An environment at a stage, less what its target has not."""
    values = load(ROOT / f"environments/{environment}.yaml").model_dump(mode="json", by_alias=True)
    off = sorted(capabilities_of(stage) - built(values["target"]["kind"]))
    spec = EnvironmentSpec.model_validate({**values, "stage": stage, "capabilities": {"off": off}})

    def program() -> None:
        for name, value in plan(spec, Workspace(ROOT)).items():
            pulumi.export(name, value)

    return record(program, stack=environment, dry_run=True)


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
@pytest.mark.parametrize("stage", list(Stage))
def test_nothing_comes_before_what_it_needs(environment, stage):
    graph = {one.urn: one for one in graph_of(environment, stage).resources}
    told = folders(graph)
    kept = {told[urn] for urn, one in graph.items() if one.type.startswith("kubernetes:")}
    order = ordered(graph, kept)
    at = {one["component"]: place for place, one in enumerate(order)}
    assert set(at) == kept
    assert all(at[earlier] < at[one["component"]] for one in order for earlier in one["after"])
    for urn, one in graph.items():
        for other in one.dependencies:
            if told[urn] in kept and told.get(other) in kept:
                assert at[told[other]] <= at[told[urn]], f"{one.name} needs {graph[other].name}"
    spaces = {
        one.inputs["metadata"]["name"]: told[urn] for urn, one in graph.items() if one.type.endswith(":Namespace")
    }
    for urn, one in graph.items():
        space = one.inputs.get("metadata", {}).get("namespace") if one.type.startswith("kubernetes:") else None
        if space in spaces:
            assert at[spaces[space]] <= at[told[urn]], f"{one.name} is in {space}, which comes after it"


@dataclass(frozen=True)
class One:
    """A resource as the order sees it."""

    name: str
    dependencies: tuple[str, ...] = ()
    type: str = "mlstrata:own:Own"
    parent: str = ""


def test_folders_that_need_each_other_are_refused_by_name():
    graph = {"a": One("a", ("b",)), "b": One("b", ("a",)), "c": One("c")}
    with pytest.raises(Failed, match=r"no order of a, b: .* a component of its own"):
        ordered(graph, {"a", "b", "c"})
