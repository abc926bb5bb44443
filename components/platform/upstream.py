"""An upstream piece on a cluster: its definitions first, which stay, then what it installs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from mlstrata.components.charts import install
from mlstrata.components.cluster import Cluster, ClusterComponent
from mlstrata.components.upstream.image_values import merged
from mlstrata.components.upstream.package import Chart, UpstreamPackage
from mlstrata.environments.spec.upstream import Lifecycle


@dataclass(frozen=True)
class UpstreamArgs:
    """Arguments of `Upstream`.

    Attributes:
        cluster: Where.
        piece: What, from the bill of materials.
        values: Values of its chart.
        after: What must be there before it: its namespace, pieces that it needs.
    """

    cluster: Cluster
    piece: UpstreamPackage
    values: Mapping[str, Any] = field(default_factory=dict)
    after: Sequence[pulumi.Resource] = ()


class Upstream(ClusterComponent):
    """A piece of the bill of materials.

    Attributes:
        ready: What objects of its kinds wait for.
    """

    def __init__(self, name: str, args: UpstreamArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        piece = args.piece
        told: dict[str, Any] = {"lifecycle": Lifecycle.EXISTING.value} if piece.exists else {}
        super().__init__(
            "platform", name, args.cluster, opts, piece=piece.name, version=piece.version, licence=piece.licence, **told
        )
        self.package = piece
        after = list(args.after)
        # With its definitions every object of their kinds would go: they stay when the stack does. Where a chart brings
        # them itself, all of it stays.
        apart = piece.crd_source is not None or piece.definitions_exist
        kept = True if piece.crds and not apart else None
        if piece.crd_source is not None:
            first = pulumi.ResourceOptions(parent=self, depends_on=after, retain_on_delete=True)
            after = [install(f"{name}-crds", piece.crd_source, piece.namespace, {}, first)]
        for at, source in enumerate(piece.sources):
            role = "" if len(piece.sources) == 1 else f"-{at}"
            opts_of = pulumi.ResourceOptions(parent=self, depends_on=after, retain_on_delete=kept)
            values = merged(piece.values, args.values) if isinstance(source, Chart) else {}
            after = [install(f"{name}{role}", source, piece.namespace, values, opts_of, definitions=not apart)]
        self.ready: list[pulumi.Resource] = after
        self.register_outputs({})
