"""An AI system as declared; every resource of it is beneath it, so that rules can join the two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from mlstrata.components.base import Component
from mlstrata.environments.spec.system import SystemSpec


@dataclass(frozen=True)
class AISystemArgs:
    """Arguments of `AISystem`.

    Attributes:
        system: The whole declaration, plain: what policies and evidence read.
    """

    system: Mapping[str, Any]


class AISystem(Component):
    """A declared AI system (AI Act, Art. 3(1))."""

    def __init__(self, name: str, args: AISystemArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("governance", name, args.system, opts)
        self.register_outputs({})

    @classmethod
    def of(cls, system: SystemSpec, opts: pulumi.ResourceOptions | None = None) -> AISystem:
        """Register a system as its file declares it."""
        return cls(system.name, AISystemArgs(system.model_dump(mode="json", exclude_none=True)), opts)
