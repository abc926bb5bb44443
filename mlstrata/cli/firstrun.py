"""`mlstrata up --train`: from a platform that is up to a model that answers, and where to look then."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata.cli.console import out, say
from mlstrata.cli.train import show_training
from mlstrata.environments import SystemSpec
from mlstrata.environments.installation import programs_folder
from mlstrata.operations.training.first_version import FirstVersion, trainable
from mlstrata.operations.training.first_version import first_version as bring_to_life

if TYPE_CHECKING:
    from mlstrata.cli.reporter import Terminal
    from mlstrata.operations.deployment import Deployment


def first_version(deployment: Deployment, reporter: Terminal) -> list[dict[str, Any]]:
    """Give the first system that can be trained a version that answers, and say where to look then.

    The first only: `up` is to end in a working example within a minute, whatever a file declares; the others are
    named with the commands that bring them to life.

    Returns:
        What was done, one document for a system trained.

    Raises:
        Failed: the pipeline, the release or the prediction shown did not succeed.
    """
    done = []
    for number, system in enumerate(trainable(deployment)):
        if number == 0:
            done.append(_bring_to_life(deployment, system, reporter))
        elif not reporter.quiet and deployment.target.champion(system.name) is None:
            commands = f"`mlstrata train {deployment.name} {system.name}`, then "
            commands += f"`mlstrata release {deployment.name} {system.name}`"
            say(f" {system.name} has no version yet: {commands}")
    if not reporter.quiet:
        _where_to_look(deployment, done[0] if done else None)
    return [
        {**asdict(one.training), "champion": one.champion, "prediction": one.answer, "example": str(one.example or "")}
        for one in done
    ]


def _bring_to_life(deployment: Deployment, system: SystemSpec, reporter: Terminal) -> FirstVersion:
    if not reporter.quiet:
        say(f" {system.name} on {system.training_data.name if system.training_data else 'no data'}")
    done = bring_to_life(deployment, system, reporter)
    if reporter.quiet:
        return done
    show_training(done.training)
    if done.released:
        say(f"   version {done.champion} is released")
    elif done.champion != done.training.version:
        say(f"   version {done.champion} answers; `mlstrata release {deployment.name} {system.name}` adopts the newest")
    if done.answer is not None:
        prediction, version = dict(done.answer["predictions"][0]), done.answer["model"]["version"]
        explanation = prediction.pop("explanation", None)
        say(f"   a prediction: {json.dumps(prediction)} by version {version}, request {done.answer['request_id']}")
        if explanation:
            say(f"   because of {_strongest(explanation['contributions'])} ({explanation['unit'].replace('_', ' ')})")
    return done


def _strongest(contributions: Mapping[str, float], count: int = 3) -> str:
    """Name the columns that moved an answer the most, each with its part."""
    found = sorted(contributions.items(), key=lambda one: -abs(one[1]))[:count]
    return ", ".join(f"{column} {part:+.2f}" for column, part in found)


def _where_to_look(deployment: Deployment, done: FirstVersion | None) -> None:
    from mlstrata.operations.predict import authority_file

    urls = deployment.target.urls
    system = deployment.system(done.training.system) if done else None
    if done is not None and done.example is not None and system is not None and system.serving.consumers:
        consumer = system.serving.consumers[0].name
        out().print(" [bold]Try it:[/bold]")
        command = programs_folder() / "mlstrata"
        if command.is_relative_to(Path.cwd()):
            command = command.relative_to(Path.cwd())
        say(f'   curl -H "Authorization: Bearer $({command} token {deployment.name} {consumer})" \\')
        say(f"     --cacert '{authority_file(deployment)}' \\")
        say(f"     -H 'Content-Type: application/json' -d '@{done.example}' \\")
        say(f"     {urls['gateway']}/systems/{system.name}/v1/predict")
    say("   " + " · ".join(f"{name} {url}" for name, url in urls.items()))
