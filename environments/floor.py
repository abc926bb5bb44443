"""What a tier of the AI Act asks of a platform."""

from __future__ import annotations

from mlstrata.environments.spec.risk import Tier
from mlstrata.environments.stages import Capability

FLOOR: dict[Tier, tuple[Capability, ...]] = {
    Tier.HIGH: (Capability.RECORDING, Capability.MONITORING, Capability.FAIRNESS),
    Tier.LIMITED: (
        Capability.TRACKING,
        Capability.PIPELINES,
        Capability.DATA_QUALITY,
        Capability.REGULATORY_TESTS,
        Capability.CATALOG,
    ),
    Tier.MINIMAL: (),
    Tier.UNACCEPTABLE: (),
}
"""Tier to what it asks for; the questionnaire and the policy `aia-stage-supports-tier` go by it."""
