"""The graph of a local environment: who is beneath whom, what a stage adds, what is refused."""

import json
from pathlib import Path

import pulumi
import pytest
import yaml
from pulumi import RunError

from mlstrata.components.capability import built
from mlstrata.components.errors import PlanError
from mlstrata.environments import Capability, EnvironmentSpec, Stage, Workspace, load
from mlstrata.environments.stages import added_by
from mlstrata.stacks.preconditions import problems
from mlstrata.stacks.program import build, plan
from tests.support.recorded import Graph, record

ROOT = Path(__file__).parents[3]
LOCAL = ROOT / "environments/local.yaml"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def graph_of(spec: EnvironmentSpec, workspace: Workspace) -> Graph:
    def program() -> None:
        for name, value in plan(spec, workspace).items():
            pulumi.export(name, value)

    return record(program, stack=spec.name)


def staged(stage: str, **changes) -> EnvironmentSpec:
    """The shipped local environment at another stage."""
    values = load(LOCAL).model_dump(mode="json", by_alias=True)
    return EnvironmentSpec.model_validate({**values, "stage": stage, "capabilities": {}, **changes})


def test_the_shipped_environment_plans(workspace):
    graph = graph_of(load(LOCAL), workspace)
    services = {resource.name for resource in graph.all("Service")}
    assert services == {
        "mlflow", "runner", "catalog", "gateway", "prometheus", "alertmanager", "resources",
        "recorder", "monitor", "learning",
        "serving-mortgage-approval", "serving-consumer-credit",
    }  # fmt: skip
    assert {f"{service}-ready" for service in services} == {resource.name for resource in graph.all("Ready")}


def test_every_system_is_a_component_with_its_whole_declaration(workspace):
    spec = load(LOCAL)
    graph = graph_of(spec, workspace)
    system = graph.one("AISystem", "mortgage-approval")
    assert system.type == "mlstrata:governance:AISystem"
    assert not system.custom
    assert system.inputs == json.loads(spec.systems[0].model_dump_json(exclude_none=True))


def test_a_systems_resources_are_beneath_it(workspace):
    graph = graph_of(staged("foundation"), workspace)
    beneath = graph.beneath(graph.one("AISystem", "mortgage-approval"))
    assert {(resource.kind, resource.name) for resource in beneath} == {
        ("Ports", "serving-mortgage-approval-ports"),
        ("Serving", "serving-mortgage-approval"),
        ("Service", "serving-mortgage-approval"),
        ("Ready", "serving-mortgage-approval-ready"),
        ("Credential", "serving-secret-mortgage-approval"),
        ("ConfigFile", "serving-mortgage-approval-target"),
        ("ConfigFile", "serving-mortgage-approval-alerts"),
        ("ConfigFile", "service-level-mortgage-approval-alerts"),
    }
    # Its kill switch is a route of the gateway's.
    named = {one.urn for one in graph.resources if "mortgage-approval" in one.name and one.kind != "Part"}
    assert named == {graph.one("AISystem", "mortgage-approval").urn, *(resource.urn for resource in beneath)}


def test_what_is_done_by_the_clock_is_watched_where_there_is_a_clock(workspace):
    values = load(LOCAL).model_dump(mode="json", by_alias=True)
    name = "training-schedules-alerts"
    assert name not in {one.name for one in graph_of(EnvironmentSpec.model_validate(values), workspace).resources}
    values["systems"][0]["model"]["schedule"] = "0 3 * * 1"
    rules = graph_of(EnvironmentSpec.model_validate(values), workspace).one("ConfigFile", name).inputs["content"]
    (rule,) = yaml.safe_load(rules)["groups"][0]["rules"]
    assert (rule["alert"], rule["labels"]["owner"]) == ("TrainingFailed", values["systems"][0]["owner"])
    assert f'{{system="{values["systems"][0]["name"]}"}}' in rule["expr"]


def test_nothing_starts_before_every_port_is_known(workspace):
    graph = graph_of(load(LOCAL), workspace)
    supervisor = graph.one("Supervisor", "supervisor")
    assert {resource.urn for resource in graph.all("Ports")} <= set(supervisor.dependencies)
    for resource in [*graph.all("Service"), *graph.all("ConfigFile")]:
        assert supervisor.urn in resource.dependencies, "where a port is in use, nothing at all is written"


def test_prometheus_starts_after_what_it_reads(workspace):
    graph = graph_of(load(LOCAL), workspace)
    assert {file.urn for file in graph.all("ConfigFile")} <= set(graph.one("Service", "prometheus").dependencies)


def test_foundation_only_adds_to_prerequisites(workspace):
    before, after = (graph_of(staged(stage), workspace) for stage in ("prerequisites", "foundation"))
    old, new = ({resource.urn: resource for resource in graph.resources} for graph in (before, after))
    assert set(old) < set(new)
    for urn, resource in old.items():
        assert new[urn].inputs == resource.inputs, f"{urn} would change"
    added = {(new[urn].kind, new[urn].name) for urn in set(new) - set(old)}
    assert {("Pipelines", "pipelines"), ("Service", "runner"), ("Credential", "runner-token")} <= added
    assert {("Catalog", "catalog"), ("Service", "catalog"), ("Credential", "catalog-token")} <= added


def test_the_learning_loop_removes_nothing(workspace):
    before, after = (graph_of(one, workspace) for one in (staged("foundation"), load(LOCAL)))
    old, new = ({resource.urn: resource for resource in graph.resources} for graph in (before, after))
    assert set(old) < set(new)
    changed = {new[urn].name for urn, resource in old.items() if new[urn].inputs != resource.inputs}
    # What answers has a recorder and explains, alerts go to the learning process too, pages show what goes on.
    assert "mlflow" not in changed
    assert "gateway" not in changed
    added = {new[urn].name for urn in set(new) - set(old) if new[urn].kind == "Service"}
    assert added == {"recorder", "monitor", "learning"}


def test_another_system_changes_only_the_gateway_what_the_catalog_shows_and_what_is_kept(workspace):
    spec = staged("foundation")
    values = spec.model_dump(mode="json", by_alias=True)
    second = {"name": "second", "purpose": "Another.", "risk": {"tier": "minimal"}, "model": {"modality": "tabular"}}
    more = EnvironmentSpec.model_validate({**values, "systems": [*values["systems"], second]})
    old, new = ({resource.urn: resource for resource in graph_of(s, workspace).resources} for s in (spec, more))
    changed = {urn.rpartition("::")[2] for urn in old if new[urn].inputs != old[urn].inputs}
    assert changed == {"gateway", "gateway-routes", "catalog", "resources"}
    for service, file in (
        ("catalog", "config/catalog/declared.json"),
        ("resources", "config/resources/retention.json"),
    ):
        files = next(new[urn] for urn in new if urn.endswith(f"Service::{service}")).inputs["files"]
        assert not files[file]["restart"], "it is read again without a restart"


def test_another_copy_touches_no_process_that_answers(workspace):
    spec = staged("foundation")
    values = spec.model_dump(mode="json", by_alias=True)
    values["systems"][0]["serving"]["replicas"] = {"min": 3, "max": 3}
    more = graph_of(EnvironmentSpec.model_validate(values), workspace)
    old, new = ({resource.urn: resource for resource in graph.resources} for graph in (graph_of(spec, workspace), more))
    changed = {urn.rpartition("::")[2] for urn in old if new[urn].inputs != old[urn].inputs}
    assert changed == {"gateway", "gateway-routes", "catalog", "mortgage-approval"}
    added = {resource.name for urn, resource in new.items() if urn not in old and resource.type.endswith(":Service")}
    assert added == {"serving-2-mortgage-approval", "serving-3-mortgage-approval"}
    # Restarted one after the other: each only when the one before it is well again.
    for first, second in (("", "2-"), ("2-", "3-")):
        ready = more.one("Ready", f"serving-{first}mortgage-approval-ready")
        assert ready.urn in more.one("Service", f"serving-{second}mortgage-approval").dependencies


def test_exports_say_where_things_are_and_no_secret(workspace):
    graph = graph_of(load(LOCAL), workspace)
    assert set(graph.exports) == {"home", "socket", "urls", "ports"}
    assert set(graph.exports["urls"]) == {
        "gateway", "mlflow", "prometheus", "alertmanager", "runner", "catalog", "recorder", "monitor", "learning",
    }  # fmt: skip
    assert "plain-secret" not in json.dumps(graph.exports)


def test_everything_listens_on_loopback(workspace):
    text = json.dumps([resource.inputs for resource in graph_of(load(LOCAL), workspace).resources], default=str)
    for anywhere in ("0.0.0.0", '"::"', "localhost", "[::]"):  # noqa: S104 - what must not be there
        assert anywhere not in text


@pytest.mark.parametrize("stage", ["prerequisites", "foundation"])
@pytest.mark.parametrize("off", [[], ["alerts"]])
def test_the_gateways_log_is_archived_wherever_there_is_a_gateway(workspace, stage, off):
    spec = staged(stage, capabilities={"off": off}, retention={"logs": "190d"})
    graph = graph_of(spec, workspace)
    command = graph.one("Service", "resources").inputs["command"]
    assert command[command.index("--logs-seconds") + 1] == str(190 * 86_400)
    assert int(command[command.index("--gateway-admin") + 1]) > 0
    assert any(one.name == "prometheus" for one in graph.all("Service")) is not bool(off)


def test_alerts_switched_on_again_change_nothing_that_runs(workspace):
    without, full = (graph_of(staged("foundation", capabilities={"off": off}), workspace) for off in (["alerts"], []))
    new = {resource.urn: resource.inputs for resource in full.resources}
    for resource in without.all("Service"):
        assert new[resource.urn] == resource.inputs


def test_only_the_bootstrap_of_the_gateway_needs_a_restart(workspace):
    files = graph_of(load(LOCAL), workspace).one("Service", "gateway").inputs["files"]
    assert {path.rpartition("/")[2] for path, file in files.items() if file["restart"]} == {"envoy.json"}


@pytest.mark.parametrize("capability", [capability for stage in Stage for capability in added_by(stage)])
def test_what_is_not_built_is_refused_by_name(capability):
    stage = next(stage for stage in Stage if capability in added_by(stage))
    found = [text for text in problems(staged(stage.value, capabilities={})) if f"'{capability}'" in text]
    on_demand = {Capability.BATCH, Capability.TUNING, Capability.DISTRIBUTED_TRAINING, Capability.FEATURE_STORE}
    on_demand |= {Capability.BANDIT, Capability.ONLINE_LEARNING}
    if capability in built("local") | on_demand:
        assert not found
    else:
        assert len(found) == 1
        assert f"capabilities: {{off: [{capability}]}}" in found[0]
        assert f"below stage '{stage.value}'" in found[0]


def test_a_batch_system_with_nothing_to_score_is_refused_by_name():
    values = staged("foundation").model_dump(mode="json", by_alias=True)
    batch = {
        "name": "nightly",
        "purpose": "Scores at night.",
        "risk": {"tier": "minimal"},
        "model": {"modality": "tabular"},
        "serving": {"mode": "batch", "schedule": "0 3 * * *"},
    }
    spec = EnvironmentSpec.model_validate({**values, "systems": [batch]})
    assert any("nightly: serving.input: names no dataset to score" in text for text in problems(spec))


def test_a_prohibited_practice_is_refused_before_anything_is_registered(tmp_path, monkeypatch):
    (tmp_path / "environments").mkdir()
    text = LOCAL.read_text().replace("tier: high", "tier: unacceptable")
    (tmp_path / "environments/local.yaml").write_text(text)
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))

    def program() -> None:
        with pytest.raises(RunError, match=r"systems\[0\]\.risk\.tier: mortgage-approval .*Article 5"):
            build("local")

    assert record(program).resources == []


def test_missing_tools_are_named_at_once_before_anything_is_registered(workspace, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("MLSTRATA_TOOLS", "/nowhere")

    def program() -> None:
        with pytest.raises(PlanError) as caught:
            plan(load(LOCAL), workspace)
        (problem,) = caught.value.problems
        assert "missing tools prometheus, alertmanager: " in problem
        assert "mlstrata doctor local" in problem

    assert record(program).resources == []


@pytest.mark.parametrize(
    ("serving", "monitor", "said"),
    [
        ({"limits": {"timeout": "20m"}}, {}, "serving.limits.timeout"),
        ({"limits": {"body_bytes": 10}}, {}, "serving.limits.body_bytes"),
        ({"replicas": {"min": 9, "max": 9}}, {}, "serving.replicas.min: got 9"),
        ({}, {"range": {"probability": [-1, 1]}}, "monitor.range.probability"),
    ],
)
def test_what_the_local_services_cannot_do_is_said(serving, monitor, said):
    system = {"name": "one", "purpose": "P.", "risk": {"tier": "minimal"}, "model": {"modality": "tabular"}}
    values = staged("foundation").model_dump(mode="json", by_alias=True)
    system |= {"serving": serving, "monitor": monitor}
    assert any(said in text for text in problems(EnvironmentSpec.model_validate({**values, "systems": [system]})))
