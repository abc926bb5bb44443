"""What the API server of a cluster lets in: a part of every platform."""

from __future__ import annotations

from mlstrata.components.capability import ClusterBuilder, Declaration

DECLARATIONS = (
    Declaration(
        "admission",
        kubernetes=ClusterBuilder("mlstrata.components.admission.kubernetes:build", when=lambda *_: True),
    ),
)
