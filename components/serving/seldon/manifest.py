"""The manifest of a SeldonDeployment, as the operator takes it."""

from __future__ import annotations

from typing import Any

from mlstrata.components.serving.seldon.deployment import Deployment, Explainer, Predictor
from mlstrata.components.serving.seldon.graph import Container, Parameter, Unit

API_VERSION, KIND = "machinelearning.seldon.io/v1", "SeldonDeployment"
NO_ENGINE = "seldon.io/no-engine"
_RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}

Json = dict[str, Any]


def manifest(deployment: Deployment) -> Json:
    """Return the object; what is not set is not in it, so the operator's own defaults hold and two renders agree."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": _given(
            {
                "name": deployment.name,
                "namespace": deployment.namespace,
                "labels": dict(deployment.labels),
                "annotations": dict(deployment.annotations),
            }
        ),
        "spec": {
            "name": deployment.name,
            "protocol": deployment.protocol.value,
            "transport": deployment.transport.value,
            "predictors": [_predictor(one, alone=_alone(deployment)) for one in deployment.predictors],
        },
    }


def _alone(deployment: Deployment) -> bool:
    return sum(not one.shadow for one in deployment.predictors) == 1


def _predictor(one: Predictor, *, alone: bool) -> Json:
    traffic = one.traffic
    if traffic is None and not one.shadow:
        traffic = 100 if alone else 0
    return _given(
        {
            "name": one.name,
            "graph": _unit(one.graph),
            "componentSpecs": [_component(one)] if _has_component(one) else [],
            "replicas": one.replicas,
            "traffic": traffic,
            "shadow": True if one.shadow else None,
            "labels": dict(one.labels),
            "annotations": {} if one.engine else {NO_ENGINE: "true"},
            "explainer": _explainer(one.explainer) if one.explainer else None,
        }
    )


def _has_component(one: Predictor) -> bool:
    return bool(one.pod or one.containers() or one.hpa or one.keda or one.disruption)


def _component(one: Predictor) -> Json:
    made = [_container(unit.name, unit.container) for _, unit in one.graph.walk() if unit.container]
    made = [*one.pod.get("containers", ()), *made]
    standing = {container["name"] for container in made}
    # A prepackaged server's container is made by the operator; scaled, it must be named here for the pod to be whole.
    made += [{"name": unit.name} for _, unit in one.graph.walk() if unit.server and unit.name not in standing]
    return _given(
        {
            "spec": {**one.pod, "containers": made},
            "hpaSpec": {
                "minReplicas": one.hpa.min,
                "maxReplicas": one.hpa.max,
                "metricsv2": [
                    {
                        "type": "Resource",
                        "resource": {
                            "name": "cpu",
                            "target": {"type": "Utilization", "averageUtilization": one.hpa.cpu},
                        },
                    }
                ],
            }
            if one.hpa
            else None,
            "kedaSpec": {
                "minReplicaCount": one.keda.min,
                "maxReplicaCount": one.keda.max,
                "triggers": [{"type": each.type, "metadata": dict(each.metadata)} for each in one.keda.triggers],
            }
            if one.keda
            else None,
            "pdbSpec": {"maxUnavailable": one.disruption.max_unavailable} if one.disruption else None,
        }
    )


def _unit(unit: Unit) -> Json:
    implementation = unit.server or unit.built_in
    return _given(
        {
            "name": unit.name,
            "type": unit.type.value,
            "implementation": implementation.value if implementation else None,
            "modelUri": unit.model_uri,
            "envSecretRefName": unit.env_secret,
            "parameters": [_parameter(one) for one in unit.parameters],
            "logger": _given({"mode": unit.logger.mode.value, "url": unit.logger.url}) if unit.logger else None,
            "children": [_unit(child) for child in unit.children],
        }
    )


def _parameter(one: Parameter) -> Json:
    # bool is an int in Python: it is asked for first.
    kinds: tuple[tuple[type, str], ...] = ((bool, "BOOL"), (int, "INT"), (float, "DOUBLE"), (str, "STRING"))
    kind = next(name for of, name in kinds if isinstance(one.value, of))
    value = str(one.value).lower() if isinstance(one.value, bool) else str(one.value)
    return {"name": one.name, "type": kind, "value": value}


def _container(name: str, one: Container) -> Json:
    gpus = {"nvidia.com/gpu": str(one.gpu)} if one.gpu else {}
    return _given(
        {
            "name": name,
            "image": one.image,
            "command": list(one.command),
            "args": list(one.args),
            "env": [{"name": key, "value": value} for key, value in sorted(one.env.items())],
            "envFrom": [{"secretRef": {"name": secret}} for secret in one.secrets],
            "resources": {
                "requests": {"cpu": one.cpu, "memory": one.memory, **gpus},
                "limits": {"memory": one.memory, **gpus},
            },
            "securityContext": _RESTRICTED,
        }
    )


def _explainer(one: Explainer) -> Json:
    return _given(
        {
            "type": one.type.value,
            "modelUri": one.model_uri,
            "containerSpec": _container("explainer", one.container) if one.container else None,
            "config": dict(one.config),
            "envSecretRefName": one.env_secret,
        }
    )


def _given(fields: Json) -> Json:
    """Return the fields that are set: an empty list and an absent one mean the same to the operator."""
    return {key: value for key, value in fields.items() if value is not None and value not in ({}, [])}
