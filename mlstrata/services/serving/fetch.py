"""`python -m mlstrata.services.serving.fetch`: fetches the version that a pod serves.

On a cluster a pod has no folder that a rollout could write: it takes its version from the registry when it starts, the
one that `MLSTRATA_MODEL_VERSION` names. A release changes that variable, and the pods follow one by one. A version that
cannot predict its own input example ends the pod's start here, so the pods of the version before go on answering.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from mlstrata.clients.mlflow import CHAMPION, Registry, RegistryError
from mlstrata.files import write_private
from mlstrata.services.serving.admission import Admission, place
from mlstrata.services.serving.example import read_example
from mlstrata.services.serving.releases import FILE, Releases
from mlstrata.services.serving.settings import OutputRange

VERSION, DIGEST = "MLSTRATA_MODEL_VERSION", "MLSTRATA_MODEL_DIGEST"


class UnusableError(Exception):
    """A version cannot predict its own input example."""


def fetch(
    registry: Registry, system: str, wanted: str, directory: Path, admission: Admission | None = None
) -> str | None:
    """Put a version's files and the word that it is released into a folder.

    Args:
        registry: Where versions are.
        system: The system.
        wanted: A version's number, or `champion` for what the registry calls so.
        directory: The prediction process's folder.
        admission: What its files must come to, and whether they may bring code; None: they may not.

    Returns:
        The version; None where nothing is released yet: the process then starts and says so.

    Raises:
        RegistryError: there is no such version, its files cannot be had, or the registry does not answer.
    """
    directory.mkdir(parents=True, exist_ok=True)
    version = registry.champion(system) if wanted == CHAMPION else wanted
    if version is None:
        return None
    candidate = registry.candidate(system, version)
    folder = directory / "models" / candidate.version
    folder.parent.mkdir(exist_ok=True)
    registry.download(candidate, folder)
    write_private(place(folder), (admission or Admission()).model_dump_json())
    releases = Releases(champion=candidate.version, loaded=(candidate.version,))
    unfinished = directory / f".{FILE}"
    unfinished.write_text(releases.model_dump_json(indent=2, by_alias=True) + "\n", encoding="utf-8")
    unfinished.replace(directory / FILE)
    return candidate.version


def attempt(system: str, version: str, directory: Path, output_range: OutputRange) -> None:
    """Have a fetched version predict its own input example, as it would for a caller.

    Args:
        system: The system.
        version: The version.
        directory: The prediction process's folder.
        output_range: What a prediction of this system can be, of several outputs by their names; None: what the model's
            contract says.

    Raises:
        UnusableError: it has no example, cannot be loaded, or its prediction is not plausible.
    """
    from mlstrata.services.serving.model import load
    from mlstrata.services.serving.predictor import Predictor
    from mlstrata.services.serving.problem import ProblemError
    from mlstrata.services.serving.settings import ServingSettings

    folder, of = directory / "models" / version, f"version {version} of {system}"
    try:
        example = read_example(folder)
    except ValueError as error:
        raise UnusableError(f"{of}: {error}") from error
    if not example:
        raise UnusableError(f"{of} has no input example to try it on; log it with input_example")
    try:
        model = load(version, folder)
    except Exception as error:  # a model's flavour may raise anything
        raise UnusableError(f"{of} cannot be loaded: {type(error).__name__}: {error}") from error
    ports = {"http_port": 1, "grpc_port": 2, "metrics_port": 3}
    settings = ServingSettings(system=system, directory=directory, output_range=output_range, **ports)
    try:
        Predictor(settings).values(model, model.schema.check(example))
    except ProblemError as problem:
        raise UnusableError(f"{of} on its input example: {problem.sentence()}") from problem


def main() -> int:
    """Fetch what variables and command line name, and try it; 0 fine, 1 it cannot be had or does not predict."""
    parser = argparse.ArgumentParser(
        prog="python -m mlstrata.services.serving.fetch", description="Fetch a released version."
    )
    parser.add_argument("--system", required=True)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--range", type=float, nargs=2, metavar=("LOW", "HIGH"), help="what a prediction can be")
    parser.add_argument("--ranges", default="", metavar="JSON", help="the same of several outputs, by name")
    parser.add_argument("--own-code", action="store_true", help="the system's file says that its model brings code")
    given = parser.parse_args()
    admission = Admission(digest=os.environ.get(DIGEST, ""), own_code=given.own_code)
    registry = Registry(os.environ["MLFLOW_TRACKING_URI"])
    try:
        version = fetch(registry, given.system, os.environ.get(VERSION) or CHAMPION, given.directory, admission)
        if version is not None:
            limits = json.loads(given.ranges) if given.ranges else tuple(given.range or ()) or None
            attempt(given.system, version, given.directory, limits)
    except (RegistryError, UnusableError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    said = f"version {version} of {given.system}" if version else f"no version of {given.system} is released yet"
    sys.stdout.write(f"{said}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
