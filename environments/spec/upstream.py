"""Upstream software: where it comes from and at which version."""

from __future__ import annotations

from pydantic import Field

from mlstrata.environments.spec.base import Spec
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


class PinSpec(Spec):
    """An upstream piece that is taken beyond the capabilities' own, or at another version."""

    name: Name = Field(description="Name of the piece in the bill of materials, as `mlstrata images` lists it.")
    version: Version | None = Field(
        default=None, description="Version of the software; none: the one that mlstrata was tested with."
    )
    chart: Version | None = Field(
        default=None,
        description="Version of a chart that is numbered apart from its software; none: they are the same.",
    )
