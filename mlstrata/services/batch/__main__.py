"""`python -m mlstrata.services.batch score|try|serve --settings FILE`.

`score` does a job and says on standard output, one JSON object a line, `{"done", "all"}` while it works, last
`{"manifest", "output", "error"}`; exit code 0 when the output is there, 1 when not. `try` loads a version and predicts
its own input example, as a release wants to see. `serve` scores when it is time, until told to stop.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import threading
from pathlib import Path

from mlstrata.services.batch.settings import BatchSettings, ScoringJob
from mlstrata.services.batch.table import BatchError


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m mlstrata.services.batch", description="Scores tables.")
    parser.add_argument("what", choices=("score", "try", "serve"))
    parser.add_argument("--settings", type=Path, required=True, help="JSON file of ScoringJob, BatchSettings for serve")
    parser.add_argument("--attached", action="store_true", help="end when standard input ends")
    given = parser.parse_args()
    if given.attached:
        threading.Thread(target=_end_with_caller, daemon=True).start()
    text = given.settings.read_text(encoding="utf-8")
    if given.what == "serve":
        from mlstrata.services.batch.schedule import serve

        serve(BatchSettings.model_validate_json(text))
        return 0
    job = ScoringJob.model_validate_json(text)
    # What a model's own code prints is not for whoever reads our lines.
    with contextlib.redirect_stdout(sys.stderr):
        try:
            _say(_score(job) if given.what == "score" else {"predictions": attempt(job), "error": None})
        except (BatchError, OSError) as error:
            _say({"error": str(error)})
            return 1
    return 0


def _score(job: ScoringJob) -> dict[str, object]:
    from mlstrata.services.batch.scoring import score

    manifest, output = score(job, lambda done, of: _say({"done": done, "all": of}))
    return {"manifest": manifest.model_dump(mode="json"), "output": str(output), "error": None}


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
        return len(Predictor(job.serving()).probabilities(model, model.schema.check(example)))
    except ProblemError as problem:
        raise BatchError(f"version {version} on its input example: {problem.message}") from problem


def _say(document: object) -> None:
    # The original one: while a model works, sys.stdout is its own.
    print(json.dumps(document), file=sys.__stdout__, flush=True)


def _end_with_caller() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
