"""What only the running platform knows; whoever asks it passes it in, typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True)
class GateOutcome:
    """What one gate of the training found of a version.

    Attributes:
        name: The gate.
        passed: Whether the version passed it.
        detail: What was found, and what is allowed.
    """

    name: str
    passed: bool
    detail: str = ""


@dataclass(frozen=True)
class LiveSystem:
    """One AI system as registry and rollout have it.

    Attributes:
        version: The model version that answers; empty where none is released.
        rollback_target: The version to go back to; empty where there is none.
        released: How many different versions were ever released.
        metrics: What was measured of the version that answers.
        gates: What its gates found; None where nothing was recorded with it.
        bias: Protected attribute to the gap between its groups, from 0 to 1.
        bias_measured: The day that was measured.
    """

    version: str = ""
    rollback_target: str = ""
    released: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    gates: tuple[GateOutcome, ...] | None = None
    bias: Mapping[str, float] = field(default_factory=dict)
    bias_measured: date | None = None


@dataclass(frozen=True)
class Live:
    """The running platform.

    Attributes:
        systems: Name of each system that it runs to what it knows of it.
    """

    systems: Mapping[str, LiveSystem] = field(default_factory=dict)

    def of(self, name: str) -> LiveSystem:
        """Return what is known of a system; a system that does not run has no version."""
        return self.systems.get(name, LiveSystem())
