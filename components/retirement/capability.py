"""Retirement: callers are told the day, the evidence is kept, the gateway says that the system is gone."""

from __future__ import annotations

from mlstrata.components.capability import Declaration, LocalBuilder
from mlstrata.environments.stages import Capability

DECLARATIONS = (
    # The gateway tells callers, and `mlstrata retire` does the rest: there is nothing of its own to build.
    Declaration(Capability.RETIREMENT, local=LocalBuilder()),
)
