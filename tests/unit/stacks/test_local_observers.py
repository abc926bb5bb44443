"""What looks at predictions on this machine: told to the processes as the file has it, and off without it."""

import json

import pytest

from mlstrata.environments import load
from mlstrata.environments.spec.environment import EnvironmentSpec
from mlstrata.services.recording.names import KEY_FILE, TOKEN_FILE
from mlstrata.services.serving.settings import MODEL_FILE
from mlstrata.stacks.preconditions import problems
from tests.unit.stacks.test_local_graph import LOCAL, graph_of, workspace

__all__ = ["workspace"]
OBSERVERS = ["recording", "explanation", "fallback"]


def declared(on, explain="shap", **system):
    values = load(LOCAL).model_dump(mode="json", by_alias=True)
    first = values["systems"][0]
    first["serving"] |= {
        "explain": {"method": explain, "within": "50ms"},
        "fallback": {"below_confidence": 0.6, "to": "human_review"},
    }
    first |= system
    changes = {"stage": "foundation", "capabilities": {"on": list(on)}}
    return EnvironmentSpec.model_validate(values | changes)


def told(graph, system="mortgage-approval"):
    files = graph.one("Service", f"serving-{system}").inputs["files"]
    content = files[f"config/serving-{system}/{MODEL_FILE}"]["content"]
    return json.loads(content)["parameters"]["extra"]


def test_the_processes_are_told_what_the_file_says(workspace):
    spec = declared(OBSERVERS, recording={"exclude": ["hirat"], "pseudonymise": ["hschool"]})
    assert not problems(spec)
    graph = graph_of(spec, workspace)
    found = told(graph)
    recording = found["recording"]
    assert recording["required"] is True, "it is a high-risk system"
    assert recording["durability"] == "group"
    assert (recording["exclude"], recording["pseudonymise"]) == (["hirat"], ["hschool"])
    assert recording["token_file"].endswith(TOKEN_FILE)
    assert recording["key_file"].endswith(KEY_FILE)
    assert recording["spill"].endswith("data/serving/mortgage-approval/spill/serving-mortgage-approval")
    assert found["explain"] == {"within_s": 0.05}
    assert found["fallback"] == {"below_confidence": 0.6, "to": "human_review"}
    assert found["ranges"] == {"pirat": [0, 3], "hirat": [0, 3], "lvrat": [0, 2]}
    other = told(graph, "consumer-credit")
    assert other["explain"] is None
    assert other["fallback"] is None
    assert other["recording"]["spill"] != recording["spill"]
    (part,) = [one for one in graph.all("Part") if one.inputs["labels"].get("mlstrata.io/part") == "explainer"]
    assert part.inputs["labels"]["mlstrata.io/system"] == "mortgage-approval"


def test_without_the_capabilities_nothing_looks(workspace):
    found = told(graph_of(declared([]), workspace))
    assert (found["recording"], found["explain"], found["fallback"], found["ranges"]) == (None, None, None, {})


@pytest.mark.parametrize("required", [True, False])
def test_what_the_file_says_of_records_goes_before_the_tier(workspace, required):
    spec = declared(OBSERVERS, recording={"required": required})
    assert told(graph_of(spec, workspace))["recording"]["required"] is required


def test_an_explanation_of_another_kind_is_refused_by_name():
    (said,) = problems(declared(OBSERVERS, explain="lime"))
    assert said.endswith("systems[0].serving.explain.method: got lime; allowed: shap")
