"""Upstream software: where it comes from and at which version."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from pydantic import Field, model_validator

from mlstrata.environments.spec.base import Problem, Spec, refuse
from mlstrata.environments.spec.text import Name, PinnedImage, RegistryPath, Site, Version


class MirrorSpec(Spec):
    """Where an air-gapped site keeps its copies; nothing comes from elsewhere then."""

    registry: RegistryPath = Field(
        description="Container registry, with a path where there is one: images lie under it by their full old name, "
        "charts under charts/; required."
    )
    files: Site = Field(
        description="Address under which plain manifests lie, <piece>/<version>/<number>.yaml; required, since "
        "kustomizations are built when they are copied."
    )


class ImagesSpec(Spec):
    """Images of your own on a cluster, and how they are pulled."""

    runtime: PinnedImage | None = Field(
        default=None,
        description="Image of mlstrata's services, by digest: a build or a copy of yours, taken as it is written; "
        "none: mlstrata's own, from the mirror where there is one.",
    )
    serving: PinnedImage | None = Field(
        default=None,
        description="Image of the pods that answer, by digest, which may hold less; none: `runtime` where that is "
        "named, else mlstrata's own.",
    )
    pull_secret: Name | None = Field(
        default=None,
        description="Secret of the type kubernetes.io/dockerconfigjson with which pods pull those images and the "
        "systems' own (`model.image`), in each of their namespaces; none: the nodes may pull them.",
    )
    signature_policy: Name | None = Field(
        default=None,
        description="Name of your cluster's own policy that rejects unsigned images: Kyverno's ClusterPolicy or "
        "ImageValidatingPolicy, or sigstore's ClusterImagePolicy; `plan` and `up` look whether it is there. none: no "
        "image is rejected for its signature.",
    )


class Lifecycle(StrEnum):
    """Axis: who installs, upgrades and removes an upstream piece of a cluster."""

    MANAGED = "managed"
    EXISTING = "existing"


class PinSpec(Spec):
    """An upstream piece that is taken beyond the capabilities' own, at another version, or as the cluster has it."""

    name: Name = Field(description="Name of the piece in the bill of materials, as `mlstrata images` lists it.")
    version: Version | None = Field(
        default=None, description="Version of the software; none: the one that mlstrata was tested with."
    )
    chart: Version | None = Field(
        default=None,
        description="Version of a chart that is numbered apart from its software; none: they are the same.",
    )
    lifecycle: Lifecycle = Field(
        default=Lifecycle.MANAGED,
        description="managed: this environment installs and upgrades it; existing: the cluster has it already, from "
        "its administrators or from another environment, and nothing of it is installed or changed. managed, as a new "
        "cluster has none.",
    )
    definitions: Lifecycle | None = Field(
        default=None,
        description="The same of its custom resource definitions alone, for a cluster that has those and not the "
        "operator; none: as `lifecycle`.",
    )
    namespace: Name | None = Field(
        default=None,
        description="Namespace in which an existing one runs, for the network policies towards it; none: upstream's "
        "usual one.",
    )

    @model_validator(mode="after")
    def _one_owner(self) -> PinSpec:
        refuse(self._contradictions())
        return self

    def _contradictions(self) -> Iterator[Problem]:
        exists = self.lifecycle is Lifecycle.EXISTING
        if exists and self.definitions is Lifecycle.MANAGED:
            what = "got 'managed', and the operator exists: it brings its own definitions"
            yield Problem(("definitions",), what, "remove it")
        if exists and self.chart is not None:
            yield Problem(("chart",), f"got '{self.chart}', and nothing is installed of what exists", "remove it")
        if not exists and self.namespace is not None:
            what = f"got '{self.namespace}'; a managed one is in upstream's usual namespace"
            yield Problem(("namespace",), what, "remove it, or write lifecycle: existing")
