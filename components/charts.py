"""Upstream pieces as Pulumi resources: charts, kustomizations and manifests, each pinned in the bill of materials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from mlstrata.components.kubernetes_objects import declare
from mlstrata.components.upstream.image_values import merged
from mlstrata.components.upstream.package import Chart, Kustomization, Manifest, Source


def install(
    name: str,
    source: Source,
    namespace: str,
    values: Mapping[str, Any],
    opts: pulumi.ResourceOptions,
    *,
    definitions: bool = True,
) -> pulumi.Resource:
    """Register what a source installs.

    Args:
        name: The logical name, and the release's name.
        source: Where it comes from.
        namespace: Where it goes; it is there already.
        values: Values of a chart, under those that come with where it is taken from; others take none.
        opts: Parent, order and retention.
        definitions: A chart brings its definitions along; off where they are installed apart.
    """
    match source:
        case Chart():
            return _release(name, source, namespace, values, definitions=definitions, opts=opts)
        case Kustomization():
            from pulumi_kubernetes.kustomize.v2 import Directory

            return _made(Directory(name, directory=source.address, namespace=namespace, opts=opts))
        case Manifest():
            from pulumi_kubernetes.yaml.v2 import ConfigFile

            return _made(ConfigFile(name, file=source.address, opts=opts))


def _release(
    name: str,
    chart: Chart,
    namespace: str,
    values: Mapping[str, Any],
    *,
    definitions: bool,
    opts: pulumi.ResourceOptions,
) -> pulumi.Resource:
    # Of an OCI registry the chart is named by its address; of a repository with an index, by its name.
    remote = chart.repository.startswith("oci://")
    inputs = {
        "name": name,
        "chart": chart.address if remote else chart.name,
        "version": chart.version,
        "namespace": namespace,
        "repositoryOpts": None if remote else {"repo": chart.repository},
        "values": merged(values, chart.values),
        "skipCrds": not definitions,
        "createNamespace": False,
        # A failed installation is undone, so that the next one starts from nothing.
        "atomic": True,
        "timeout": 600,
    }
    return declare("helm.sh/v3:Release", name, inputs, opts)


def _made(resource: object) -> pulumi.Resource:
    assert isinstance(resource, pulumi.Resource)  # noqa: S101 - the classes of pulumi_kubernetes have no types here
    return resource
