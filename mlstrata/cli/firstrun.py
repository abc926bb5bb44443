"""`mlstrata up --train`: from a platform that is up to a model that answers, and where to look then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mlstrata.cli.console import out, say
from mlstrata.cli.predict import ask, authority_file
from mlstrata.cli.release import release_version
from mlstrata.cli.train import show_training, train_system
from mlstrata.environments import SystemSpec
from mlstrata.environments.installation import programs_folder
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.stack_state import exports, released

REASON = "first version of a new environment"


def first_version(deployment: Deployment, *, quiet: bool) -> list[dict[str, Any]]:
    """Train the first system that can be trained, where it lacks a version; release it where none answers yet.

    The first only: `up` is to end in a working example within a minute, whatever a file declares; the others are
    named with the commands that bring them to life. A version that answers already is never replaced here: that is a
    decision, made with `mlstrata release`.

    Returns:
        What was done, one document for a system trained.

    Raises:
        Failed: the pipeline, the release or the prediction shown did not succeed.
    """
    systems = [system for system in deployment.spec.systems if not system.untrainable()]
    done = [_trained_and_released(deployment, system, quiet=quiet) for system in systems[:1]]
    if not quiet:
        for system in systems[1:]:
            _show_next(deployment, system)
        _where_to_look(deployment)
    return done


def _trained_and_released(deployment: Deployment, system: SystemSpec, *, quiet: bool) -> dict[str, Any]:
    if not quiet:
        say(f" {system.name} on {system.model.data}")
    training = train_system(deployment, system.name, if_needed=True, quiet=quiet)
    if not quiet:
        show_training(training)
    champion = released(deployment, system.name).champion
    if champion is None:
        release_version(deployment, system.name, training.version, reason=REASON)
        champion = training.version
        if not quiet:
            say(f"   version {champion} is released")
    elif not quiet and champion != training.version:
        say(f"   version {champion} answers; `mlstrata release {deployment.name} {system.name}` releases the newest")
    answer = _shown_prediction(deployment, system, quiet=quiet)
    return {**vars(training), "champion": champion, "prediction": answer}


def _show_next(deployment: Deployment, system: SystemSpec) -> None:
    if released(deployment, system.name).champion is None:
        commands = (
            f"`mlstrata train {deployment.name} {system.name}`, then `mlstrata release {deployment.name} {system.name}`"
        )
        say(f" {system.name} has no version yet: {commands}")


def _shown_prediction(deployment: Deployment, system: SystemSpec, *, quiet: bool) -> dict[str, Any] | None:
    """Ask the system with its model's own example, through the gateway."""
    from mlstrata.services.serving.example import read_example

    folder = deployment.home / "data/serving" / system.name / "models" / str(released(deployment, system.name).champion)
    example = read_example(folder)
    if not system.serving.consumers or not example:
        return None
    answer = ask(deployment, system, json.dumps({"instances": example[:1]}).encode())
    if not quiet:
        prediction = answer["predictions"][0]
        version = answer["model"]["version"]
        say(f"   a prediction: {prediction} by version {version}, request {answer['request_id']}")
    return answer


def _where_to_look(deployment: Deployment) -> None:
    urls = exports(deployment)["urls"]
    command = programs_folder() / "mlstrata"
    if command.is_relative_to(Path.cwd()):
        command = command.relative_to(Path.cwd())
    system = next((one for one in deployment.spec.systems if one.serving.consumers), None)
    if system is not None:
        consumer = system.serving.consumers[0].name
        out().print(" [bold]Try it:[/bold]")
        say(f'   curl -H "Authorization: Bearer $({command} token {deployment.name} {consumer})" \\')
        say(f"     --cacert '{authority_file(deployment)}' \\")
        say("     -H 'Content-Type: application/json' -d @examples/application.json \\")
        say(f"     {urls['gateway']}/systems/{system.name}/v1/predict")
    say("   " + " · ".join(f"{name} {url}" for name, url in urls.items()))
