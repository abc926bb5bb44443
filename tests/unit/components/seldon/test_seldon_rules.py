"""Each broken rule is refused with its reason, and the restated webhook refuses the same object."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from mlstrata.components.serving.seldon import (
    Container,
    Deployment,
    Disruption,
    Explainer,
    Hpa,
    Keda,
    Predictor,
    Trigger,
    Unit,
    ab,
    bandit,
    canary,
    guarded,
    logged,
    manifest,
    shadowed,
)
from tests.support.seldon_rules import broken

IMAGE = {"image": "docker.io/example/model:1.0"}
MLFLOW = {"name": "model", "server": "MLFLOW_SERVER", "model_uri": "s3://models/1"}
CUSTOM = {"name": "model", "container": IMAGE}


def predictor(name: str = "champion", **fields: Any) -> dict[str, Any]:
    return {"name": name, "graph": CUSTOM, **fields}


def deployment(*predictors: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"name": "mortgage", "namespace": "lending", "predictors": list(predictors or [predictor()]), **fields}


def built(*predictors: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return manifest(Deployment.model_validate(deployment(*predictors, **fields)))


def graph(**fields: Any) -> dict[str, Any]:
    return predictor(graph=fields)


ROUTER = {"name": "router", "type": "ROUTER", "container": IMAGE}
BAD: list[tuple[str, dict[str, Any], str]] = [
    ("no predictor", {"name": "a", "namespace": "b", "predictors": []}, "at least 1 item"),
    ("protocol", deployment(protocol="v3"), "'seldon', 'tensorflow', 'kfserving' or 'v2'"),
    ("transport", deployment(transport="http"), "'rest' or 'grpc'"),
    ("two of a name", deployment(predictor(traffic=50), predictor(traffic=50)), "got 'champion' twice"),
    ("traffic", deployment(predictor(traffic=50), predictor("b", traffic=49)), "add up to 99"),
    ("no traffic", deployment(predictor(), predictor("b")), "add up to 0"),
    ("part of it", deployment(predictor(traffic=99)), "got 99; a single predictor that answers gets 100"),
    ("beside a shadow", deployment(predictor(traffic=50), predictor("b", shadow=True)), "got 50; a single"),
    ("negative", deployment(predictor(traffic=-1)), "greater than or equal to 0"),
    ("shadow alone", deployment(predictor(shadow=True)), "stands alone"),
    (
        "shadow's traffic",
        deployment(predictor(), predictor("b", shadow=True, traffic=101)),
        "less than or equal to 100",
    ),
    (
        "two shadows",
        deployment(predictor(), predictor("b", shadow=True), predictor("c", shadow=True)),
        "is the second shadow",
    ),
    ("no model", deployment(graph(name="m", server="SKLEARN_SERVER")), "SKLEARN_SERVER loads its model from there"),
    ("unknown server", deployment(graph(name="m", server="ONNX_SERVER", model_uri="s3://a")), "'MLFLOW_SERVER'"),
    ("no implementation", deployment(graph(name="m")), "'m' has no implementation"),
    (
        "another container",
        deployment(predictor(graph={"name": "m"}, pod={"containers": [{"name": "n", "image": "a/b:1"}]})),
        "or the pod a container called 'm'",
    ),
    ("tensorflow", deployment(predictor(graph=MLFLOW), protocol="tensorflow"), "does not speak the protocol"),
    ("logger", deployment(graph(**CUSTOM, logger={"url": "http://x"})), "Field required"),
    ("logger's mode", deployment(graph(**CUSTOM, logger={"mode": "some"})), "'all', 'request' or 'response'"),
    ("engine", deployment(predictor(engine=False, graph={**CUSTOM, "children": [{**CUSTOM, "name": "b"}]})), "2 units"),
    ("one unit twice", deployment(graph(**CUSTOM, children=[CUSTOM])), "got 'model' twice"),
    ("router's arms", deployment(graph(**ROUTER, children=[CUSTOM])), "ROUTER needs at least 2"),
    (
        "model's children",
        deployment(graph(**CUSTOM, children=[{**CUSTOM, "name": name} for name in ("b", "c")])),
        "MODEL has at most 1",
    ),
    (
        "built in",
        deployment(graph(name="m", type="MODEL", built_in="AVERAGE_COMBINER")),
        "AVERAGE_COMBINER is a COMBINER",
    ),
    ("both", deployment(graph(**MLFLOW, built_in="SIMPLE_MODEL")), "beside the server"),
    ("server's type", deployment(graph(**{**MLFLOW, "type": "TRANSFORMER"})), "a prepackaged server is a MODEL"),
    (
        "built in with a container",
        deployment(graph(name="m", built_in="SIMPLE_MODEL", container=IMAGE)),
        "runs inside Seldon's own",
    ),
    (
        "test's ratio",
        deployment(
            graph(name="r", type="ROUTER", built_in="RANDOM_ABTEST", children=[CUSTOM, {**CUSTOM, "name": "b"}])
        ),
        "RANDOM_ABTEST takes exactly ratioA",
    ),
    ("image that moves", deployment(graph(name="m", container={"image": "a/b:latest"})), "a tag other than latest"),
    ("image with no tag", deployment(graph(name="m", container={"image": "r:5000/a/b"})), "a tag other than latest"),
    ("name", deployment(predictor("Champion")), "starting with a letter"),
    ("long names", deployment(predictor("b" * 40), name="a" * 22), "of 63 characters; allowed 63"),
    (
        "two autoscalers",
        deployment(predictor(hpa={"max": 2}, keda={"max": 2, "triggers": [{"type": "cpu", "metadata": {}}]})),
        "two autoscalers",
    ),
    ("replicas too", deployment(predictor(replicas=2, hpa={"max": 3})), "is given beside hpa"),
    ("autoscaler's order", deployment(predictor(hpa={"min": 4, "max": 3})), "more than max (3)"),
    ("autoscaler's most", deployment(predictor(hpa={"min": 1})), "Field required"),
    ("no trigger", deployment(predictor(keda={"max": 1, "triggers": []})), "at least 1 item"),
    ("explainer", deployment(predictor(explainer={"type": "Lime"})), "'AnchorTabular'"),
    ("typo", deployment(predictor(replica=2)), "Extra inputs are not permitted"),
    (
        "one container twice",
        deployment(predictor(pod={"containers": [{"name": "model", "image": "a/b:1"}]})),
        "got 'model' twice",
    ),
    (
        "one parameter twice",
        deployment(graph(**CUSTOM, parameters=[{"name": "a", "value": 1}, {"name": "a", "value": 2}])),
        "got 'a' twice",
    ),
]


@pytest.mark.parametrize(("fields", "reason"), [bad[1:] for bad in BAD], ids=[bad[0] for bad in BAD])
def test_a_broken_rule_is_refused_with_its_reason(fields: dict[str, Any], reason: str):
    if reason.endswith("allowed 63"):
        reason = "characters; allowed 63"
    with pytest.raises(ValidationError) as caught:
        Deployment.model_validate(fields)
    assert reason in str(caught.value)


def changed(change: Callable[[dict[str, Any]], object]) -> list[str]:
    """Break an admitted manifest by hand: the restated webhook must see it."""
    challenger = predictor("challenger", traffic=20, graph=MLFLOW, hpa={"max": 3})
    made = built(predictor(traffic=80, explainer={"type": "TreeShap"}), challenger)
    assert broken(made) == []
    change(made)
    return broken(made)


def first(made: dict[str, Any]) -> dict[str, Any]:
    one: dict[str, Any] = made["spec"]["predictors"][0]
    return one


def second(made: dict[str, Any]) -> dict[str, Any]:
    one: dict[str, Any] = made["spec"]["predictors"][1]
    return one


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda made: made["spec"].update(protocol="v3"), "invalid protocol"),
        (lambda made: made["spec"].update(transport="http"), "invalid transport"),
        (lambda made: made["spec"].update(serverType="nats"), "invalid server type"),
        (lambda made: made["spec"].update(serverType="kafka"), "kafka needs a broker and two topics"),
        (lambda made: made["spec"].update(predictors=[]), "no predictors"),
        (lambda made: first(made).update(traffic=79), "traffic that does not add up"),
        (lambda made: first(made).update(name="challenger"), "two predictors of one name"),
        (lambda made: [one.update(shadow=True) for one in (first(made), second(made))], "several shadows"),
        (lambda made: made["spec"]["predictors"].pop(), "a single predictor with part of the traffic"),
        (lambda made: second(made).update(shadow=True, traffic=200), "a shadow's traffic outside 0 to 100"),
        (lambda made: first(made).pop("componentSpecs"), "a unit without a container"),
        (lambda made: second(made)["graph"].pop("modelUri"), "a server without a model"),
        (lambda made: made["spec"].update(protocol="tensorflow"), "a server that does not speak tensorflow"),
        (lambda made: second(made)["graph"].update(implementation="ONNX_SERVER"), "an unknown server"),
        (lambda made: first(made)["graph"].update(logger={"url": "http://x"}), "a logger without a mode"),
        (lambda made: first(made)["graph"].update(endpoint={"type": "GRPC"}), "a unit of another transport"),
        (lambda made: first(made)["graph"].update(type="MODELL"), "an unknown type of unit"),
        (
            lambda made: first(made)["graph"].update(parameters=[{"name": "a", "value": 1}]),
            "a parameter that is not whole",
        ),
        (lambda made: first(made)["explainer"].update(type="Lime"), "an unknown explainer"),
        (lambda made: second(made)["componentSpecs"][0]["hpaSpec"].pop("maxReplicas"), "an autoscaler without a most"),
        (lambda made: made["metadata"].update(name="a" * 60), "a service's name that the operator would hash"),
    ],
)
def test_the_restated_webhook_sees_each_broken_rule(change: Callable[[dict[str, Any]], object], reason: str):
    assert reason in changed(change)


@pytest.mark.parametrize(
    ("image", "pinned"),
    [
        ("a/b:1", True),
        ("busybox:1.36", True),
        ("r.example:5000/a/b:v1.2-rc_1", True),
        ("r.example:5000/a/b", False),
        ("a/b", False),
        ("a/b:latest", False),
        ("a/b:latest@sha256:" + "0" * 64, True),
        ("a/b@sha256:" + "0" * 64, True),
        ("a/b@sha256:0", False),
        ("a b:1", False),
        (":1", False),
        ("", False),
    ],
)
def test_an_image_is_pinned_by_tag_or_digest(image: str, pinned: bool):
    if pinned:
        assert Container(image=image).image == image
    else:
        with pytest.raises(ValidationError, match="a tag other than latest"):
            Container(image=image)


def unit(name: str) -> Unit:
    return Unit(name=name, container=Container(image="docker.io/example/model:1.0"))


def champion(name: str = "champion", **fields: Any) -> Predictor:
    return Predictor.model_validate({"name": name, "graph": unit("model"), **fields})


def render(*predictors: Predictor) -> dict[str, Any]:
    made = manifest(Deployment(name="mortgage", namespace="lending", predictors=predictors))
    assert broken(made) == []
    return made


def test_a_canary_and_an_ab_test_share_the_traffic():
    for made in (canary(champion(), champion("challenger"), 5), ab(champion(), champion("challenger"), 5)):
        assert [one["traffic"] for one in render(*made)["spec"]["predictors"]] == [95, 5]


def test_a_shadow_takes_nothing_from_the_champion():
    one, other = render(*shadowed(champion(), champion("challenger"), 10))["spec"]["predictors"]
    assert (one["traffic"], "shadow" in one) == (100, False)
    assert (other["traffic"], other["shadow"]) == (10, True)


def test_a_bandit_routes_between_its_arms_and_learns_by_parameters():
    router = Container(image="docker.io/seldonio/mab_epsilon_greedy:1.17.1")
    made = render(Predictor(name="bandit", graph=bandit("router", [unit("a"), unit("b"), unit("c")], router)))
    (one,) = made["spec"]["predictors"]
    assert one["graph"]["type"] == "ROUTER"
    assert one["graph"]["parameters"] == [
        {"name": "n_branches", "type": "INT", "value": "3"},
        {"name": "epsilon", "type": "DOUBLE", "value": "0.1"},
        {"name": "verbose", "type": "BOOL", "value": "false"},
    ]
    assert [child["name"] for child in one["graph"]["children"]] == ["a", "b", "c"]
    assert len(one["componentSpecs"][0]["spec"]["containers"]) == 4
    with pytest.raises(ValueError, match="exploration: got 2"):
        bandit("router", [unit("a"), unit("b")], router, exploration=2)
    with pytest.raises(ValidationError, match="ROUTER needs at least 2"):
        bandit("router", [unit("a")], router)


def test_an_outlier_detector_sees_each_request_before_the_model_and_payloads_are_logged():
    guard = guarded("outliers", Container(image="docker.io/example/outliers:1.0"), unit("model"))
    made = render(Predictor(name="champion", graph=logged(guard, "http://recorder.lending:8080/events")))
    top = first(made)["graph"]
    assert (top["type"], top["children"][0]["name"]) == ("TRANSFORMER", "model")
    assert top["logger"] == {"mode": "all", "url": "http://recorder.lending:8080/events"}


def test_transformers_and_a_combiner_stand_around_models():
    combined = Unit.model_validate(
        {"name": "mean", "type": "COMBINER", "built_in": "AVERAGE_COMBINER", "children": (unit("a"), unit("b"))}
    )
    after = Unit.model_validate(
        {"name": "after", "type": "OUTPUT_TRANSFORMER", "container": IMAGE, "children": (combined,)}
    )
    made = render(Predictor(name="champion", graph=after))
    assert first(made)["graph"]["children"][0]["implementation"] == "AVERAGE_COMBINER"
    assert [one["name"] for one in first(made)["componentSpecs"][0]["spec"]["containers"]] == ["after", "a", "b"]


def test_scaling_disruption_explanation_and_accelerators():
    server = {"name": "model", "server": "TRITON_SERVER", "model_uri": "s3://models/1", "env_secret": "store"}
    scaled = champion(
        graph=server,
        hpa=Hpa(min=2, max=6, cpu=60),
        disruption=Disruption(max_unavailable=1),
        explainer=Explainer.model_validate({"type": "AnchorTabular", "model_uri": "s3://e/1", "config": {"seed": "1"}}),
    )
    one = first(render(scaled))
    (component,) = one["componentSpecs"]
    assert component["spec"]["containers"] == [{"name": "model"}]
    assert component["hpaSpec"]["metricsv2"][0]["resource"]["target"]["averageUtilization"] == 60
    assert component["pdbSpec"] == {"maxUnavailable": 1}
    assert one["graph"]["envSecretRefName"] == "store"
    assert one["explainer"] == {"type": "AnchorTabular", "modelUri": "s3://e/1", "config": {"seed": "1"}}
    trigger = Trigger(type="prometheus", metadata={"query": "up", "threshold": "1"})
    watched = champion(
        graph={"name": "m", "container": {**IMAGE, "gpu": 1}}, keda=Keda(max=3, min=0, triggers=(trigger,))
    )
    (component,) = first(render(watched))["componentSpecs"]
    assert component["kedaSpec"]["maxReplicaCount"] == 3
    assert component["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"


def test_a_pod_of_ones_own_brings_the_containers():
    pod = {
        "serviceAccountName": "s",
        "containers": [{"name": "model", "image": "a/b:1"}, {"name": "side", "image": "a/c:1"}],
    }
    one = first(built(predictor(graph={"name": "model"}, pod=pod)))
    assert one["componentSpecs"] == [{"spec": pod}]
    assert "replicas" not in one


def test_what_is_not_set_is_not_in_it_and_two_renders_agree():
    made = built()
    assert "children" not in first(made)["graph"]
    assert made == built()
    assert made["spec"]["predictors"][0]["traffic"] == 100
    container = first(made)["componentSpecs"][0]["spec"]["containers"][0]
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert "command" not in container


def test_a_predictor_without_an_executor_says_so():
    one = first(built(predictor(engine=False)))
    assert one["annotations"] == {"seldon.io/no-engine": "true"}
