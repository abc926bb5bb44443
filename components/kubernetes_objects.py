"""Plain Kubernetes manifests as Pulumi resources."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from typing import Any

import pulumi

Manifest = Mapping[str, Any]
"""A Kubernetes object as its YAML has it: apiVersion, kind, metadata, and the rest."""

_SECRET = ("data", "stringData")


def register(name: str, manifest: Manifest, opts: pulumi.ResourceOptions) -> pulumi.CustomResource:
    """Register a manifest under a logical name.

    Raises:
        ValueError: It has no name: one that the provider made up would differ from render to render.
    """
    group, kind = str(manifest["apiVersion"]), str(manifest["kind"])
    if not manifest.get("metadata", {}).get("name"):
        raise ValueError(f"{kind} '{name}': metadata.name is missing; give it one")
    if (group, kind) == ("v1", "Secret"):
        opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(additional_secret_outputs=list(_SECRET)))
    return declare(f"{'core/v1' if group == 'v1' else group}:{kind}", name, manifest, opts)


def declare(kind: str, name: str, inputs: Mapping[str, Any], opts: pulumi.ResourceOptions) -> pulumi.CustomResource:
    """Register a resource of the Kubernetes provider, as the class of `pulumi_kubernetes` for its kind would.

    Those classes are not used: each API group's module takes as long to import as a plan takes to run, and holds no
    rule that an object needs.
    """
    opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(version=provider_version()))
    return pulumi.CustomResource(f"kubernetes:{kind}", name, dict(inputs), opts)


@cache
def provider_version() -> str:
    """Return the version of the Kubernetes provider that the installed package is of."""
    return version("pulumi-kubernetes")
