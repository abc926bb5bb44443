"""What a namespace is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from mlstrata.components.cluster import Cluster, Ownership

OPERATORS = "mlstrata.io/operators"
"""Label of namespaces in which upstream operators run, and nothing of people's own."""


@dataclass(frozen=True)
class NamespaceArgs:
    """Arguments of `ClosedNamespace`.

    Attributes:
        cluster: Where.
        namespace: The namespace's name.
        ownership: Who answers for what runs in it, and who pays.
        team: The team whose it is; empty: the platform's.
        gpus: GPUs that may be held in it at once.
        security: Pod Security standard that is enforced.
        bounded: It has a quota and limits; an operator's own namespace has none, as its chart says what it takes.
        after: What must be there before it.
        keep: Namespace and closed network stay when the stack goes, as what holds data in them does.
    """

    cluster: Cluster
    namespace: str
    ownership: Ownership
    team: str = ""
    gpus: int = 0
    security: str = "restricted"
    bounded: bool = True
    after: Sequence[pulumi.Resource] = ()
    keep: bool = False
