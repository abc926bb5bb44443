"""Images that charts offer for what no environment starts by itself: named for a mirror's sake, not copied."""

from __future__ import annotations

from mlstrata.components.upstream.image_values import Image, Part, Value, split, whole

_OF_SELDON = {
    "MLFLOW_SERVER.seldon": ("mlflowserver", "1.17.1"),
    "MLFLOW_SERVER.v2": ("mlserver", "1.3.5-mlflow"),
    "SKLEARN_SERVER.seldon": ("sklearnserver", "1.17.1"),
    "SKLEARN_SERVER.v2": ("mlserver", "1.3.5-sklearn"),
    "TENSORFLOW_SERVER.seldon": ("tfserving-proxy", "1.17.1"),
    "XGBOOST_SERVER.seldon": ("xgboostserver", "1.17.1"),
    "XGBOOST_SERVER.v2": ("mlserver", "1.3.5-xgboost"),
    "HUGGINGFACE_SERVER.v2": ("mlserver", "1.3.5-huggingface"),
    "TEMPO_SERVER.v2": ("mlserver", "1.3.5-slim"),
}
_OF_OTHERS = {
    "TENSORFLOW_SERVER.tensorflow": ("docker.io/tensorflow/serving", "2.1.0"),
    "TRITON_SERVER.v2": ("nvcr.io/nvidia/tritonserver", "21.08-py3"),
}


def _server(which: str, repository: str, tag: str) -> Image:
    server, protocol = which.split(".")
    at = f"predictor_servers.{server}.protocols.{protocol}"
    helm_values = (Value(f"{at}.image", Part.REPOSITORY), Value(f"{at}.defaultImageVersion", Part.PINNED))
    return Image(repository, tag, helm_values=helm_values)


SERVERS: tuple[Image, ...] = (
    *(_server(which, f"docker.io/seldonio/{name}", tag) for which, (name, tag) in _OF_SELDON.items()),
    *(_server(which, name, tag) for which, (name, tag) in _OF_OTHERS.items()),
    Image("docker.io/seldonio/mlserver", "1.3.5-alibi-explain", helm_values=whole("explainer.image_v2")),
)
"""Seldon's prepackaged servers: a system's own server is the image of our services."""

THANOS: tuple[Image, ...] = (
    Image(
        "quay.io/thanos/thanos",
        "v0.42.4",
        helm_values=split("prometheusOperator.thanosImage", "sha", Part.HEX, registry=True),
    ),
)
"""What the Prometheus operator starts for a store that outlives Prometheus, of which there is none here."""
