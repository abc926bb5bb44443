"""What the namespaces of systems hand over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from mlstrata.components.cluster import Ownership
from mlstrata.components.site import Outputs


@dataclass(frozen=True)
class NamespaceOutputs:
    """A namespace.

    Attributes:
        ownership: Who answers for what runs in it, and who pays.
        ready: What anything in it waits for.
    """

    ownership: Ownership
    ready: Sequence[pulumi.Resource]


@dataclass(frozen=True)
class NamespacesOutputs(Outputs):
    """The namespaces of all systems, one for each team and each system without one.

    Attributes:
        by_name: Each by its name.
    """

    by_name: Mapping[str, NamespaceOutputs]

    @property
    def ready(self) -> Sequence[pulumi.Resource]:
        """What waits for all of them waits for this."""
        return [one for namespace in self.by_name.values() for one in namespace.ready]
