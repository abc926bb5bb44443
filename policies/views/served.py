"""KServe's pods: predictor, explainer and transformer are a pod each, whose model is a container under any name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mlstrata.policies.core.values import Unknown, UnknownValueError, Value, dig

_PARTS = ("predictor", "explainer", "transformer")
_NO_CONTAINERS = frozenset(
    {
        *("securityContext", "affinity", "nodeSelector", "overhead", "dnsConfig", "logger", "batcher"),
        *("deploymentStrategy", "labels", "annotations", "workerSpec", "os", "metadata"),
        *("autoScaling", "storage"),
    }
)
"""Mappings in a part that are no container: those of every pod, and KServe's own."""
_OF_A_CONTAINER = frozenset({"securityContext", "resources"})
_OF_ITS_RUNTIME = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""What the serving runtime, a resource of its own, is to say of the container where a model names no image."""


def pods(spec: Value) -> Iterator[tuple[str, Value]]:
    """Yield the pods of an inference service whose containers have no image of their own, each with its path.

    Those with one are found like any other kind's.

    Raises:
        UnknownValueError: what may be a model is known only after the deployment.
    """
    todo = [("spec", spec)]
    while todo:
        path, value = todo.pop()
        if not isinstance(value, Mapping):
            continue
        for key, inner in value.items():
            if key in _PARTS and isinstance(inner, Mapping):
                found = list(_models(inner))
                if found:
                    yield f"{path}.{key}", {"securityContext": inner.get("securityContext"), "containers": found}
            elif isinstance(inner, Mapping):
                todo.append((f"{path}.{key}", inner))


def _models(part: Mapping[str, Value]) -> Iterator[Value]:
    for key, value in part.items():
        if key not in _NO_CONTAINERS and isinstance(value, Unknown):
            raise UnknownValueError(key)
        model = key not in _NO_CONTAINERS and isinstance(value, Mapping) and "image" not in value
        if model and not _OF_A_CONTAINER.isdisjoint(value):
            context = {**_OF_ITS_RUNTIME, **dig(value, "securityContext", {})}
            yield {"name": key, **value, "securityContext": context}
