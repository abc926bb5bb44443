"""`mlstrata erase`: what a removed system left behind, erased."""

from __future__ import annotations

from dataclasses import asdict

from mlstrata.cli.console import confirm, say, say_json
from mlstrata.cli.reporter import Terminal
from mlstrata.operations import erasure
from mlstrata.operations.deployment import Deployment


def erase(name: str, system: str, *, reason: str, yes: bool, as_json: bool) -> None:
    """Erase the data of a system that the environment declares no more, and say what that was."""
    done = erasure.erase(
        Deployment.open(name),
        system,
        reason,
        Terminal(quiet=as_json),
        agree=lambda: confirm(yes, f"Erase all data, runs and versions of {system}, for good?", as_json),
    )
    if as_json:
        say_json({"environment": name, **asdict(done)})
        return
    what = f"{done.versions} versions, {done.runs} runs and {done.bytes / 2**20:.1f} MiB of files erased"
    say(f" {system}: {what} · entry {done.record} of the audit log")
    say(" copies that `mlstrata backup` made hold them still, until you delete those")
