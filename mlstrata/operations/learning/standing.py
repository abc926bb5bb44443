"""Where a version is on its way to the consumers, from what `releases.json` says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlstrata.services.retraining.loop import Place, Standing


def standing_of(releases: Mapping[str, Any], version: str, *, begun: bool) -> Standing:
    """Return where a version is.

    Args:
        releases: What was released of its system, as JSON values.
        version: The version.
        begun: Its rollout was begun: where nothing says so any more, it was taken back.
    """
    running = releases.get("rollout") or {}
    if version == running.get("candidate"):
        return Standing(Place.ROLLING, _progress(running))
    if version in (releases.get("challenger"), releases.get("shadow")):
        return Standing(Place.ROLLING, f"version {version} gets some of the traffic")
    if version == releases.get("champion"):
        return Standing(Place.RELEASED, f"version {version} answers{_said(releases, version)}")
    aborted = (releases.get("moved") or {}).get("to") == version
    if begun or aborted or version in (releases.get("held") or ()) or _said(releases, version):
        return Standing(Place.ROLLED_BACK, f"version {version} was taken back{_said(releases, version)}")
    return Standing(Place.NOWHERE)


def _said(releases: Mapping[str, Any], version: str) -> str:
    """Return what the newest decision about a version gave as its reason; empty where there is none."""
    moved = releases.get("moved") or {}
    entries = [*(releases.get("history") or ()), *([moved] if moved else [])]
    about = [entry for entry in entries if version in (entry["to"], entry.get("from"))]
    newest = max(about, key=lambda entry: str(entry["when"]), default=None)
    return f": {newest['why']}" if newest else ""


def _progress(running: Mapping[str, Any]) -> str:
    how = f"{running['strategy']}, step {int(running.get('step', 0)) + 1}, {running.get('share', 0)} % of the traffic"
    return f"version {running['candidate']}: {how}"
