"""A system of several answers on a cluster: trained by a job, tried and served within the range of each."""

import json
from pathlib import Path

import pulumi

from mlstrata.environments import EnvironmentSpec, Workspace, load
from mlstrata.stacks.program import plan
from tests.support.recorded import record

ROOT = Path(__file__).parents[3]
DEV = ROOT / "environments/dev.yaml"
OUTPUTS = [
    {"name": "denied", "target": "deny", "positive": "yes"},
    {"name": "ratio", "target": "hirat", "task": "regression"},
]
RANGE = {"denied": [0.0, 0.9], "ratio": [0.0, 3.0]}


def test_a_new_version_is_tried_and_served_within_the_range_of_each_answer():
    values = load(DEV).model_dump(mode="json", by_alias=True, exclude_none=True)
    # What reads the one answer of a system is not on there.
    values |= {"stage": "prerequisites", "capabilities": {}}
    system = values["systems"][0]
    for key in ("task", "target", "positive", "settings", "algorithm", "quantile"):
        system["model"].pop(key, None)
    system["model"]["outputs"] = OUTPUTS
    system["kpis"] = [{"metric": "denied.auc", "at_least": 0.7}]
    system["monitor"] |= {"range": RANGE, "fairness": {"at_most": 0.3}}
    spec = EnvironmentSpec.model_validate(values)

    def program() -> None:
        for name, value in plan(spec, Workspace(ROOT)).items():
            pulumi.export(name, value)

    graph, name = record(program, stack="dev"), spec.systems[0].name
    pods = json.dumps([one.inputs for one in graph.all("SeldonDeployment")])
    assert json.dumps(json.dumps(RANGE, sort_keys=True))[1:-1] in pods
    assert '--range"' not in pods
    maps = [one.inputs["data"] for one in graph.all("ConfigMap") if name in one.inputs["metadata"]["name"]]
    served = [json.loads(one["model-settings.json"]) for one in maps if "model-settings.json" in one]
    assert [one["parameters"]["extra"]["output_range"] for one in served] == [RANGE]
    assert graph.one("CronJob", f"training-{name}") is not None
