"""`python -m mlstrata.services.batch.cluster_job --settings FILE`: one scoring job in a pod, kept as a run of MLflow.

The champion is fetched from the registry, the rows are scored as `mlstrata score` would, and output and manifest become
artifacts of a run that names version and input: what was predicted, from what, by which version stays answerable.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mlstrata.clients.mlflow import CHAMPION, Registry, RegistryError
from mlstrata.clients.mlflow.data import placed
from mlstrata.services.batch.scoring import score
from mlstrata.services.batch.settings import Manifest, ScoringJob, manifest_of
from mlstrata.services.batch.table import BatchError
from mlstrata.services.serving.admission import Admission
from mlstrata.services.serving.fetch import fetch

_KIND, _SCORING = "mlstrata.kind", "scoring"
"""Tag of a run that keeps scores."""
_MOST = 1000
"""Jobs whose scores are removed at once; a job comes again."""
_REASON = 300
"""Longest part of a client's message that is told on."""


def run(job: ScoringJob, uri: str) -> tuple[str, Manifest]:
    """Score, and keep what came of it.

    Args:
        job: What to score; its folders may be empty.
        uri: Address of MLflow.

    Returns:
        The id of the run that keeps the output, and what was done.

    Raises:
        BatchError: nothing is released, or the rows cannot be scored; nothing is kept then.
        RegistryError: the registry does not answer.
    """
    registry = Registry(uri)
    if fetch(registry, job.system, job.version or CHAMPION, job.directory, Admission(own_code=job.own_code)) is None:
        raise BatchError(f"no version of {job.system} is released yet; release one, then score again")
    job = job.model_copy(update={"input": placed(registry, job.system, job.input)})
    job.workdir.mkdir(parents=True, exist_ok=True)
    manifest, output = score(job)
    tags = {
        _KIND: _SCORING,
        "model_version": manifest.version,
        "input": manifest.input,
        "input_sha256": manifest.input_sha256,
    }
    kept = _kept(job.system, uri, tags, manifest, output)
    if job.keep is not None:
        forget(job.system, uri, time.time() - job.keep)
    return kept, manifest


def _kept(system: str, uri: str, tags: Mapping[str, str], manifest: Manifest, output: Path) -> str:
    """Keep output and manifest as a run; return its id.

    Raises:
        RegistryError: the registry does not answer, or refuses.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    mlflow.set_tracking_uri(uri)
    try:
        mlflow.set_experiment(system)
        with mlflow.start_run(run_name="scoring", tags=dict(tags)) as run:
            mlflow.log_metrics({"rows": manifest.rows, "scored": manifest.scored, "refused": manifest.refused})
            mlflow.log_artifact(str(output))
            mlflow.log_artifact(str(manifest_of(output)))
            return str(run.info.run_id)
    except (MlflowException, OSError) as error:
        reason = str(error).partition("\n")[0][:_REASON]
        raise RegistryError(f"the registry at {uri} does not keep what was scored: {reason}") from error


def forget(system: str, uri: str, before: float) -> int:
    """Remove the scores that a system's jobs kept before a time, files first; return of how many jobs.

    What cannot be removed now, the next job removes: it never makes a job fail that has scored.
    """
    import mlflow
    from mlflow.exceptions import MlflowException
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    client, removed = mlflow.MlflowClient(uri), 0
    mlflow.set_tracking_uri(uri)
    try:
        experiment = client.get_experiment_by_name(system)
        where = f"tags.`{_KIND}` = '{_SCORING}' and attributes.start_time < {int(before * 1000)}"
        for run in client.search_runs([experiment.experiment_id], where, max_results=_MOST) if experiment else ():
            files: Any = get_artifact_repository(run.info.artifact_uri)
            files.delete_artifacts()
            client.delete_run(run.info.run_id)
            removed += 1
    except (MlflowException, OSError) as error:
        reason = str(error).partition("\n")[0][:_REASON]
        sys.stderr.write(f"old scores of {system} are not all removed yet: {reason}\n")
    return removed


def main() -> int:
    """Score what the settings name; 0 fine, 1 it could not be, 2 the settings are wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m mlstrata.services.batch.cluster_job", description="Score a dataset on a cluster."
    )
    parser.add_argument("--settings", type=Path, required=True, help="JSON file of a ScoringJob")
    given = parser.parse_args()
    try:
        job = ScoringJob.model_validate_json(given.settings.read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        sys.stderr.write(f"{given.settings}: {error}\n")
        return 2
    try:
        kept, manifest = run(job, os.environ["MLFLOW_TRACKING_URI"])
    except (BatchError, RegistryError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps({"run": kept, **manifest.model_dump(mode="json")}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
