"""From a platform that is up to a model that answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata.environments import SystemSpec
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.predict import ask
from mlstrata.operations.release import release
from mlstrata.operations.training import Training, train

if TYPE_CHECKING:
    from mlstrata.operations.reporting import Reporter

REASON = "first version of a new environment"
EXAMPLES = "examples"
"""Folder in an environment's home with a request that each system answers."""


@dataclass(frozen=True)
class FirstVersion:
    """A system that was brought to life.

    Attributes:
        training: Its run.
        champion: The version that answers.
        released: Whether this released it; False: one answered already.
        example: A file with a request that fits the system; None where its model brought no example.
        answer: What the system answered to that; None: it was not asked.
    """

    training: Training
    champion: str
    released: bool
    example: Path | None = None
    answer: dict[str, Any] | None = None


def trainable(deployment: Deployment) -> list[SystemSpec]:
    """Return the systems that the training pipeline can make a model for."""
    return [system for system in deployment.spec.systems if not system.untrainable()]


def first_version(deployment: Deployment, system: SystemSpec, reporter: Reporter) -> FirstVersion:
    """Train a system where it lacks a version of its data; release it where none answers yet; ask it.

    A version that answers already is never replaced here: that is a decision.

    Raises:
        Failed: the pipeline, the release or the prediction did not succeed.
    """
    training = train(deployment, system.name, reporter, if_needed=True)
    champion = deployment.target.champion(system.name)
    released = champion is None
    if champion is None:
        release(deployment, system.name, reporter, version=training.version, reason=REASON)
        champion = training.version
    example = _example(deployment, system, champion)
    answer = None
    if example is not None and system.serving.consumers:
        answer = ask(deployment, system, example.read_bytes())
    return FirstVersion(training, champion, released, example, answer)


def _example(deployment: Deployment, system: SystemSpec, version: str) -> Path | None:
    """Write the model's own input example as a request into the environment's home."""
    from mlstrata.services.serving.example import read_example

    with (
        deployment.target.registry() as registry,
        deployment.target.model(registry, system.name, version) as folder,
    ):
        rows = read_example(folder)
    if not rows:
        return None
    path = deployment.home / EXAMPLES / f"{system.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"instances": rows[:1]}, indent=1) + "\n", encoding="utf-8")
    return path
