"""Upstream packages that the file names, whether or not a capability brings them: a part of every cluster."""

from __future__ import annotations

from mlstrata.components.capability import ClusterBuilder, Declaration

DECLARATIONS = (
    Declaration(
        "upstream",
        kubernetes=ClusterBuilder("mlstrata.components.platform.named:build", when=lambda spec, _: bool(spec.upstream)),
    ),
)
