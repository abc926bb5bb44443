"""What looks at the predictions of a system on this machine, as its file and the environment's capabilities have it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlstrata.components.local_site import LocalSite
from mlstrata.components.serving.args import Observers
from mlstrata.environments.spec.risk import Tier
from mlstrata.environments.spec.system import SystemSpec
from mlstrata.environments.stages import Capability
from mlstrata.services.recording import names
from mlstrata.services.recording.spill_folder import Durability
from mlstrata.services.serving.folders import spill_folder
from mlstrata.services.serving.observing import ExplainSettings, FallbackSettings, RecordingSettings


def observers_of(site: LocalSite, system: SystemSpec) -> Observers:
    """Choose what looks at a system's predictions."""
    has, serving = site.spec.capabilities, system.serving
    recorder = site.ports[names.SERVICE].port(names.SERVICE) if Capability.RECORDING in has else None
    inputs = {name: bounds for name, bounds in system.monitor.range.items() if name != system.model.task.output}
    return Observers(
        recorder=recorder,
        high_risk=system.risk.tier is Tier.HIGH,
        recording=system.recording,
        explain=serving.explain if Capability.EXPLANATION in has else None,
        fallback=serving.fallback if Capability.FALLBACK in has else None,
        ranges=inputs if Capability.FALLBACK in has or Capability.RECORDING in has else {},
    )


def settings_of(home: Path, service: str, system: str, given: Observers, port: int | None) -> dict[str, Any]:
    """Return the fields of `ServingSettings` that say so.

    Args:
        home: The environment's home.
        service: The prediction process.
        system: The system.
        given: What looks at its predictions.
        port: The recorder's; None: there is none.
    """
    spec, explain, fallback = given.recording, given.explain, given.fallback
    recording = port and RecordingSettings(
        spill=spill_folder(home, system, service),
        recorder=f"http://127.0.0.1:{port}",
        token_file=home / names.TOKEN_FILE,
        key_file=home / names.KEY_FILE,
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
