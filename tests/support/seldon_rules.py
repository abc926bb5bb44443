"""What the webhook of Seldon Core 1.17.1 refuses, restated over plain manifests and written without our models.

Each rule yields sentences; none means that the webhook would admit the object.
"""

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
SERVERS = {
    "MLFLOW_SERVER",
    "SKLEARN_SERVER",
    "XGBOOST_SERVER",
    "TENSORFLOW_SERVER",
    "TRITON_SERVER",
    "HUGGINGFACE_SERVER",
    "TEMPO_SERVER",
}
BUILT_IN = {"SIMPLE_MODEL", "SIMPLE_ROUTER", "RANDOM_ABTEST", "AVERAGE_COMBINER"}
TYPES = {"MODEL", "ROUTER", "COMBINER", "TRANSFORMER", "OUTPUT_TRANSFORMER"}
EXPLAINERS = {
    *("AnchorTabular", "AnchorImages", "AnchorText", "Counterfactuals", "Contrastive"),
    *("KernelShap", "IntegratedGradients", "ALE", "TreeShap"),
}
KAFKA = {"KAFKA_BROKER", "KAFKA_INPUT_TOPIC", "KAFKA_OUTPUT_TOPIC"}


def broken(manifest: Json) -> list[str]:
    """Return every rule that the manifest breaks."""
    spec = manifest["spec"]
    return [
        *_words(spec),
        *_kafka(spec),
        *_shadows(spec),
        *_names(spec),
        *_units(spec),
        *_transports(spec),
        *_traffic(spec),
        *_operator(manifest),
    ]


def _predictors(spec: Json) -> list[Json]:
    found: list[Json] = spec.get("predictors", [])
    return found


def _all_units(unit: Json) -> Iterator[Json]:
    yield unit
    for child in unit.get("children", []):
        yield from _all_units(child)


def _words(spec: Json) -> Iterator[str]:
    if spec.get("protocol", "seldon") not in {"seldon", "tensorflow", "kfserving", "v2"}:
        yield "invalid protocol"
    if spec.get("transport", "rest") not in {"rest", "grpc"}:
        yield "invalid transport"
    if spec.get("serverType", "rpc") not in {"rpc", "kafka"}:
        yield "invalid server type"
    if not _predictors(spec):
        yield "no predictors"


def _kafka(spec: Json) -> Iterator[str]:
    for one in _predictors(spec) if spec.get("serverType") == "kafka" else []:
        if not {env["name"] for env in one.get("svcOrchSpec", {}).get("env", [])} >= KAFKA:
            yield "kafka needs a broker and two topics"


def _shadows(spec: Json) -> Iterator[str]:
    shadows = [one for one in _predictors(spec) if one.get("shadow")]
    if len(shadows) > 1:
        yield "several shadows"
    if shadows and len(_predictors(spec)) == 1:
        yield "a shadow alone"
    for one in shadows:
        if not 0 <= one.get("traffic", 0) <= 100:
            yield "a shadow's traffic outside 0 to 100"


def _names(spec: Json) -> Iterator[str]:
    names = [one["name"] for one in _predictors(spec)]
    if len(set(names)) < len(names):
        yield "two predictors of one name"
    services = [value for one in _predictors(spec) if (value := one.get("annotations", {}).get("seldon.io/svc-name"))]
    if len(set(services)) < len(services):
        yield "two services of one name"


def _units(spec: Json) -> Iterator[str]:
    for predictor in _predictors(spec):
        images = {
            container["name"]: container.get("image", "")
            for component in predictor.get("componentSpecs", [])
            for container in component.get("spec", {}).get("containers", [])
        }
        units = list(_all_units(predictor["graph"]))
        if "seldon.io/no-engine" in predictor.get("annotations", {}) and len(units) > 1:
            yield "several units without an engine"
        for unit in units:
            yield from _unit(unit, images, spec.get("protocol", "seldon"))


def _unit(unit: Json, images: dict[str, str], protocol: str) -> Iterator[str]:
    implementation = unit.get("implementation", "UNKNOWN_IMPLEMENTATION")
    if implementation == "UNKNOWN_IMPLEMENTATION":
        if unit["name"] not in images:
            yield "a unit without a container"
        if unit.get("type") == "UNKNOWN_TYPE" and not unit.get("methods"):
            yield "a unit of no known type"
    elif implementation not in BUILT_IN:
        if not unit.get("modelUri") and implementation != "HUGGINGFACE_SERVER":
            yield "a server without a model"
        speechless = {"SKLEARN_SERVER", "XGBOOST_SERVER", "MLFLOW_SERVER", "HUGGINGFACE_SERVER"}
        if protocol == "tensorflow" and implementation in speechless:
            yield "a server that does not speak tensorflow"
        if implementation not in SERVERS and not images.get(unit["name"]):
            yield "an unknown server"
    if "logger" in unit and not unit["logger"].get("mode"):
        yield "a logger without a mode"


def _transports(spec: Json) -> Iterator[str]:
    found = {
        unit["endpoint"]["type"]
        for one in _predictors(spec)
        for unit in _all_units(one["graph"])
        if unit.get("endpoint", {}).get("type")
    }
    if len(found) > 1:
        yield "several transports"
    if len(found) == 1 and spec.get("transport") and found != {spec["transport"].upper()}:
        yield "a unit of another transport"


def _traffic(spec: Json) -> Iterator[str]:
    live = [one.get("traffic", 0) for one in _predictors(spec) if not one.get("shadow")]
    if len(live) > 1 and sum(live) != 100:
        yield "traffic that does not add up"
    if len(_predictors(spec)) == 1 and 0 < sum(live) < 100:
        yield "a single predictor with part of the traffic"


def _operator(manifest: Json) -> Iterator[str]:
    """What the webhook lets pass and the operator or the schema does not: words, required fields, shared names."""
    name = manifest["metadata"]["name"]
    for predictor in _predictors(manifest["spec"]):
        units = [unit["name"] for unit in _all_units(predictor["graph"])]
        if len(set(units)) < len(units):
            yield "two units of one name"
        if any(len(f"{name}-{predictor['name']}-{unit}") > 63 for unit in units):
            yield "a service's name that the operator would hash"
        for unit in _all_units(predictor["graph"]):
            if unit.get("type", "MODEL") not in TYPES:
                yield "an unknown type of unit"
            for parameter in unit.get("parameters", []):
                if set(parameter) != {"name", "type", "value"} or not isinstance(parameter["value"], str):
                    yield "a parameter that is not whole"
        if "explainer" in predictor and predictor["explainer"].get("type") not in EXPLAINERS:
            yield "an unknown explainer"
        for component in predictor.get("componentSpecs", []):
            yield from _component(component)


def _component(component: Json) -> Iterator[str]:
    containers = [one["name"] for one in component["spec"]["containers"]]
    if len(set(containers)) < len(containers):
        yield "two containers of one name"
    if "hpaSpec" in component and not isinstance(component["hpaSpec"].get("maxReplicas"), int):
        yield "an autoscaler without a most"
    if "hpaSpec" in component and "kedaSpec" in component:
        yield "two autoscalers"
    if "kedaSpec" in component and not component["kedaSpec"].get("triggers"):
        yield "an autoscaler without a trigger"
