"""`python -m mlstrata.services.kubeflow --settings FILE`: one training on Kubeflow Pipelines, followed to its end.

FILE holds a `KubeflowTraining`. Standard output is that of `mlstrata.services.runner.job`: first `{"run", "log",
"steps"}`, then each step as it changes, last `{"state", "result", "error"}`. Exit code 0 when a version is registered,
1 when the run failed, 2 when Kubeflow or the registry cannot be asked or the settings are wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mlstrata import worker
from mlstrata.clients.kubeflow import Kubeflow, KubeflowError
from mlstrata.services.kubeflow.contract import KubeflowTraining
from mlstrata.services.problems import plain

TOKEN = "MLSTRATA_PIPELINES_TOKEN"  # noqa: S105 - the variable's name
"""Variable with a bearer token, where something before Kubeflow asks for one."""


def main() -> int:
    """Train what the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m mlstrata.services.kubeflow", description="One training on Kubeflow."
    )
    parser.add_argument("--settings", type=Path, required=True, help="JSON file of a KubeflowTraining")
    parser.add_argument(worker.ATTACHED, action="store_true", help="end when standard input ends")
    given = parser.parse_args()
    if given.attached:
        worker.end_with_caller()
    try:
        asked = KubeflowTraining.model_validate_json(given.settings.read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        return _failed(f"{given.settings}: {plain(error)}", 2)
    from mlstrata.clients.mlflow import RegistryError
    from mlstrata.services.runner.job import CompileFailed
    from mlstrata_steps import StepError

    try:
        return train(asked)
    except (StepError, CompileFailed) as error:
        return _failed(str(error), 1)
    except (KubeflowError, RegistryError) as error:
        return _failed(str(error), 2)


def train(asked: KubeflowTraining) -> int:
    """Train, and say how it goes.

    Raises:
        KubeflowError: Kubeflow does not answer, or refuses.
        RegistryError: nor does the registry.
        CompileFailed: the pipeline does not compile.
    """
    import yaml

    from mlstrata.clients.mlflow import Registry
    from mlstrata.services.kubeflow.package import packaged
    from mlstrata.services.kubeflow.result import registered
    from mlstrata.services.kubeflow.training import Training
    from mlstrata.services.runner.job import compiled, pipeline_arguments, taken
    from mlstrata.services.runner.known import known

    if asked.if_needed and (version := known(asked.request, Registry(asked.registry))[1]):
        return worker.finish({"version": version, "created": False}, state="succeeded")
    ir = yaml.safe_load(compiled(asked.request).read_text(encoding="utf-8"))
    package = packaged(ir, asked.image, asked.secret, asked.labels, asked.data, pull_secret=asked.pull_secret)
    # Snapshots and trials lie in the run's own artifacts, and the image has no lock of this machine.
    there = {"store": "", "trials": "", "lock": "", "lock_hash": ""}
    arguments = taken(ir, {**pipeline_arguments(asked.request, ""), **there})
    kubeflow = Kubeflow(asked.url, os.environ.get(TOKEN, ""), asked.namespace, asked.patience_s)
    training = Training(kubeflow, asked, package, arguments)
    if changed := training.schedule():
        worker.tell({"note": changed})
    run, name = training.start()
    worker.tell({"run": name, "log": f"{asked.url}/#/runs/details/{run}", "steps": list(package.steps)})
    ended: dict[str, Any] = {}
    try:
        for line in training.follow(run):
            if "step" in line:
                worker.tell(line)
            else:
                ended = line
    except KubeflowError as error:
        reason = f"{error}; run {name} continues there: run train again to follow it, or to restart it where it ended"
        raise KubeflowError(reason, error.status) from error
    if ended["state"] != "succeeded":
        return worker.fail(ended["error"] or f"run {name} says why", state=ended["state"])
    return worker.finish(registered(asked, name), state="succeeded")


def _failed(error: str, code: int) -> int:
    return worker.fail(error, code, state="failed")


if __name__ == "__main__":
    sys.exit(main())
