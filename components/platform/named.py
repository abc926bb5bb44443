"""Upstream packages that an environment's file names by itself."""

from __future__ import annotations

from mlstrata.components.cluster_site import ClusterSite


def build(site: ClusterSite) -> None:
    """Install every package that the environment's file names and takes."""
    for pin in site.spec.upstream:
        site.where_taken(pin.name)
