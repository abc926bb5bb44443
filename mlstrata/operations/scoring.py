"""A file or table scored as a job, with the model and checks of a system's API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlstrata import worker
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import Failed, UsageError
from mlstrata.operations.reporting import Reporter
from mlstrata.services.batch.jobs import NotScorable, scoring_job
from mlstrata.services.batch.settings import ScoringJob

_LOG = "job.log"


def score(
    deployment: Deployment,
    system: str,
    reporter: Reporter,
    *,
    given: str | None = None,
    output: Path | None = None,
    version: str | None = None,
    key: str | None = None,
) -> dict[str, Any]:
    """Score every row once; go on where a run that was cut off stopped.

    Returns:
        The job's answer: `output` and its `manifest`.

    Raises:
        UsageError: the environment is not up, there is nothing to score, or no such file.
        Failed: no version is released, or the model cannot be loaded.
    """
    here = deployment.target.here("score")
    job = declared_job(deployment, system, given)
    _ = here.outputs  # refused where the environment is not up
    try:
        job = ScoringJob.model_validate(job.model_dump() | {"output": output, "version": version, "key": key})
    except ValueError:
        # What a file declares was checked when it was read.
        raise UsageError(f"--version: got '{version}'; allowed the number of a released version, such as 1") from None
    return _run(job, reporter)


def declared_job(deployment: Deployment, system: str, given: str | None = None) -> ScoringJob:
    """Return the job that scores a system as declared.

    Raises:
        UsageError: there is nothing to score.
    """
    spec = deployment.system(system)
    try:
        return scoring_job(spec, root=deployment.workspace.root, home=deployment.home, given=given)
    except NotScorable as error:
        raise UsageError(f"{deployment.file}: {error}") from None


def _run(job: ScoringJob, reporter: Reporter) -> dict[str, Any]:
    """Do the job in a process of its own, which has the model's libraries."""
    with reporter.working(f"scoring by {job.system} …") as working:
        done = worker.run(
            "mlstrata.services.batch",
            job,
            lambda line: working(f"scoring by {job.system} · {line['done']} of {line['all']} rows"),
            arguments=["score"],
            # What the model's libraries print helps to find why a job failed.
            log=job.workdir / _LOG,
        )
    if done.value is None:
        said = done.error or "no reason was given"
        raise Failed(said if said.startswith(job.system) else f"{job.system}: {said}")
    return done.value
