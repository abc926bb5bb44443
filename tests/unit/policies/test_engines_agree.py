"""A verdict does not depend on the engine: inputs from the embedded one, outputs over the protocol from the CLI."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from google.protobuf import struct_pb2
from pulumi.runtime.proto import analyzer_pb2

import pulumi_embedded
from mlstrata.environments import Workspace, load_with_places
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.policy_check import planned
from mlstrata.policies.adapters.embedded_graph import records
from mlstrata.policies.adapters.pulumi_wire import record
from mlstrata.policies.core.graph import Record
from mlstrata.policies.judge import judge
from pulumi_embedded import wire
from pulumi_embedded.register import Registrar

ROOT = Path(__file__).parents[3]


def on_wire(value):
    """A value as an engine writes it."""
    if value is pulumi_embedded.UNKNOWN:
        return wire.UNKNOWN_TEXT
    if isinstance(value, pulumi_embedded.Secret):
        return {wire.SIGNATURE: wire.SECRET, "value": "plain text of a secret"}
    if isinstance(value, dict):
        return {key: on_wire(inner) for key, inner in value.items()}
    return [on_wire(inner) for inner in value] if isinstance(value, list | tuple) else value


def outputs_of(given, state):
    """What a resource outputs under the CLI; for a provider that only the CLI runs, what its dry run answers."""
    if not given.type.startswith("kubernetes:") or given.remote or not given.custom:
        return state.outputs
    return {**given.inputs, "__initialApiVersion": "v1", "__inputs": given.inputs, "status": pulumi_embedded.UNKNOWN}


def as_the_cli_hands_it(graph, states) -> list[Record]:
    """The resources of an AnalyzeStack: what each outputs, and of its options the protection alone."""
    message = analyzer_pb2.AnalyzeStackRequest()
    for given in graph:
        properties = struct_pb2.Struct()
        properties.update(on_wire(outputs_of(given, states[given.urn])))
        one = message.resources.add(
            urn=given.urn, type=given.type, name=given.name, parent=given.parent, properties=properties
        )
        one.dependencies.extend(given.dependencies)
        one.options.protect = bool(given.options.get("protect"))
        for key, urns in given.property_dependencies.items():
            one.propertyDependencies[key].urns.extend(urns)
    return [record(one) for one in message.resources]


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """What plans an environment of the shipped files, edited: its graph, and each resource's state after the plan."""
    for file in (ROOT / "environments").rglob("*.yaml"):
        copy = tmp_path / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    registrars = []
    made = Registrar.__init__
    monkeypatch.setattr(Registrar, "__init__", lambda self, run: (made(self, run), registrars.append(self))[0])

    def of(name, *edits):
        file = tmp_path / f"environments/{name}.yaml"
        text = file.read_text(encoding="utf-8")
        for old, new in edits:
            assert old in text
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")
        graph = planned(Deployment(Workspace(tmp_path), load_with_places(file))).graph
        return graph, registrars[-1].states

    return of


def verdicts(found, workspace, name):
    """Every verdict of every rule on every subject, with what is said."""
    report = judge(found, workspace, name, datetime.now(tz=UTC).date())
    return [(one.rule.id, one.subject, one.urn, one.outcome, one.blocking, one.reason) for one in report.results]


@pytest.mark.parametrize(
    ("name", "edits"),
    [
        ("local", ()),
        ("dev", ()),
        ("prod", ()),
        ("local", [("oversight:", "labels: {site: Linz}\n    oversight:"), ("tier: high", "tier: limited")]),
    ],
    ids=["local", "dev", "prod", "local with planted faults"],
)
def test_each_verdict_is_the_same_whichever_engine_ran_the_program(plan, tmp_path, name, edits):
    graph, states = plan(name, *edits)
    embedded = verdicts(records(graph), Workspace(tmp_path), name)
    over_the_protocol = verdicts(as_the_cli_hands_it(graph, states), Workspace(tmp_path), name)
    assert len(embedded) > 64
    assert over_the_protocol == embedded


def test_a_retained_store_is_kept_whichever_engine_ran_the_program(plan, tmp_path):
    graph, states = plan("dev")
    stores = [one for one in verdicts(as_the_cli_hands_it(graph, states), Workspace(tmp_path), "dev") if one[2]]
    kept = [one for one in stores if one[0] == "rel-protect-stateful"]
    retained = {one.urn for one in graph if one.options.get("retain_on_delete")}
    assert {one[2] for one in kept} & retained
    assert {one[3].value for one in kept} == {"pass"}
