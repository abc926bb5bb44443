"""The access to a registry of images, as Kubernetes keeps it."""

from __future__ import annotations

DOCKER = "kubernetes.io/dockerconfigjson"
"""Type of a secret that a kubelet pulls images with."""
KEY = ".dockerconfigjson"
"""The one key of such a secret: Docker's own configuration file, with one or several registries."""
