"""Trainings: one run of a system's pipeline, wherever the environment runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlstrata import worker
from mlstrata.environments import Capability
from mlstrata.operations.errors import Failed, UsageError

if TYPE_CHECKING:
    from mlstrata.operations.deployment import Deployment
    from mlstrata.operations.reporting import Reporter

ENDED = ("succeeded", "failed", "cancelled")
_EXIT_USAGE = 2


@dataclass(frozen=True)
class Training:
    """How a run ended.

    Attributes:
        system: The system.
        version: The version that it registered, or the one that has these data, code and settings already.
        ran: Whether anything ran.
        seconds: How long it took.
        result: What the pipeline says of it: `created`, `evaluation`, `tuning`, `gates`.
    """

    system: str
    version: str
    ran: bool
    seconds: float = 0.0
    result: dict[str, Any] = field(default_factory=dict)


def train(
    deployment: Deployment, system: str, reporter: Reporter, *, if_needed: bool = False, trials: int | None = None
) -> Training:
    """Run a system's pipeline, unless `if_needed` and a version has the same data, code and settings.

    Args:
        deployment: The environment.
        system: The system.
        reporter: Told each step as it ends.
        if_needed: Only where no version has these data, code and settings.
        trials: How many sets of hyperparameters are tried, in place of what the environment's file says.

    Raises:
        Failed: a step failed or a gate refused; the message is the step's own.
        UsageError: the environment is not up, or the system cannot be trained as declared.
    """
    declared = deployment.system(system)
    if trials and Capability.TUNING not in deployment.spec.capabilities:
        raise UsageError(
            f"--trials: environment {deployment.name} has no capability 'tuning' at stage '{deployment.spec.stage}'; "
            "it comes with stage 'foundation'"
        )
    deployed = {one["name"]: one for one in deployment.state.declared.get("systems", ())}
    if system in deployed and deployed[system] != declared.model_dump(mode="json", exclude_none=True):
        reporter.note(
            f"{deployment.file}: {system} has changes that `mlstrata up {deployment.name}` has not made yet; this run "
            "trains it as the file says now"
        )
    return deployment.target.train(system, if_needed=if_needed, trials=trials, reporter=reporter)


def follow(
    system: str, lines: Iterator[dict[str, Any]], reporter: Reporter, *, doing: str = "training"
) -> dict[str, Any]:
    """Report each step as it ends; return the run's result.

    Raises:
        Failed: the run did not succeed.
        UsageError: a part could not be asked, so that nothing ran.
    """
    with reporter.working(f"{doing} {system} …") as working:
        for line in lines:
            if "note" in line:
                reporter.note(line["note"])
            elif "step" in line:
                if line["state"] == "running":
                    progress = f" · {line['progress']}" if line.get("progress") else ""
                    working(f"{doing} {system} · {line['step']}{progress}")
                elif line["state"] in ENDED:
                    reporter.step(line)
            elif line.get("state") == "succeeded":
                result: dict[str, Any] = line["result"]
                return result
            elif worker.is_last(line):
                if line.get("code") == _EXIT_USAGE:
                    raise UsageError(f"{doing} {system}: {line['error']}")
                state = line.get("state", "failed")
                raise Failed(f"{doing} {system} {state}: {line['error'] or 'no reason was given'}")
    raise Failed(f"{doing} {system} ended without a result")
