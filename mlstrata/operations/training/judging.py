"""A model that was trained elsewhere: fetched, judged by the gates of a training, registered as what it is."""

from __future__ import annotations

import os
import time
from contextlib import closing
from typing import TYPE_CHECKING

from mlstrata.clients.mlflow.access import sealing
from mlstrata.environments import Capability
from mlstrata.operations.errors import Failed, UsageError
from mlstrata.operations.training import Training, follow
from mlstrata.operations.training.local import request_of, run_of

if TYPE_CHECKING:
    from pathlib import Path

    from mlstrata.environments import SystemSpec
    from mlstrata.operations.deployment import Deployment
    from mlstrata.operations.reporting import Reporter
    from mlstrata.services.runner.contract import Origin


def judge(deployment: Deployment, system: str, reporter: Reporter, *, source: str = "", version: str = "") -> Training:
    """Fetch a model, measure it on the system's declared data, and register it if it passes the gates.

    Args:
        deployment: The environment.
        system: The system.
        reporter: Told each step as it ends.
        source: Where the model is; empty: what the file says (`model.source`).
        version: In place of a source: a version of the system that somebody registered by hand.

    Raises:
        Failed: it cannot be had, is another one than before, may not be loaded, or did not pass.
        UsageError: the environment is not up, nothing says where the model is, or it cannot be judged as declared.
    """
    began, declared = time.monotonic(), deployment.system(system)
    here = deployment.target.here("judge")
    if source and version:
        raise UsageError("--source, --version: got both; name one model")
    wanted = source or (f"models:/{system}/{version}" if version else declared.model.source or "")
    if not wanted:
        raise UsageError(
            f"{deployment.file}: {system}: model.source: names no model that was trained elsewhere; declare one there, "
            "or give --source or --version"
        )
    here.access()
    os.environ.update(sealing(deployment.home))
    if reason := declared.unjudgeable():
        raise UsageError(f"{deployment.file}: {system}: {reason}")
    with reporter.working(f"fetching {wanted} …"):
        origin = _fetched(deployment, declared, wanted, here.address("mlflow"))
    reporter.note(f"{wanted} is {origin.digest}")
    request = request_of(deployment, declared, here.address("mlflow"), origin)
    run = run_of(
        here, request.model_dump(mode="json"), at_foundation=Capability.PIPELINES in deployment.spec.capabilities
    )
    with closing(run) as lines:
        result = follow(system, lines, reporter, doing="judging")
    return Training(system, str(result["version"]), ran=True, seconds=time.monotonic() - began, result=result)


def _fetched(deployment: Deployment, system: SystemSpec, source: str, registry: str) -> Origin:
    from mlstrata.clients.mlflow import Registry
    from mlstrata.services.runner.contract import Origin
    from mlstrata.services.runner.elsewhere import FOLDER, NotFetched, fetch
    from mlstrata.services.runner.requests import WORKDIR
    from mlstrata_steps.package import file_hash

    folder: Path = deployment.home / WORKDIR / system.name / FOLDER
    declared = system.model.digest if source == system.model.source else None
    try:
        found = fetch(
            source, folder, root=deployment.workspace.root, registry=Registry(registry), declared=declared or ""
        )
    except NotFetched as error:
        raise Failed(str(error)) from None
    return Origin(source=source, digest=found.digest, file=found.file, file_digest=file_hash(str(found.file)))
