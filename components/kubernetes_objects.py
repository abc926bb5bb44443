"""Plain Kubernetes manifests as Pulumi resources: each kind by its own typed class, others as custom resources."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import pulumi

Manifest = Mapping[str, Any]
"""A Kubernetes object as its YAML has it: apiVersion, kind, metadata, and the rest."""

_TYPED = {
    "v1": "core.v1",
    "apps/v1": "apps.v1",
    "batch/v1": "batch.v1",
    "autoscaling/v2": "autoscaling.v2",
    "policy/v1": "policy.v1",
    "networking.k8s.io/v1": "networking.v1",
    "rbac.authorization.k8s.io/v1": "rbac.v1",
    "scheduling.k8s.io/v1": "scheduling.v1",
    "storage.k8s.io/v1": "storage.v1",
    "admissionregistration.k8s.io/v1": "admissionregistration.v1",
}
"""API group and version to the module of `pulumi_kubernetes` with its classes."""


def register(name: str, manifest: Manifest, opts: pulumi.ResourceOptions) -> pulumi.CustomResource:
    """Register a manifest under a logical name.

    Raises:
        ValueError: It has no name: one that the provider made up would differ from render to render.
    """
    version, kind = str(manifest["apiVersion"]), str(manifest["kind"])
    if not manifest.get("metadata", {}).get("name"):
        raise ValueError(f"{kind} '{name}': metadata.name is missing; give it one")
    rest = {key: value for key, value in manifest.items() if key not in {"apiVersion", "kind"}}
    if module := _TYPED.get(version):
        made = getattr(import_module(f"pulumi_kubernetes.{module}"), kind)
        return _resource(made(name, **{_snake(key): value for key, value in rest.items()}, opts=opts))
    from pulumi_kubernetes.apiextensions import CustomResource

    if unknown := set(rest) - {"metadata", "spec"}:
        raise ValueError(f"{kind} '{name}': a custom resource has metadata and spec only, not {sorted(unknown)}")
    return _resource(CustomResource(name, api_version=version, kind=kind, opts=opts, **rest))


def _resource(made: object) -> pulumi.CustomResource:
    assert isinstance(made, pulumi.CustomResource)  # noqa: S101 - the classes of pulumi_kubernetes have no types here
    return made


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
