"""What plays a part that duties ask for, where no label of a cluster's object can say so."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from mlstrata.components.base import Component

_PART, _SYSTEM = "mlstrata.io/part", "mlstrata.io/system"


@dataclass(frozen=True)
class PartArgs:
    """Arguments of `Part`.

    Attributes:
        part: The part, as policies know it: recorder, protected, explainer, kill-switch.
        by: What plays it: a service, a file or a route.
        system: The AI system that it plays it for; empty: for all.
    """

    part: str
    by: str
    system: str = ""


class Part(Component):
    """Says of its parent that it plays a part; declared where that is built, so that neither is there alone."""

    def __init__(self, name: str, args: PartArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        labels = {_PART: args.part, **({_SYSTEM: args.system} if args.system else {})}
        super().__init__("governance", name, {"labels": labels, "by": args.by}, opts)
        self.register_outputs({})
