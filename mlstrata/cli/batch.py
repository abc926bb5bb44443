"""`mlstrata score`: a file or table scored as a job, with the model and checks of a system's API."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from mlstrata.cli.console import err, say, say_json
from mlstrata.cli.predict import find_system
from mlstrata.environments.installation import interpreter
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
    """Do the job in the environment that has the model's libraries, with its progress on a terminal."""
    python = interpreter()
    answer: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, err().status(f"scoring by {job.system} …") as status:
        settings = Path(folder) / "job.json"
        settings.write_text(job.model_dump_json(), encoding="utf-8")
        command = [str(python), "-m", "mlstrata.services.batch", "score", "--settings", str(settings), "--attached"]
        job.workdir.mkdir(parents=True, exist_ok=True)
        with (
            # What the model's libraries say is for whoever looks into a failure.
            (job.workdir / _LOG).open("ab") as log,
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True) as process,
        ):
            for line in process.stdout or ():
                answer = json.loads(line)
                if "done" in answer:
                    status.update(f"scoring by {job.system} · {answer['done']} of {answer['all']} rows")
    if "error" not in answer:
        raise Failed(f"{job.system}: the job was cut off, run it again; its log is {job.workdir / _LOG}")
    if answer["error"]:
        raise Failed(f"{job.system}: {answer['error']}")
    return answer
