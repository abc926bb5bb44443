"""The graph of an environment on a cluster: closed namespaces, restricted pods, no secret, and stages that only add."""

import json
from functools import cache
from pathlib import Path

import pulumi
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlstrata.components.capability import built
from mlstrata.components.cluster import NOT_AWAITED, TAKE_OVER
from mlstrata.components.errors import PlanError
from mlstrata.environments import Capability, EnvironmentSpec, Stage, Workspace, load
from mlstrata.environments.stages import ENTRIES, capabilities_of
from mlstrata.stacks.preconditions import problems
from mlstrata.stacks.program import plan
from tests.support.recorded import Graph, Registered, record

ROOT = Path(__file__).parents[3]
DEV = ROOT / "environments/dev.yaml"
TOLD = ("ConfigMap", "SeldonDeployment")
"""Kinds of what predicts that are told who looks at its predictions."""
WORKLOADS = ("Deployment", "StatefulSet", "CronJob", "SeldonDeployment")


def staged(stage: str = "foundation", **changes) -> EnvironmentSpec:
    """The shipped dev environment at another stage, without what no issue has built for clusters yet."""
    values = load(DEV).model_dump(mode="json", by_alias=True)
    unbuilt = sorted(capabilities_of(Stage(stage)) - built("kubernetes"))
    return EnvironmentSpec.model_validate({**values, "stage": stage, "capabilities": {"off": unbuilt}, **changes})


def graph_of(spec: EnvironmentSpec) -> Graph:
    def program() -> None:
        for name, value in plan(spec, Workspace(ROOT)).items():
            pulumi.export(name, value)

    return record(program, stack=spec.name)


@cache
def shipped() -> Graph:
    return graph_of(load(DEV))


def objects(graph: Graph) -> list[Registered]:
    return [one for one in graph.resources if one.type.startswith("kubernetes:") and "metadata" in one.inputs]


def pods(one: Registered) -> list[dict]:
    spec = one.inputs["spec"]
    if one.kind == "CronJob":
        return [spec["jobTemplate"]["spec"]["template"]["spec"]]
    if one.kind == "SeldonDeployment":
        return [component["spec"] for predictor in spec["predictors"] for component in predictor["componentSpecs"]]
    return [spec["template"]["spec"]]


def containers(pod: dict) -> list[dict]:
    return [*pod.get("initContainers", []), *pod["containers"]]


def before(graph: Graph, one: Registered) -> set[str]:
    """All that a resource is made after, at one remove or more."""
    by_urn, found, todo = {each.urn: each for each in graph.resources}, set(), [*one.dependencies]
    while todo:
        urn = todo.pop()
        if urn not in found:
            found.add(urn)
            todo += by_urn[urn].dependencies if urn in by_urn else ()
    return found


def workloads(graph: Graph) -> list[Registered]:
    return [one for one in objects(graph) if one.kind in WORKLOADS]


def test_every_custom_resource_takes_the_one_provider():
    graph = shipped()
    (provider,) = [one for one in graph.resources if one.type == "pulumi:providers:kubernetes"]
    assert provider.inputs["context"] == "ml-dev"
    assert provider.inputs["enableServerSideApply"] == "true"
    # Feast's and Kubeflow's bundles declare the namespaces that are made for them; what holds data is there already.
    assert provider.inputs["upsertExistingObjects"] == "true"
    # A move up changes the settings of what predicts, and pods that start meanwhile need them.
    assert provider.inputs["enableConfigMapMutable"] == "true"
    taking = [one for one in graph.resources if one.type.startswith("kubernetes:")]
    assert {"Deployment", "SeldonDeployment", "Release", "Directory", "ConfigFile"} <= {one.kind for one in taking}
    # One without it would go to whatever cluster somebody used last.
    assert not [one.name for one in taking if one.providers != {f"{provider.urn}::{provider.name}-id"}]


def test_what_stays_when_a_stack_goes_is_taken_over_by_the_next_and_nothing_else_is_forced():
    forced = {one.kind for one in objects(shipped()) if TAKE_OVER in one.inputs["metadata"].get("annotations", {})}
    held = {"StatefulSet", "PersistentVolumeClaim", "Cluster", "Database", "Prometheus"}
    assert forced == held | {"Namespace", "NetworkPolicy"}
    (walls,) = [one for one in shipped().all("NetworkPolicy") if one.name == "namespace-lending-deny"]
    assert TAKE_OVER not in walls.inputs["metadata"].get("annotations", {})


def test_an_update_waits_for_pods_and_not_for_their_volumes():
    skipped = {one.kind for one in objects(shipped()) if NOT_AWAITED in one.inputs["metadata"].get("annotations", {})}
    assert skipped == {"PersistentVolumeClaim"}


def test_every_namespace_is_closed_both_ways_and_has_a_security_standard():
    graph = shipped()
    namespaces = {one.inputs["metadata"]["name"]: one.inputs["metadata"]["labels"] for one in graph.all("Namespace")}
    denied = {
        one.inputs["metadata"]["namespace"]
        for one in graph.all("NetworkPolicy")
        if one.inputs["spec"].get("podSelector") == {}
        and set(one.inputs["spec"]["policyTypes"]) == {"Ingress", "Egress"}
        and not {"ingress", "egress"} & set(one.inputs["spec"])
    }
    assert set(namespaces) == denied
    assert {one.inputs["metadata"].get("namespace") for one in objects(graph)} - {None} <= set(namespaces)
    looser = {
        name for name, labels in namespaces.items() if labels["pod-security.kubernetes.io/enforce"] != "restricted"
    }
    assert looser == {"monitoring", "gpu-system", "kubeflow"}, "named in the bill of materials, each with its why"


def test_every_opening_names_its_ports_and_its_peers():
    for one in shipped().all("NetworkPolicy"):
        spec = one.inputs["spec"]
        for way, peers in (("ingress", "from"), ("egress", "to")):
            for rule in spec.get(way, []):
                assert rule[peers], one.name
                if one.inputs["metadata"]["name"] != "allow-within":
                    assert rule["ports"], one.name


def test_pods_are_restricted_and_bounded():
    found = workloads(shipped())
    assert len(found) >= 6
    for one in found:
        for pod in pods(one):
            assert pod["securityContext"]["runAsNonRoot"] is True
            # What collects logs asks the API server for them; nothing else has anything to ask it.
            assert pod["automountServiceAccountToken"] is one.name.endswith("-logs-collector")
            assert pod["serviceAccountName"]
            assert pod["priorityClassName"]
            for container in containers(pod):
                context = container["securityContext"]
                assert context["allowPrivilegeEscalation"] is False
                assert context["readOnlyRootFilesystem"] is True
                assert context["capabilities"] == {"drop": ["ALL"]}
                assert context["seccompProfile"] == {"type": "RuntimeDefault"}
                assert {"cpu", "memory"} <= set(container["resources"]["limits"])
                assert "@sha256:" in container["image"] or not container["image"].endswith(":latest")


def test_what_answers_has_probes():
    for one in workloads(shipped()):
        if one.kind != "CronJob":
            for pod in pods(one):
                assert all(one["readinessProbe"] and one["livenessProbe"] for one in pod["containers"])


def test_no_object_holds_a_secret_and_every_reference_is_told():
    graph = shipped()
    assert not graph.all("Secret")
    told = {(one["namespace"], one["name"]): set(one["keys"]) for one in graph.exports["references"]}
    made = {("mlstrata-dev", "database-app"): {"uri"}}  # by the database's operator
    for one in workloads(graph):
        space = one.inputs["metadata"]["namespace"]
        for pod in pods(one):
            for container in containers(pod):
                for variable in container.get("env", []):
                    if "valueFrom" not in variable:
                        assert "PASSWORD" not in variable["name"], one.name
                        continue
                    if "fieldRef" in variable["valueFrom"]:
                        continue  # of its own pod's
                    reference = variable["valueFrom"]["secretKeyRef"]
                    keys = {**told, **made}[space, reference["name"]]
                    assert reference["key"] in keys, f"{one.name}: {reference}"


def test_a_systems_objects_are_beneath_it_and_carry_its_label():
    graph = shipped()
    for name in ("mortgage-approval", "mortgage-forest", "ticket-routing"):
        beneath = [one for one in graph.beneath(graph.one("AISystem", name)) if one.custom]
        assert beneath
        for one in beneath:
            assert one.inputs["metadata"]["labels"]["mlstrata.io/system"] == name, one.name
            assert one.inputs["metadata"]["labels"]["mlstrata.io/cost-centre"] in {"4711", "4712"}
            assert "@" in one.inputs["metadata"]["annotations"]["mlstrata.io/owner"]


def test_consumers_are_let_in_by_name_and_rate():
    graph = shipped()
    (access,) = [one for one in graph.all("SecurityPolicy") if one.inputs["metadata"]["name"] == "mortgage-approval"]
    rules = access.inputs["spec"]["authorization"]["rules"]
    assert access.inputs["spec"]["authorization"]["defaultAction"] == "Deny"
    assert {rule["name"] for rule in rules} == {"underwriter-desk", "load-test"}
    claims = {claim["name"]: claim["values"] for claim in rules[0]["principal"]["jwt"]["claims"]}
    assert claims == {"sub": ["underwriter-desk"], "systems": ["mortgage-approval"]}
    limits = graph.one("BackendTrafficPolicy", "route-mortgage-approval-limits").inputs["spec"]
    assert [rule["limit"] for rule in limits["rateLimit"]["local"]["rules"]] == [
        {"requests": 5, "unit": "Second"},
        {"requests": 100, "unit": "Second"},
    ]


def test_what_a_killed_pod_cannot_have_begun_is_asked_of_another_one():
    retry = shipped().one("BackendTrafficPolicy", "route-mortgage-approval-limits").inputs["spec"]["retry"]
    # Of what may have begun nothing is asked again: a prediction is recorded once.
    assert set(retry["retryOn"]["triggers"]) == {"connect-failure", "refused-stream", "reset-before-request"}
    assert retry["numRetries"] >= 1


def test_nobody_enters_where_no_consumer_is_declared():
    (access,) = [one for one in shipped().all("SecurityPolicy") if one.inputs["metadata"]["name"] == "ticket-routing"]
    assert access.inputs["spec"]["authorization"] == {"defaultAction": "Deny"}


def test_a_route_reaches_a_service_that_seldon_makes_for_a_predictor_of_the_deployment():
    graph = shipped()
    route = graph.one("HTTPRoute", "route-mortgage-approval").inputs["spec"]["rules"][0]
    made = graph.one("SeldonDeployment", "serving-mortgage-approval").inputs
    name = made["metadata"]["name"]
    services = {
        f"{name}-{predictor['name']}-{container['name']}"
        for predictor in made["spec"]["predictors"]
        for container in predictor["componentSpecs"][0]["spec"]["containers"]
    }
    assert {backend["name"] for backend in route["backendRefs"]} <= services
    assert sum(backend["weight"] for backend in route["backendRefs"]) == 100


def test_a_version_on_its_way_out_says_so_and_the_current_one_does_not():
    serving = {
        "consumers": [{"name": "desk", "rate": "5/s"}],
        "api_versions": ["v1", "v2"],
        "deprecations": [{"api": "v1", "since": "2026-12-01", "sunset": "2027-06-01"}],
    }
    systems = [{**load(DEV).systems[0].model_dump(mode="json"), "serving": serving}]
    rules = graph_of(staged(systems=systems)).one("HTTPRoute", "route-mortgage-approval").inputs["spec"]["rules"]
    assert len(rules) == 1, "Envoy counts by rule: a consumer has one rate, not one a version"
    (match,) = rules[0]["matches"]
    assert match["path"] == {"type": "RegularExpression", "value": "/systems/mortgage-approval/(v1|v2)/predict"}
    asked, answered = rules[0]["filters"]
    waits = [{"name": "x-envoy-expected-rq-timeout-ms", "value": "5000"}]
    assert asked["requestHeaderModifier"] == {"set": waits}, "what comes to its turn later is not computed"
    assert "x-mlstrata-overloaded" in answered["responseHeaderModifier"]["remove"]
    told = {one["name"]: one["value"] for one in answered["responseHeaderModifier"]["set"]}
    only = "%CEL(request.url_path == '/systems/mortgage-approval/v1/predict' ? "
    assert told["sunset"] == f"{only}'Tue, 01 Jun 2027 00:00:00 GMT' : '')%"
    assert "/v2/predict" in told["link"]
    assert set(told) == {"deprecation", "sunset", "link", "retry-after"}


def test_a_limit_that_no_envoy_can_hold_is_refused():
    serving = {"consumers": [{"name": "desk", "rate": "5/s", "quota": "1000/d"}]}
    systems = [{**load(DEV).systems[0].model_dump(mode="json"), "serving": serving}]
    assert any("serving.consumers[0].quota" in text for text in problems(staged(systems=systems)))


def test_on_a_cluster_of_somebodys_the_gateways_service_has_nothing_of_a_cloud():
    proxy = shipped().one("EnvoyProxy", "gateway-proxy").inputs["spec"]
    service = proxy["provider"]["kubernetes"]["envoyService"]
    assert service == {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}


def test_the_feature_stores_pods_read_the_bucket_with_its_keys():
    model = {"modality": "tabular", "features": "mortgage_v2"}
    systems = [{**load(DEV).systems[0].model_dump(mode="json"), "model": model}]
    graph = graph_of(staged("mature", systems=systems, retention={"features": "36h"}))
    env = graph.one("FeatureStore", "features").inputs["spec"]["services"]["onlineStore"]["server"]["env"]
    keys = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in env if "valueFrom" in one}
    assert keys["AWS_SECRET_ACCESS_KEY"] == {"name": "object-store", "key": "secret_access_key"}
    assert {"name": "AWS_ENDPOINT_URL_S3", "value": "https://objects.example.com"} in env
    assert "eks.amazonaws.com" not in str(graph.one("ServiceAccount", "features-account").inputs)
    space = graph.one("FeatureStore", "features").inputs["metadata"]["namespace"]
    standards = {one.inputs["metadata"]["name"]: one.inputs["metadata"]["labels"] for one in graph.all("Namespace")}
    # Feast's pods do not say what `restricted` asks of them: in the platform's namespace none would start.
    assert (space, standards[space]["pod-security.kubernetes.io/enforce"]) == ("feast-operator-system", "baseline")
    assert (space, "feast-stores") in {(one["namespace"], one["name"]) for one in graph.exports["references"]}
    labels = graph.one("FeatureStore", "features").inputs["metadata"]["labels"]
    assert labels["mlstrata.io/ttl"] == "36h", "how long its values hold"


def test_more_consumers_than_envoy_gateway_counts_for_are_refused():
    told = []
    for number in (16, 17):
        serving = {"consumers": [{"name": f"desk-{one}", "rate": "5/s"} for one in range(number)]}
        systems = [{**load(DEV).systems[0].model_dump(mode="json"), "serving": serving}]
        told.append([text for text in problems(staged(systems=systems)) if "serving.consumers: got 17" in text])
    assert [len(found) for found in told] == [0, 1]


def test_a_system_with_a_kill_switch_has_a_route_that_stops_it():
    systems = [{**load(DEV).systems[0].model_dump(mode="json"), "oversight": {"kill_switch": True}}]
    graph = graph_of(staged(systems=systems))
    stop = graph.one("HTTPRoute", "route-mortgage-approval-stop").inputs
    route = graph.one("HTTPRoute", "route-mortgage-approval").inputs
    assert stop["metadata"]["labels"]["mlstrata.io/part"] == "kill-switch"
    paths = [[match["path"] for match in one["spec"]["rules"][0]["matches"]] for one in (stop, route)]
    assert paths[0] == paths[1], "one condition more on the very same path wins"


def test_a_team_has_its_quota_of_gpus():
    quotas = {
        one.inputs["metadata"]["namespace"]: one.inputs["spec"]["hard"]["requests.nvidia.com/gpu"]
        for one in shipped().all("ResourceQuota")
    }
    assert quotas == {"mlstrata-dev": "0", "mlstrata-dev-lending": "1", "mlstrata-dev-service-desk": "0"}


def test_gpu_pools_scale_to_nothing_are_bounded_and_kept_for_gpus():
    pool = shipped().one("NodePool", "gpu-train").inputs["spec"]
    assert pool["limits"] == {"nvidia.com/gpu": "2"}
    assert pool["disruption"] == {
        "consolidationPolicy": "WhenEmpty",
        "consolidateAfter": "300s",
        "budgets": [{"nodes": "1"}],
    }
    assert {taint["effect"] for taint in pool["template"]["spec"]["taints"]} == {"NoSchedule"}
    values = {one["key"]: one["values"] for one in pool["template"]["spec"]["requirements"]}
    assert values["karpenter.sh/capacity-type"] == ["spot", "on-demand"]
    assert values["mlstrata.io/accelerator"] == ["nvidia-t4"]


def test_a_training_is_not_disrupted_and_holds_its_whole_request():
    graph = shipped()
    template = graph.one("CronJob", "training-mortgage-approval").inputs["spec"]["jobTemplate"]["spec"]["template"]
    assert template["metadata"]["annotations"]["karpenter.sh/do-not-disrupt"] == "true"
    request = json.loads(graph.one("ConfigMap", "training-mortgage-approval-settings").inputs["data"]["settings.json"])
    assert request["system"] == "mortgage-approval"
    assert request["tracking_uri"] == "http://mlflow.mlstrata-dev.svc:5000"


def test_a_registry_is_not_killed_while_it_changes_its_tables_or_its_database_is_away():
    (container,) = pods(shipped().one("StatefulSet", "mlflow"))[0]["containers"]
    starts = container["startupProbe"]
    assert starts["periodSeconds"] * starts["failureThreshold"] >= 3600
    assert container["readinessProbe"]["httpGet"]["path"] == "/health"
    assert starts["httpGet"]["path"] == container["livenessProbe"]["httpGet"]["path"] == "/alive"


def _behind(service: Registered, one: Registered) -> bool:
    labels = one.inputs["spec"]["template"]["metadata"]["labels"]
    same = one.inputs["metadata"]["namespace"] == service.inputs["metadata"]["namespace"]
    return same and service.inputs["spec"]["selector"].items() <= labels.items()


def test_no_pod_waits_for_the_service_before_it():
    """Pulumi calls a service made once pods answer behind it: pods made after it would never come."""
    graph = graph_of(staged(storage={"kind": "s3"}))
    services, servers = graph.all("Service"), [*graph.all("Deployment"), *graph.all("StatefulSet")]
    assert {one.name for one in services} >= {"storage-service", "logs-service", "mlflow-service"}
    for service in services:
        behind = [one for one in servers if _behind(service, one)]
        assert len(behind) == 1, service.name
        assert service.urn not in before(graph, behind[0]), f"{behind[0].name} waits for {service.name}"


def test_definitions_come_before_their_operators_and_stay():
    graph = shipped()
    envoy, own = graph.one("Release", "envoy-gateway"), graph.one("ConfigFile", "envoy-gateway-crds")
    assert {own.urn, graph.one("ConfigFile", "gateway-api-crds").urn} <= before(graph, envoy)
    assert envoy.inputs["skipCrds"] is True
    assert envoy.inputs["values"]["crds"] == {"enabled": False}
    (entrance,) = [one for one in graph.all("Gateway") if one.custom]
    assert envoy.urn in before(graph, entrance)


def test_seldons_operator_is_told_what_its_closed_namespace_asks_of_pods():
    graph = shipped()
    security = graph.one("Release", "seldon-core").inputs["values"]["manager"]["containerSecurityContext"]
    ours = pods(graph.one("StatefulSet", "mlflow"))[0]["containers"][0]["securityContext"]
    # Its chart puts these fields into the container as they are.
    assert security == {"securityContext": {key: ours[key] for key in ours if key != "readOnlyRootFilesystem"}}


def test_every_version_of_a_chart_comes_from_the_bill():
    from mlstrata.components.upstream.bill import BILL

    charts = {
        source.version
        for piece in BILL
        for source in (*piece.sources, piece.crd_source)
        if source is not None and hasattr(source, "version")
    }
    assert {one.inputs["version"] for one in shipped().all("Release")} <= charts


def _comparable(one: Registered) -> tuple:
    return one.parent, json.dumps(one.inputs, sort_keys=True, default=str)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_moving_up_a_stage_only_adds(data):
    """Whatever systems, teams and pools an environment has, what it has at a stage it has unchanged at the next.

    But for what predicts: from the stage that records on its pods are told of the recorder.
    """
    values = load(DEV).model_dump(mode="json", by_alias=True)
    chosen = data.draw(st.lists(st.sampled_from(values["systems"]), unique_by=lambda one: one["name"], max_size=3))
    changes = {
        "systems": chosen,
        "gpu_pools": values["gpu_pools"] if data.draw(st.booleans()) else [],
        "retention": {"logs": data.draw(st.sampled_from(["14d", "200d"]))},
    }
    stages = [stage.value for stage in Stage]
    low = data.draw(st.integers(0, len(stages) - 2))
    high = data.draw(st.integers(low + 1, len(stages) - 1))
    before, after = (graph_of(staged(stages[at], **changes)) for at in (low, high))
    later = {one.urn: one for one in after.resources}
    for one in before.resources:
        assert one.urn in later, f"{one.name} would be deleted"
        same = _comparable(one) == _comparable(later[one.urn])
        assert same or (one.name.startswith("serving-") and one.kind in TOLD), f"{one.name} would change"


def test_what_a_cluster_cannot_do_is_said():
    pools = [{"name": "serve", "accelerator": "nvidia-l4", "nodes": {"min": 1, "max": 2}}]
    assert any("gpu_pools[0].nodes.min" in text for text in problems(staged(gpu_pools=pools)))
    systems = [{**load(DEV).systems[1].model_dump(mode="json"), "data": [], "model": {"modality": "tabular"}}]
    systems[0]["serving"] = {"mode": "batch"}
    assert any("serving.input" in text for text in problems(staged(systems=systems)))


def test_what_is_not_built_is_refused_by_name_before_anything_is_registered():
    values = load(DEV).model_dump(mode="json", by_alias=True)
    spec = EnvironmentSpec.model_validate({**values, "stage": "scale", "capabilities": {}})
    missing = capabilities_of(Stage.SCALE) - built("kubernetes")

    def program() -> None:
        with pytest.raises(PlanError) as caught:
            plan(spec, Workspace(ROOT))
        told = str(caught.value)
        assert all(f"'{one.value}' is not built for target 'kubernetes'" in told for one in missing if _always(one))

    assert record(program, stack="dev").resources == []
    assert Capability.ROLLOUT in missing


def _always(capability: Capability) -> bool:
    return not ENTRIES[capability].on_demand
