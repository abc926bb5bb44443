"""`python -m mlstrata.services.batch score|try|serve --settings FILE`.

`score` and `try` follow the protocol of `mlstrata.worker`. `score` does a job, with `{"done", "all"}` as progress and
`{"manifest", "output"}` as its result. `try` loads a version and predicts its own input example, as a release demands.
`serve` scores by each system's schedule until it is stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path

from mlstrata import worker
from mlstrata.environments.requirements import RequirementsError
from mlstrata.services.batch.settings import BatchSettings, ScoringJob
from mlstrata.services.batch.table import BatchError
from mlstrata.services.own_environment import ensure


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m mlstrata.services.batch", description="Scores tables.")
    parser.add_argument("what", choices=("score", "try", "serve"))
    parser.add_argument("--settings", type=Path, required=True, help="JSON file of ScoringJob, BatchSettings for serve")
    parser.add_argument(worker.ATTACHED, action="store_true", help="end when standard input ends")
    given = parser.parse_args()
    if given.attached:
        worker.end_with_caller()
    text = given.settings.read_text(encoding="utf-8")
    if given.what == "serve":
        from mlstrata.services.batch.schedule import serve

        serve(BatchSettings.model_validate_json(text))
        return 0
    job = ScoringJob.model_validate_json(text)
    if job.requirements is not None and (failed := _move(job.requirements, job.home)):
        return worker.fail(failed)
    # What a model's own code prints is not for whoever reads our lines.
    with contextlib.redirect_stdout(sys.stderr):
        try:
            return worker.finish(_score(job) if given.what == "score" else {"predictions": attempt(job)})
        except (BatchError, OSError) as error:
            return worker.fail(str(error))


def _move(lock: Path, home: Path) -> str:
    """Go on in the environment of the system's own lock; returns why that cannot be, nothing where this is it."""
    try:
        python = ensure(lock, home)
    except RequirementsError as error:
        return str(error)
    if python != Path(sys.executable):
        os.execv(python, [str(python), "-m", "mlstrata.services.batch", *sys.argv[1:]])  # noqa: S606 - just built
    return ""


def _score(job: ScoringJob) -> dict[str, object]:
    from mlstrata.services.batch.scoring import score

    manifest, output = score(job, lambda done, of: worker.tell({"done": done, "all": of}))
    return {"manifest": manifest.model_dump(mode="json"), "output": str(output)}


def attempt(job: ScoringJob) -> int:
    """Have a version predict its own input example; return how many rows that are.

    Raises:
        BatchError: it has none, cannot be loaded, or gives what is not plausible.
    """
    from mlstrata.services.batch.scoring import loaded
    from mlstrata.services.serving.example import read_example
    from mlstrata.services.serving.predictor import Predictor
    from mlstrata.services.serving.problem import ProblemError

    version = job.version or ""
    folder = job.directory / "models" / version
    example = read_example(folder)
    if not example:
        raise BatchError(f"version {version} has no input example to try it on; log it with input_example")
    model = loaded(job, version, folder)
    try:
        return len(Predictor(job.serving()).values(model, model.schema.check(example)))
    except ProblemError as problem:
        raise BatchError(f"version {version} on its input example: {problem.sentence()}") from problem


if __name__ == "__main__":
    sys.exit(main())
