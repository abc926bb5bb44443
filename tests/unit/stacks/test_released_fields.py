"""What a release sets is declared by no deployment of the environment, so neither undoes the other."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest

from mlstrata.components import cluster
from mlstrata.environments import Workspace, load
from mlstrata.services.serving.cluster import PREDICTOR, RECORD, UNIT, VERSION, deployment_of
from mlstrata.stacks.program import plan
from tests.support.recorded import Graph, record

ROOT = Path(__file__).parents[3]
SYSTEM = "mortgage-approval"


@pytest.fixture
def ignored(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Record what each object of a program has Pulumi ignore."""
    found: dict[str, list[str]] = {}
    register = cluster.register

    def recording(name: str, manifest: Any, opts: pulumi.ResourceOptions) -> pulumi.CustomResource:
        found[name] = list(opts.ignore_changes or ())
        return register(name, manifest, opts)

    monkeypatch.setattr(cluster, "register", recording)
    return found


def built(name: str) -> Graph:
    spec = load(ROOT / f"environments/{name}.yaml")

    def program() -> None:
        plan(spec, Workspace(ROOT))

    return record(program, stack=name)


def annotations(value: Any) -> Iterator[str]:
    """Yield every key of every `annotations` in a document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "annotations" and isinstance(inner, dict):
                yield from inner
            yield from annotations(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from annotations(inner)


@pytest.mark.parametrize("name", ["dev", "staging"])
def test_nothing_declares_what_a_release_sets(name: str):
    for one in built(name).resources:
        assert not {VERSION, RECORD} & set(annotations(one.inputs)), one.name


def test_the_pods_take_the_version_from_where_a_release_sets_it():
    made = built("dev").one("SeldonDeployment", f"serving-{SYSTEM}").inputs
    (predictor,) = made["spec"]["predictors"]
    (component,) = predictor["componentSpecs"]
    (fetch,) = component["spec"]["initContainers"]
    taken = {one["name"]: one["valueFrom"]["fieldRef"]["fieldPath"] for one in fetch["env"] if "fieldRef" in str(one)}
    assert taken == {
        "MLSTRATA_MODEL_VERSION": f"metadata.annotations['{VERSION}']",
        "MLSTRATA_MODEL_DIGEST": "metadata.annotations['mlstrata.io/model-digest']",
    }
    names = [one["name"] for one in component["spec"]["containers"]]
    assert (predictor["name"], names) == (PREDICTOR, [UNIT])
    assert deployment_of(made["metadata"]["name"]) == f"{SYSTEM}-{predictor['name']}-0-{names[0]}", "as Seldon names it"
    assert len(deployment_of("x" * 40)) <= 63


@pytest.mark.parametrize("name", ["dev", "staging"])
def test_what_pulumi_ignores_is_a_whole_field_that_its_provider_can_leave_alone(
    ignored: dict[str, list[str]], name: str
):
    """Its Kubernetes provider follows no path into a list, and would send what the state has: a release undone."""
    built(name)
    assert ignored
    assert not [(one, path) for one, paths in ignored.items() for path in paths if "[" in path]


def test_a_clock_that_pipelines_replace_is_left_alone(ignored: dict[str, list[str]]):
    graph = built("staging")
    trained = {one.inputs["metadata"]["name"]: one for one in graph.all("CronJob") if not one.inputs["spec"]["suspend"]}
    name = f"training-{SYSTEM}"
    assert name in trained
    assert ignored[name] == ["spec.suspend"]
    (rule,) = next(one for one in graph.all("Role") if one.inputs["metadata"]["name"] == f"clock-{name}").inputs[
        "rules"
    ]
    assert (rule["resources"], rule["resourceNames"], rule["verbs"]) == (["cronjobs"], [name], ["get", "patch"])
    assert not [one for one in graph.all("Role") if "*" in str(one.inputs["rules"])]
