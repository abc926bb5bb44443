"""What looks at the predictions of a system, as its file and the environment's capabilities have it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlstrata.components.serving.args import Observers
from mlstrata.environments import EnvironmentSpec
from mlstrata.environments.spec.risk import Tier
from mlstrata.environments.spec.system import SystemSpec
from mlstrata.environments.stages import Capability
from mlstrata.services.recording.spill_folder import Durability
from mlstrata.services.serving.observing import ExplainSettings, FallbackSettings, RecordingSettings


@dataclass(frozen=True)
class Way:
    """How a prediction process gets its records to the recorder.

    Attributes:
        spill: Folder where they lie until the recorder has them.
        recorder: Its address.
        token_file: Holds its token.
        key_file: Holds the environment's key of pseudonyms.
    """

    spill: Path
    recorder: str
    token_file: Path
    key_file: Path


def observers_of(spec: EnvironmentSpec, system: SystemSpec) -> Observers:
    """Choose what looks at a system's predictions, but for the way to the recorder."""
    has, serving = spec.capabilities, system.serving
    inputs = {name: bounds for name, bounds in system.monitor.range.items() if name != system.model.task.output}
    return Observers(
        high_risk=system.risk.tier is Tier.HIGH,
        recording=system.recording,
        explain=serving.explain if Capability.EXPLANATION in has else None,
        fallback=serving.fallback if Capability.FALLBACK in has else None,
        ranges=inputs if Capability.FALLBACK in has or Capability.RECORDING in has else {},
    )


def settings_of(given: Observers, way: Way | None) -> dict[str, Any]:
    """Return the fields of `ServingSettings` that say so.

    Args:
        given: What looks at a system's predictions.
        way: To the recorder; None: there is none.
    """
    spec, explain, fallback = given.recording, given.explain, given.fallback
    recording = way and RecordingSettings(
        spill=way.spill,
        recorder=way.recorder,
        token_file=way.token_file,
        key_file=way.key_file,
        durability=Durability.GROUP if given.high_risk else Durability.INTERVAL,
        required=given.high_risk if spec.required is None else spec.required,
        exclude=spec.exclude,
        pseudonymise=spec.pseudonymise,
    )
    return {
        "recording": recording or None,
        "explain": ExplainSettings(within_s=explain.within.total_seconds()) if explain else None,
        "fallback": fallback and FallbackSettings(below_confidence=fallback.below_confidence, to=fallback.to.value),
        "ranges": dict(given.ranges),
    }
