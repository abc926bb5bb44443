"""What serves an AI system, and what is around it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from mlstrata.policies.core.graph import SYSTEM_LABEL, Graph, Resource, System
from mlstrata.policies.core.kinds import KSERVE, LONG_RUNNING, SELDON, is_of
from mlstrata.policies.core.values import Unknown, UnknownValueError, Value, dig, listed
from mlstrata.policies.views.kubernetes import units
from mlstrata.policies.views.pods import containers

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
RULES = "kubernetes:monitoring.coreos.com/v1:PrometheusRule"
LOCAL_FILE = "pulumi-python:dynamic/mlstrata:ConfigFile"
COMPONENT = ":serving:Serving"
SAGEMAKER = "aws:sagemaker/endpoint:"
SAGEMAKER_CONFIGURATION = "aws:sagemaker/endpointConfiguration:EndpointConfiguration"
ALL_OF_THEM = 100
"""Per cent of the requests."""
MODEL_SERVERS = re.compile(
    r"(^|/)(mlserver|tritonserver|torchserve(-kfs)?|vllm-openai|vllm|text-generation-inference|sklearnserver|xgbserver"
    r"|lgbserver|huggingfaceserver|tensorflow/serving|openvino/model_server)([:@-]|$)"
)
"""Images that do nothing but answer with predictions."""
_PROMQL = frozenset(
    {
        *("and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right", "bool", "offset"),
        *("inf", "nan", "start", "end"),
    }
)
NO_ENGINE = "seldon.io/no-engine"
"""Annotation of a predictor before which Seldon puts nothing: nobody but its own server can log what it answers."""
SERVING_TYPES = (SELDON, KSERVE, SAGEMAKER)
ANSWERING = frozenset({"InferenceService", "LLMInferenceService", "InferenceGraph", "TrainedModel"})
"""Kinds of KServe that answer with predictions."""


def makes_content(system: System) -> bool:
    """Return whether a system makes content: by what it is said to generate or its task, else by what it works on."""
    task = system.get("model.task")
    if system.get("risk.generates") or task == "generation":
        return True
    return not task and system.get("model.modality") in {"video", "audio"}


def is_serving(resource: Resource) -> bool:
    """Return whether a resource answers with predictions: by its kind, its label, or the server that it runs.

    Raises:
        UnknownValueError: its label, or what it runs, is known only after the deployment.
    """
    if resource.type.startswith(SERVING_TYPES) or resource.part == "serving":
        # A runtime of KServe is a template: what is made with it answers.
        return not resource.type.startswith(KSERVE) or resource.kind in ANSWERING
    if resource.part or not is_of(resource.type, LONG_RUNNING):
        return False
    return resource.graph.memo(f"serves {resource.urn}", lambda _: _runs_a_server(resource))


def _runs_a_server(resource: Resource) -> bool:
    return any(MODEL_SERVERS.search(str(dig(container, "image", ""))) for container in containers(resource))


def serving(system: System) -> list[Resource]:
    """Return the resources that answer for a system.

    A component stands for what is beneath it: where that answers itself, the component does not count beside it.

    Raises:
        UnknownValueError: one may, and that is known only after the deployment.
    """
    for one in system.declared.graph.unowned:
        if is_serving(one):
            raise UnknownValueError(one.hides(SYSTEM_LABEL))
    found = [resource for resource in system.resources if is_serving(resource)]
    urns = {resource.urn for resource in found}
    return [
        resource
        for resource in found
        if not resource.type.endswith(COMPONENT)
        or not any(one.urn in urns for one in resource.graph.beneath(resource.urn))
    ]


def logged(resource: Resource, system: System) -> bool:
    """Return whether each request to a serving resource is recorded.

    Seldon and KServe post payloads where their logger says, SageMaker keeps them where its configuration does; another
    serving resource records through the system's own recorder, as a predictor of Seldon does that answers for itself.
    """
    if resource.type.startswith(SELDON):
        predictors = resource.all("spec.predictors")
        return bool(predictors) and all(
            any(
                dig(unit, "logger.mode") == "all" and bool(dig(unit, "logger.url"))
                for unit in units(dig(predictor, "graph"))
            )
            or (_answers_itself(predictor) and bool(system.part("recorder")))
            for predictor in predictors
        )
    if resource.type.startswith(KSERVE):
        return resource.get("spec.predictor.logger.mode") == "all" and bool(resource.get("spec.predictor.logger.url"))
    if resource.type.startswith(SAGEMAKER):
        return _captured(resource)
    return bool(system.part("recorder"))


def _answers_itself(predictor: Value) -> bool:
    """Return whether Seldon puts nothing before a predictor."""
    said = dig(predictor, "annotations", {})
    return isinstance(said, Mapping) and said.get(NO_ENGINE) == "true"


def _captured(endpoint: Resource) -> bool:
    """Return whether the configuration of an endpoint keeps all that goes in, and all that comes out."""
    used, name = endpoint.refers("endpointConfigName"), endpoint.inputs.get("endpointConfigName")
    if isinstance(name, str):
        used = [one for one in endpoint.graph.of(SAGEMAKER_CONFIGURATION) if one.get("name", one.name) == name]
    at = "dataCaptureConfig"
    return bool(used) and all(
        one.get(f"{at}.enableCapture") is True
        and one.get(f"{at}.initialSamplingPercentage") == ALL_OF_THEM
        and bool(one.get(f"{at}.destinationS3Uri"))
        and _both_ways({str(dig(option, "captureMode")) for option in one.all(f"{at}.captureOptions")})
        for one in used
    )


def _both_ways(modes: set[str]) -> bool:
    return "InputAndOutput" in modes or modes >= {"Input", "Output"}


def scores(system: System) -> bool:
    """Return whether a system scores rows in jobs: each of them is a decision, as each answer is."""
    return bool(system.get("serving.mode") == "batch")


def recorders(graph: Graph) -> list[Resource]:
    """Return what takes in the recorded requests."""
    return graph.part("recorder")


def alerts(graph: Graph, system: System) -> Iterator[Value]:
    """Yield the alerting rules about a system: those of its own resources, and those labelled with its name.

    Raises:
        UnknownValueError: rules of the system itself are known only after the deployment.
    """
    for resource in system.of(RULES, LOCAL_FILE):
        yield from _rules(resource)
    yield from graph.memo("alerts by system", _by_system).get(system.name, ())


def alerting_on(graph: Graph, system: System, *words: str) -> bool:
    """Return whether an alert about the system has one of `words` in its name, and asks about some metric."""
    return any(
        word in str(dig(rule, "alert", "")).lower() and _measures(str(dig(rule, "expr", "")))
        for rule in alerts(graph, system)
        for word in words
    )


def _measures(expression: str) -> bool:
    """Return whether a query reads a metric: one over constants alone never changes its mind."""
    without_texts = re.sub(r"\"[^\"]*\"|'[^']*'|\{[^}]*\}|\[[^\]]*\]", " _selected ", expression)
    names = re.findall(r"[A-Za-z_:][\w:]*(?!\w|\s*\()", without_texts)
    return any(name.lower() not in _PROMQL for name in names)


def _by_system(graph: Graph) -> dict[str, list[Value]]:
    """Return every alerting rule by the system in its label; rules that are not known yet are no one's."""
    found: dict[str, list[Value]] = {}
    for resource in graph.of(RULES, LOCAL_FILE):
        try:
            for rule in _rules(resource):
                found.setdefault(str(dig(rule, "labels.system", "")), []).append(rule)
        except UnknownValueError:
            continue
    return found


def _rules(resource: Resource) -> list[Value]:
    """Return a resource's alerting rules, read once however many policies ask."""
    return resource.graph.memo(f"rules of {resource.urn}", lambda _: list(_read(resource)))


def _read(resource: Resource) -> Iterator[Value]:
    groups: list[Value] = []
    if is_of(resource.type, (RULES,)):
        groups = resource.all("spec.groups")
    elif str(resource.inputs.get("path", "")).startswith("config/prometheus/rules/"):
        groups = listed(yaml.load(resource.get("content", ""), Loader=_Loader), "groups")  # noqa: S506 - a safe one
    for group in groups:
        yield from (rule for rule in listed(group, "rules") if isinstance(rule, Unknown) or dig(rule, "alert"))
