"""The image of our own services: one for all of them, so that one is built, signed and mirrored."""

from __future__ import annotations

from mlstrata.components.upstream.image_values import Image

RUNTIME = Image("ghcr.io/mlstrata/runtime", "0.1.0")
"""The lock of the services and this project: `python -m mlstrata.services.…`, MLServer, MLflow."""
