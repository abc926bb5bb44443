"""The images of our own services: one for what answers, one for all else; each is built, signed and mirrored."""

from __future__ import annotations

from mlstrata.components.upstream.image_values import Image

RUNTIME = Image("ghcr.io/mlstrata/runtime", "0.1.0")
"""The lock of the services and this project: `python -m mlstrata.services.…`, MLServer, MLflow."""
SERVING = Image("ghcr.io/mlstrata/serving", "0.1.0")
"""Of the same what a prediction needs, half as large: a pod that is scaled up is there sooner."""
