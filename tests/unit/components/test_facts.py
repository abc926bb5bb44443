"""What a rule reads of a component stands in its inputs and its outputs: the Pulumi CLI shows a pack outputs only."""

import pulumi
from pulumi.runtime import rpc
from pulumi.runtime.proto import resource_pb2

from mlstrata.components.governance.environment import declare
from mlstrata.components.governance.system import AISystem
from mlstrata.environments import load
from tests.support import recorded
from tests.unit.stacks.test_local_graph import LOCAL


def test_every_governance_component_registers_its_facts_as_outputs(monkeypatch):
    outputs: dict[str, dict[str, object]] = {}

    def keep(_: object, request: resource_pb2.RegisterResourceOutputsRequest) -> None:
        outputs[request.urn] = rpc.deserialize_properties(request.outputs)

    plain = recorded._Monitor.RegisterResourceOutputs
    monkeypatch.setattr(
        recorded._Monitor, "RegisterResourceOutputs", lambda self, one: (keep(self, one), plain(self, one))[1]
    )
    spec = load(LOCAL)

    def program() -> None:
        for system in spec.systems:
            AISystem.of(system)
        declare(spec)
        pulumi.export("done", True)

    graph = recorded.record(program, stack=spec.name)
    assert {one.kind for one in graph.resources} == {"AISystem", "Environment", "Stage"}
    for one in graph.resources:
        assert outputs[one.urn] == dict(one.inputs), one.name
        assert one.inputs
