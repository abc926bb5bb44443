"""A training on this machine: by the environment's runner, or as a job of this process."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

from mlstrata import worker
from mlstrata.clients.mlflow.access import sealing
from mlstrata.environments import Capability, SystemSpec
from mlstrata.operations.errors import Failed, UsageError
from mlstrata.operations.training import ENDED, Training, follow

if TYPE_CHECKING:
    import httpx

    from mlstrata.operations.deployment import Deployment
    from mlstrata.operations.reporting import Reporter
    from mlstrata.operations.targets.local import Local
    from mlstrata.services.runner.contract import Origin, TrainingRequest

_JOB = "mlstrata.services.runner.job"
POLL_SECONDS = 0.3
QUEUED_SECONDS = 2.0
"""How long a run may wait in silence: one that is the only one begins within a moment."""


def train(local: Local, system: SystemSpec, *, if_needed: bool, trials: int | None, reporter: Reporter) -> Training:
    """Run the pipeline, unless `if_needed` and a version has the same data, code and settings.

    Raises:
        Failed: a step failed or a gate refused; the message is the step's own.
        UsageError: the environment is not up, or the system cannot be trained as declared.
    """
    began = time.monotonic()
    local.access()
    os.environ.update(sealing(local.deployment.home))
    wanted = request_of(local.deployment, system, local.address("mlflow"))
    if trials is not None:
        search = {**wanted.settings.search, "trials": trials}
        wanted = wanted.model_copy(update={"settings": wanted.settings.model_copy(update={"search": search})})
    if if_needed and (version := _existing(wanted)):
        return Training(system.name, version, ran=False)
    request = wanted.model_dump(mode="json")
    at_foundation = Capability.PIPELINES in local.deployment.spec.capabilities
    run = run_of(local, request, at_foundation=at_foundation)
    # Closed whatever happens: an interruption may come while a line is shown.
    with closing(run) as lines:
        result = follow(system.name, lines, reporter)
    return Training(system.name, str(result["version"]), ran=True, seconds=time.monotonic() - began, result=result)


def run_of(local: Local, request: dict[str, Any], *, at_foundation: bool) -> Generator[dict[str, Any]]:
    """Run a request by the environment's runner, where it has one, else as a job; yield what it tells."""
    if at_foundation:
        return through_runner(local.deployment, local.address("runner"), request)
    return worker.lines(_JOB, request)


def request_of(
    deployment: Deployment, system: SystemSpec, tracking_uri: str, origin: Origin | None = None
) -> TrainingRequest:
    """Build the request that trains a system here, or judges a model that was trained elsewhere.

    Raises:
        UsageError: it cannot be trained, or judged, as declared.
    """
    from mlstrata.services.runner.requests import NotTrainable, training_request

    root, home = deployment.workspace.root, deployment.home
    try:
        return training_request(deployment.name, system, root=root, home=home, tracking_uri=tracking_uri, origin=origin)
    except NotTrainable as error:
        raise UsageError(f"{deployment.file}: {error}") from None


def _existing(request: TrainingRequest) -> str | None:
    """Return the version that these data, code and settings made already, None when there is none."""
    from mlstrata.clients.mlflow import RegistryError
    from mlstrata.services.runner.job import check
    from mlstrata_steps import StepError

    try:
        return check(request)["version"]
    except (StepError, RegistryError) as error:
        raise Failed(f"could not read the versions of {request.system}: {error}") from None


def through_runner(deployment: Deployment, url: str, request: dict[str, Any]) -> Generator[dict[str, Any]]:
    """Have the runner run the pipeline; yield its steps as they change, as a job would say them.

    Raises:
        Failed: the runner does not answer, or refuses the run.
    """
    import httpx

    token = (deployment.home / "config/runner/token").read_text(encoding="utf-8").strip()
    headers = {"authorization": f"Bearer {token}"}
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False) as client:
            answer = client.post("/runs", json={"system": request["system"], "settings": request})
            if answer.status_code != httpx.codes.ACCEPTED:
                raise Failed(f"the runner refused the run ({answer.status_code}): {answer.text.strip()}")
            identity = answer.json()["id"]
            try:
                yield from _watched(client, identity)
            except (KeyboardInterrupt, GeneratorExit):
                # Whoever stops a training while watching it means the training, as where it is this process's child.
                with suppress(httpx.HTTPError):
                    client.delete(f"/runs/{identity}")
                raise
    except httpx.HTTPError as error:
        raise Failed(f"the runner at {url} does not answer ({error}); `mlstrata status {deployment.name}`") from None


def _watched(client: httpx.Client, identity: str) -> Iterator[dict[str, Any]]:
    """Yield a run's steps as they change, last how it ended; and once that it waits, should it."""
    said: dict[str, tuple[str, str | None]] = {}
    patient_until: float | None = time.monotonic() + QUEUED_SECONDS
    while True:
        run = client.get(f"/runs/{identity}").raise_for_status().json()
        if run["state"] == "queued" and patient_until is not None and time.monotonic() > patient_until:
            patient_until = None
            yield {"note": f"run {identity} waits until {_before(client, identity)} has ended; Ctrl-C takes it back"}
        for step in run["steps"]:
            where = (step["state"], step["progress"])
            if said.get(step["name"]) != where:
                said[step["name"]] = where
                yield {"step": step["name"], **step}
        if run["state"] in ENDED:
            yield {"state": run["state"], "result": run["result"], "error": run["error"]}
            return
        time.sleep(POLL_SECONDS)


def _before(client: httpx.Client, identity: str) -> str:
    """Name the run that another one waits for."""
    found = client.get("/runs").raise_for_status().json().get("runs", ())
    running = next((one for one in found if one["state"] == "running" and one["id"] != identity), None)
    return f"run {running['id']} of {running['system']}" if running else "another one"
