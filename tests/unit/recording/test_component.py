"""The recorder in the graph: its service, what policies see of it, and that every answering system is recorded."""

from pathlib import Path

import pulumi
import pytest
import yaml

from mlstrata.environments import EnvironmentSpec, Workspace, load
from mlstrata.services.recording.settings import HOLD_SECONDS, RecorderSettings
from mlstrata.stacks.program import plan
from tests.support.recorded import Graph, record

LOCAL = Path(__file__).parents[3] / "environments/local.yaml"


@pytest.fixture(scope="module")
def graph(tmp_path_factory) -> Graph:
    values = load(LOCAL).model_dump(mode="json", by_alias=True)
    changes = {"stage": "foundation", "capabilities": {"on": ["recording"]}}
    spec = EnvironmentSpec.model_validate({**values, **changes})

    def program() -> None:
        for name, value in plan(spec, Workspace(tmp_path_factory.mktemp("workspace"))).items():
            pulumi.export(name, value)

    return record(program, stack=spec.name)


def test_the_service_is_told_what_the_file_says(graph):
    service = graph.one("Service", "recorder")
    settings = RecorderSettings.model_validate_json(service.inputs["files"]["config/recorder/recorder.json"]["content"])
    assert settings.predictions == 400 * 86400
    assert settings.systems["mortgage-approval"].hold == HOLD_SECONDS
    assert settings.token_file == settings.home / "config/recorder/token"


def test_every_answering_system_is_recorded_and_its_owner_is_told(graph):
    systems = {one.name.removeprefix("recording-") for one in graph.all("Recording")}
    assert systems == {"mortgage-approval", "consumer-credit"}
    for system in systems:
        file = graph.one("ConfigFile", f"recording-{system}-alerts")
        (group,) = yaml.safe_load(file.inputs["content"])["groups"]
        assert [one["alert"] for one in group["rules"]] == ["RecordsMissing", "NothingRecorded", "RecordsDamaged"]
        assert {one["labels"]["system"] for one in group["rules"]} == {system}


def test_protected_attributes_have_a_place_of_their_own(graph):
    part = graph.one("Part", "protected-attributes")
    assert part.inputs["labels"] == {"mlstrata.io/part": "protected"}
    assert "data/recorder/protected" in graph.one("Service", "recorder").inputs["folders"]
