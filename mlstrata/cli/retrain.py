"""`mlstrata retrain`: a system learns from what was recorded, because a person says so."""

from __future__ import annotations

from dataclasses import asdict

from mlstrata.cli.console import say, say_json
from mlstrata.cli.reporter import Terminal
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.learning.client import retrain as operation


def retrain(name: str, system: str, *, reason: str, decider: str, as_json: bool) -> None:
    """Have a system learn and say what came of it; exit 1 when nothing that may answer did."""
    done = operation(Deployment.open(name), system, Terminal(quiet=as_json), reason=reason, who=decider)
    if as_json:
        say_json(asdict(done))
        return
    say(f" {done.system}: version {done.version} learnt from {done.named}")
    if done.state == "rolling":
        say(f"   it takes over step by step: `mlstrata status {name}`")
    else:
        say(f"   {done.why}")
