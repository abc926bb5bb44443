"""What an environment asks of its nodes: added up from the graph, and what its file says otherwise."""

import re
from pathlib import Path

import pulumi
import pytest

from mlstrata.components.workload.sizes import PROFILES, sizes_of
from mlstrata.environments import EnvironmentSpec, Stage, Workspace, load
from mlstrata.environments.spec.quantities import mebibytes
from mlstrata.environments.spec.sizing import Profile
from mlstrata.stacks.program import plan
from tests.support.recorded import Graph, record
from tests.support.rendered import unbuilt

ROOT = Path(__file__).parents[3]
GIB = 1024


def changed(environment: str = "dev", **changes: object) -> EnvironmentSpec:
    values = load(ROOT / f"environments/{environment}.yaml").model_dump(mode="json", by_alias=True)
    return EnvironmentSpec.model_validate({**values, **changes})


def graph_of(spec: EnvironmentSpec) -> Graph:
    def program() -> None:
        for name, value in plan(spec, Workspace(ROOT)).items():
            pulumi.export(name, value)

    return record(program, stack=spec.name)


def _envoys(spec: dict) -> list[tuple[int, dict]]:
    envoys = spec["provider"]["kubernetes"]["envoyDeployment"]
    return [(envoys["replicas"], {"containers": [envoys["container"]]})]


PODS = {
    **dict.fromkeys(("Deployment", "StatefulSet"), lambda spec: [(spec["replicas"], spec["template"]["spec"])]),
    **dict.fromkeys(("Prometheus", "Alertmanager"), lambda spec: [(spec["replicas"], {"containers": [spec]})]),
    "SeldonDeployment": lambda spec: [
        (predictor["replicas"], part["spec"])
        for predictor in spec["predictors"]
        for part in predictor["componentSpecs"]
    ],
    "CronJob": lambda spec: [(1, spec["jobTemplate"]["spec"]["template"]["spec"])],
    "Job": lambda spec: [(1, spec["template"]["spec"])],
    "Cluster": lambda spec: [(spec["instances"], {"containers": [spec]})],
    "EnvoyProxy": _envoys,
}
"""By kind: the pods that a workload has at rest, or a job has while it runs, with their number."""


def _pods(one) -> list[tuple[int, dict]]:
    kind = one.kind if one.type.startswith("kubernetes:") else ""
    return PODS[kind](one.inputs["spec"]) if kind in PODS else []


def _cores(text: str) -> float:
    return int(text[:-1]) / 1000 if text.endswith("m") else float(text)


def asked(one) -> tuple[float, int]:
    """Return cores and MiB that a workload asks for: of its containers together, or of one that runs before them."""
    cores, memory = 0.0, 0
    for number, pod in _pods(one):
        first = [step["resources"]["requests"] for step in pod.get("initContainers", ())]
        runs = [container["resources"]["requests"] for container in pod["containers"]]
        cores += number * max([sum(_cores(each["cpu"]) for each in runs), *(_cores(each["cpu"]) for each in first)])
        together = sum(mebibytes(each["memory"]) for each in runs)
        memory += number * max([together, *(mebibytes(each["memory"]) for each in first)])
    return cores, memory


def standing(graph: Graph) -> tuple[float, int]:
    """Return cores and MiB of all that stands."""
    found = [asked(one) for one in graph.resources if one.kind not in {"CronJob", "Job"}]
    assert len([one for one in found if one[1]]) >= 10
    return sum(one[0] for one in found), sum(one[1] for one in found)


def whole(graph: Graph) -> tuple[float, int]:
    """Return cores and MiB of all that stands, with the largest of its jobs beside it."""
    jobs = [asked(one) for one in graph.resources if one.kind in {"CronJob", "Job"}]
    assert jobs
    cores, memory = standing(graph)
    return cores + max(one[0] for one in jobs), memory + max(one[1] for one in jobs)


def test_small_leaves_half_of_a_small_node_to_the_charts():
    """8 GB and 4 cores hold the platform, dev's systems and a training; the charts' operators have the rest."""
    cores, memory = whole(graph_of(changed(profile="small", storage={"kind": "s3"})))
    assert cores <= 2.5
    assert memory <= 4.5 * GIB


def test_what_dev_ships_with_is_small():
    assert load(ROOT / "environments/dev.yaml").profile is Profile.SMALL


_PAIR = r"([\d.]+), ([\d.]+)"
FOOTPRINT = re.compile(rf"(?m)^\| (prerequisites|foundation), `(small|standard)` \| {_PAIR} \| {_PAIR} \|")
"""A row of docs/kubernetes.md: cores and GiB of what stands, then of it with the largest of its jobs."""


def test_what_a_stage_asks_for_stands_in_the_docs():
    rows = FOOTPRINT.findall((ROOT / "docs/kubernetes.md").read_text(encoding="utf-8"))
    assert len(rows) == 4
    for stage, profile, *told in rows:
        off = unbuilt(Stage(stage), "kubernetes")
        graph = graph_of(changed(profile=profile, storage={"kind": "s3"}, stage=stage, capabilities={"off": off}))
        found = [f"{each:.1f}" for cores, memory in (standing(graph), whole(graph)) for each in (cores, memory / GIB)]
        assert told == found, (stage, profile)


def test_every_size_of_the_platform_is_a_field():
    """Twice as much of each field is twice as much of the platform: nothing asks for memory by a number of its own."""
    spec = changed(systems=[], storage={"kind": "s3"}, profile="standard")
    doubled = {
        name: {"memory": f"{2 * mebibytes(size.memory)}Mi"} for name, size in PROFILES[Profile.STANDARD].of.items()
    }
    before, after = (graph_of(one) for one in (spec, changed(systems=[], storage={"kind": "s3"}, resources=doubled)))
    for one in before.resources:
        if _pods(one):
            (other,) = [each for each in after.resources if each.urn == one.urn]
            assert asked(other)[1] == 2 * asked(one)[1] * (_copies(other) / _copies(one)), one.name


def _copies(one) -> int:
    return sum(number for number, _ in _pods(one))


@pytest.mark.parametrize("profile", list(Profile))
def test_nothing_asks_for_more_than_its_limit(profile):
    for name, size in sizes_of(changed(profile=profile)).of.items():
        assert mebibytes(size.memory) <= mebibytes(size.memory_limit), name
        assert _cores(size.cpu) <= _cores(size.cpu_limit), name


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"memory": "4Gi"}, ("100m", "1", "4Gi", "4Gi")),
        ({"memory_limit": "256Mi"}, ("100m", "1", "256Mi", "256Mi")),
        ({"memory_limit": "8Gi"}, ("100m", "1", "320Mi", "8Gi")),
        ({"cpu": 3}, ("3", "3", "320Mi", "1Gi")),
        ({"cpu_limit": 0.05}, ("50m", "50m", "320Mi", "1Gi")),
        ({"cpu": 0.25, "cpu_limit": 4}, ("250m", "4", "320Mi", "1Gi")),
    ],
)
def test_what_is_not_said_gives_way(said, found):
    size = sizes_of(changed(profile="small", resources={"registry": said})).of["registry"]
    assert (size.cpu, size.cpu_limit, size.memory, size.memory_limit) == found


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ({"cpu": 2, "cpu_limit": 1}, "cpu: got 2.0, more than cpu_limit"),
        ({"memory": "2Gi", "memory_limit": "512Mi"}, "memory: got 2Gi, more than memory_limit"),
        ({"memory": "2G"}, "memory"),
    ],
)
def test_a_request_above_its_limit_is_refused(said, refused):
    with pytest.raises(ValueError, match=refused):
        changed(resources={"registry": said})


def test_a_system_that_is_scaled_by_its_use_asks_for_what_it_declares():
    spec = changed(profile="small")
    declared = spec.systems[0].serving.resources
    sizes = sizes_of(spec)
    assert (sizes.serving(declared).cpu, sizes.serving(declared).cpu_limit) == ("250m", "1000m")
    assert sizes.serving(declared, scaled=True).cpu == "1000m"
    assert (sizes.serving(declared).memory, sizes.serving(declared).memory_limit) == ("256Mi", "1Gi")
