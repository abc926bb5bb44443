"""`mlstrata score`: a file or table scored as a job, with the model and checks of a system's API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlstrata import worker
from mlstrata.cli.console import err, say, say_json
from mlstrata.cli.predict import find_system
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import Failed, UsageError
from mlstrata.services.batch.jobs import NotScorable, scoring_job
from mlstrata.services.batch.settings import ScoringJob

_SHOWN_REASONS = 5
_LOG = "job.log"


def score(
    name: str,
    system: str,
    *,
    given: str | None,
    output: str | None,
    version: str | None,
    key: str | None,
    as_json: bool,
) -> None:
    """Score every row once; go on where a run that was cut off stopped.

    Raises:
        UsageError: there is nothing to score, or no such file.
        Failed: no version is released, or the model cannot be loaded.
    """
    deployment = Deployment.open(name)
    deployment.require_local("score")
    job = declared_job(deployment, system, given)
    place = Path(output).absolute() if output else None
    try:
        job = ScoringJob.model_validate(job.model_dump() | {"output": place, "version": version, "key": key})
    except ValueError:
        # What a file declares was checked when it was read.
        raise UsageError(f"--version: got '{version}'; allowed the number of a released version, such as 1") from None
    answer = _run(job)
    if as_json:
        say_json(answer)
        return
    manifest = answer["manifest"]
    say(f" {system}: {manifest['scored']} of {manifest['rows']} rows scored by version {manifest['version']}")
    for reason, count in list(manifest["reasons"].items())[:_SHOWN_REASONS]:
        say(f"   {count} refused: {reason}; the output says why for each", style="yellow")
    say(f"   {answer['output']} · sha256 {manifest['output_sha256'][:12]}")


def declared_job(deployment: Deployment, system: str, given: str | None = None) -> ScoringJob:
    """Return the job that scores a system as declared.

    Raises:
        UsageError: there is nothing to score.
    """
    spec = find_system(deployment, system)
    try:
        return scoring_job(spec, root=deployment.workspace.root, home=deployment.home, given=given)
    except NotScorable as error:
        raise UsageError(f"{deployment.workspace.environment_file(deployment.name)}: {error}") from None


def _run(job: ScoringJob) -> dict[str, Any]:
    """Run the job, with its progress on a terminal."""
    with err().status(f"scoring by {job.system} …") as status:
        done = worker.run(
            "mlstrata.services.batch",
            job,
            lambda line: status.update(f"scoring by {job.system} · {line['done']} of {line['all']} rows"),
            arguments=["score"],
            # What the model's libraries print helps to find why a job failed.
            log=job.workdir / _LOG,
        )
    if done.value is None:
        raise Failed(f"{job.system}: {done.error}")
    return done.value
