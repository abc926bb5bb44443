"""Where a version is on its way to the consumers, from what `releases.json` says."""

from __future__ import annotations

from mlstrata.services.retraining.loop import Place, Standing
from mlstrata.services.serving.releases import HistoryEntry, Releases
from mlstrata.services.serving.running import Move


def standing_of(releases: Releases, version: str, *, begun: bool) -> Standing:
    """Return where a version is.

    Args:
        releases: What was released of its system.
        version: The version.
        begun: Its rollout was begun: where nothing says so any more, it was taken back.
    """
    running = releases.rollout
    if running is not None and running.candidate == version:
        progress = f"{running.strategy}, step {running.step + 1}, {running.share} % of the traffic"
        return Standing(Place.ROLLING, f"version {version}: {progress}")
    said = _said(releases, version)
    if version == releases.champion:
        return Standing(Place.RELEASED, f"version {version} answers{said}")
    if begun or said or version in releases.held:
        return Standing(Place.ROLLED_BACK, f"version {version} was taken back{said}")
    return Standing(Place.NOWHERE)


def _said(releases: Releases, version: str) -> str:
    """Return what the newest decision about a version gave as its reason; empty where there is none."""
    entries: list[HistoryEntry | Move] = [*releases.history]
    entries += [releases.moved] if releases.moved else []
    about = [entry for entry in entries if version in {entry.to, entry.from_}]
    newest = max(about, key=lambda entry: entry.when, default=None)
    return f": {newest.why}" if newest else ""
