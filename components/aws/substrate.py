"""The whole of it, as one component that records what the file said when it was deployed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from mlstrata.components.base import Component


@dataclass(frozen=True)
class SubstrateArgs:
    """Arguments of `Substrate`.

    Attributes:
        spec: What may not change while the substrate is deployed.
        facts: Of the environment, as its platform tells them: policies judge each stack by them.
    """

    spec: Mapping[str, Any]
    facts: Mapping[str, Any]


class Substrate(Component):
    """What an environment's file said of its ground: what cannot change in place is held against this."""

    def __init__(self, name: str, args: SubstrateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aws", name, {**args.facts, "spec": dict(args.spec)}, opts)
        self.register_outputs({})
