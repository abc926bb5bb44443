"""What every component shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi


class Component(pulumi.ComponentResource):
    """A component resource whose children take it, and nothing else, as parent."""

    def __init__(
        self,
        module: str,
        name: str,
        inputs: Mapping[str, Any] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Register the component under the token `mlstrata:<module>:<Class>`.

        Args:
            module: The room of the token.
            name: Its logical name; with the token, a contract.
            inputs: Plain facts to record with it, for policies and evidence to read; nothing of them is secret.
            opts: Given by the caller; children inherit provider and protection from here by themselves.
        """
        self._facts = dict(inputs or {})
        super().__init__(f"mlstrata:{module}:{type(self).__name__}", name, self._facts, opts)

    def register_outputs(self, outputs: pulumi.Inputs) -> None:
        """Register what it hands over, and its facts with it: the Pulumi CLI shows a stack's analysis outputs only."""
        super().register_outputs({**self._facts, **outputs})

    def child(self, *, after: Sequence[pulumi.Resource] = ()) -> pulumi.ResourceOptions:
        """Return the options of a child, which is made after the resources in `after`."""
        return pulumi.ResourceOptions(parent=self, depends_on=list(after))
