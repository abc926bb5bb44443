"""What answers for a system, as Seldon's operator takes it: one predictor, whose one unit is our serving runtime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlstrata.components.manifests import manifest
from mlstrata.environments.spec.serving import Replicas
from mlstrata.services.serving.cluster import PREDICTOR, UNIT

BUSY = 70
"""Percent of the processors asked for, above which a copy is added; it leaves room for the time that one takes."""


def deployment(
    name: str,
    namespace: str,
    pod: Mapping[str, Any],
    replicas: Replicas,
    *,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
) -> dict[str, Any]:
    """Return the object.

    Args:
        name: Its name; `<name>-<predictor>-<unit>` is the Service that a route names.
        namespace: Where it is.
        pod: What runs, with a container of the unit's name.
        replicas: How many copies; between two numbers, as their processors are used.
        labels: Labels of the pods.
        annotations: Annotations of the object.
    """
    component: dict[str, Any] = {"spec": dict(pod)}
    predictor: dict[str, Any] = {
        "name": PREDICTOR,
        "graph": {"name": UNIT, "type": "MODEL"},
        "componentSpecs": [component],
        "traffic": 100,
        "labels": dict(labels),
        # Our runtime answers for itself: Seldon's executor before it would be one more hop and one more image.
        "annotations": {"seldon.io/no-engine": "true"},
    }
    if replicas.max > replicas.min:
        used = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": BUSY}}
        component["hpaSpec"] = {
            "minReplicas": replicas.min,
            "maxReplicas": replicas.max,
            "metricsv2": [{"type": "Resource", "resource": used}],
        }
    else:
        predictor["replicas"] = replicas.min
    made = manifest(
        "machinelearning.seldon.io/v1",
        "SeldonDeployment",
        name,
        namespace,
        spec={"name": name, "protocol": "v2", "transport": "rest", "predictors": [predictor]},
    )
    if annotations:
        made["metadata"]["annotations"] = dict(annotations)
    return made
