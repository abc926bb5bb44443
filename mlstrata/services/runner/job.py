"""`python -m mlstrata.services.runner.job --settings FILE`: one training run, as a plain job.

FILE holds a `TrainingRequest`. Standard output follows the protocol of `mlstrata.worker`: first `{"run", "log",
"steps"}`, then a `Step` whenever one starts or ends, last `{"state", "result", "error"}`. Exit code 0 when a version is
registered, 1 when a step failed or refused, 2 when the request is wrong.

With `--check` nothing runs: the result is `{"fingerprint", "version"}`, and the version is null when these data, code
and settings have not made one yet.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mlstrata import worker
from mlstrata.clients.mlflow import Registry, RegistryError
from mlstrata.clients.mlflow.access import QUIET, past_proxies
from mlstrata.clients.mlflow.data import placed
from mlstrata.environments.installation import room
from mlstrata.environments.requirements import RequirementsError
from mlstrata.environments.spec.model import LEARNERS
from mlstrata.services.own_environment import COMBINED, interpreter_of
from mlstrata.services.problems import plain
from mlstrata.services.retention.lock import in_use
from mlstrata.services.runner.commit import current_commit
from mlstrata.services.runner.contract import State, Step, TrainingRequest
from mlstrata.services.runner.known import known

RULES = ("search", "mitigation", "comparison")
"""Settings that are rules of a step, and gate nothing by themselves."""

GATES = ("privacy", "quality", "leakage", "signal", "fairness", "plausibility")
"""Steps whose rules are settings of their own name."""

CANDIDATE = "1"
"""The version that a model is called while it is tested: it has none in the registry yet."""

DEFAULTS = {
    # A registry that is down should fail the step in seconds; its own retries come on top.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    **QUIET,
}
"""Environment of the steps, where the caller's own says nothing else."""


def main() -> int:
    """Run or check what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m mlstrata.services.runner.job", description="One training run.")
    parser.add_argument("--settings", type=Path, required=True, help="JSON file of a TrainingRequest")
    parser.add_argument("--run", default=None, help="the run's id; a new one by default")
    parser.add_argument("--log", type=Path, default=None, help="the log file; one in the workdir by default")
    parser.add_argument(worker.ATTACHED, action="store_true", help="end when standard input ends")
    parser.add_argument("--check", action="store_true", help="only say whether a version exists already")
    options = parser.parse_args()
    try:
        request = TrainingRequest.model_validate_json(options.settings.read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        return _failed(f"{options.settings}: {plain(error)}", 2)
    if options.attached:
        worker.end_with_caller()
    from mlstrata_steps import StepError

    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    past_proxies(request.tracking_uri)
    try:
        source = placed(Registry(request.tracking_uri), request.system, request.source)
        request = request.model_copy(update={"source": source})
        if options.check:
            return worker.finish(check(request), state=State.SUCCEEDED)
        run_id = options.run or uuid.uuid4().hex[:12]
        return run(request, run_id, options.log or request.workdir / "logs" / f"{run_id}.log")
    except (StepError, RegistryError, CompileFailed, RequirementsError) as error:
        return _failed(str(error), 1)


class CompileFailed(Exception):
    """The pipeline could not be compiled."""


def check(request: TrainingRequest) -> dict[str, str | None]:
    """Say whether the registry holds a version that these data, code and settings made.

    Raises:
        StepError: The data source does not exist.
        RegistryError: MLflow does not answer.
    """
    from mlstrata_steps.seal import key

    mark, version = known(request, Registry(request.tracking_uri), sealed=bool(key()))
    return {"fingerprint": mark, "version": version}


def run(request: TrainingRequest, run_id: str, log: Path) -> int:
    """Compile, if need be, and execute the pipeline; progress goes to standard output.

    Raises:
        CompileFailed: The pipeline does not compile, or needs what no run has.
    """
    with in_use(request.workdir):
        return _run(request, run_id, log)


def _run(request: TrainingRequest, run_id: str, log: Path) -> int:
    import yaml

    from mlstrata.services.runner.execution import RunFailed, execute, step_names

    python = interpreter_of(request.requirements, request.home)
    ir = compiled(request)
    compiled_pipeline = yaml.safe_load(ir.read_text(encoding="utf-8"))
    arguments = taken(compiled_pipeline, pipeline_arguments(request, run_id))
    log.parent.mkdir(parents=True, exist_ok=True)
    worker.tell({"run": run_id, "log": str(log), "steps": step_names(compiled_pipeline)})
    with log.open("a", encoding="utf-8") as written, _own_temporary_folder():
        try:
            told = execute(
                ir,
                arguments,
                root=request.workdir / "artifacts",
                cache=request.workdir / "cache",
                log=written,
                emit=_emit,
                python=python,
            )
        except RunFailed as error:
            return _failed(str(error), 1)
    # The pipeline's output is JSON text: Kubeflow's own structures turn every number into a float.
    return worker.finish(json.loads(told), state=State.SUCCEEDED)


@contextlib.contextmanager
def _own_temporary_folder() -> Iterator[None]:
    """Keep what the run and its steps put aside in one folder, removed at the end: kfp leaves a file for each step."""
    before = os.environ.get("TMPDIR")
    with tempfile.TemporaryDirectory(prefix="mlstrata-run-", ignore_cleanup_errors=True) as folder:
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        try:
            yield
        finally:
            tempfile.tempdir = None
            os.environ.pop("TMPDIR")
            if before is not None:
                os.environ["TMPDIR"] = before


def pipeline_arguments(request: TrainingRequest, run_id: str) -> dict[str, Any]:
    """Turn a request into the training pipeline's inputs; Kubeflow Pipelines would take the same."""
    commit, origin = request.commit or current_commit(), request.origin
    return {
        "system": request.system,
        "source": request.source,
        "store": str(request.workdir / "data"),
        "reading": json.dumps(reading(request), sort_keys=True),
        "columns": request.columns(),
        "algorithm": _with_version(request),
        "parameters": json.dumps(request.settings.parameters),
        "seed": request.settings.seed,
        "test_fraction": request.settings.test_fraction,
        "declared": request.declared(),
        **{f"{name}_rules": json.dumps(getattr(request.settings, name)) for name in (*GATES, *RULES)},
        "workers": request.settings.workers,
        "trials": str(request.workdir / "trials"),
        **served_as(request),
        "kpis": request.gates(),
        "settings": json.dumps(request.recipe()),
        "lineage": {
            "commit": commit,
            "pipeline_run": run_id,
            "environment": request.environment,
            "source": request.named or request.source,
            **({"recorded": request.recorded} if request.recorded else {}),
            **({"origin": origin.source, "origin_digest": origin.digest} if origin else {}),
        },
        **({"model_file": str(origin.file), "model_digest": origin.file_digest} if origin else {}),
        "commit": commit,
        "tracking_uri": request.tracking_uri,
    }


def reading(request: TrainingRequest) -> dict[str, Any]:
    """Say how the source is read, as the step `ingest` takes it."""
    there = {"endpoint": request.endpoint} if request.endpoint else {}
    return {"form": request.format, "exclude": list(request.exclude), **there}


def _with_version(request: TrainingRequest) -> str:
    """Name how a model learns with the version of its own code: what is cached of one is not taken for another's."""
    own = request.own_code and ":" in request.algorithm
    return f"{request.algorithm}@{request.own_code}" if own else request.algorithm


def taken(ir: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Choose what a compiled pipeline takes of a run's inputs: one of somebody's own need not take them all.

    Raises:
        CompileFailed: It needs one that no run has.
    """
    from mlstrata.pipelines.compile import PipelineError, inputs

    try:
        return inputs(ir, given)
    except PipelineError as error:
        raise CompileFailed(str(error)) from None


def served_as(request: TrainingRequest) -> dict[str, str]:
    """Give the lock of this environment, and how the prediction process of the system is set up.

    The served test starts the very runtime class that will answer callers; ports and folder are the test's own.
    """
    from mlstrata.services.serving.admission import Admission
    from mlstrata.services.serving.releases import FILE, Releases
    from mlstrata.services.serving.settings import ServingSettings, render_files
    from mlstrata_steps.package import file_hash

    ports = {"http_port": 1, "grpc_port": 2, "metrics_port": 3}
    rendered = render_files(ServingSettings(system=request.system, directory=Path("/"), **ports))
    server = {
        "files": {name: json.loads(text) for name, text in rendered.items()},
        "model": f"models/{CANDIDATE}",
        "data": {
            FILE: json.loads(Releases(champion=CANDIDATE, loaded=(CANDIDATE,)).to_json()),
            f"admitted/{CANDIDATE}.json": Admission(own_code=bool(request.own_code)).model_dump(),
        },
        "predict": f"/systems/{request.system}/v1/predict",
    }
    from mlstrata.services.runner.locked import requirements

    if request.requirements:
        kept = str(interpreter_of(request.requirements, request.home).parents[1] / COMBINED)
        return {"lock": kept, "lock_hash": file_hash(kept), "server": json.dumps(server, sort_keys=True)}
    kept = str(requirements(request.workdir, whole=bool(LEARNERS.reference(request.algorithm))))
    return {"lock": kept, "lock_hash": file_hash(kept), "server": json.dumps(server, sort_keys=True)}


def compiled(request: TrainingRequest) -> Path:
    """Compile the pipeline in a process of its own, once for each version of its code.

    Raises:
        CompileFailed: With the last line the compiler wrote.
    """
    gpus, version = request.settings.gpus, pipelines_version(room("pipelines"))
    own = f"-{request.own_code}" if request.own_code else ""
    target = request.workdir / "compiled" / f"{request.pipeline.replace(':', '.')}-{version}{own}-{gpus}gpu.yaml"
    if not target.exists():
        command = [sys.executable, "-m", "mlstrata.pipelines", "compile", request.pipeline, "-o", str(target)]
        done = subprocess.run([*command, "--gpus", str(gpus)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or ["it said nothing"]
            raise CompileFailed(f"pipeline {request.pipeline} does not compile: {lines[-1]}")
    return target


def pipelines_version(folder: Path) -> str:
    """Name the code in the folder of pipelines, its components among it: the compiler copies their source."""
    from mlstrata_steps.versioning import SOURCES, code_version, tree_digest

    return hashlib.sha256(f"{code_version()} {tree_digest(folder, SOURCES)}".encode()).hexdigest()[:12]


def _emit(step: Step) -> None:
    line = step.model_dump(mode="json", exclude_defaults=True)
    worker.tell({"step": line.pop("name"), **line})


def _failed(error: str, code: int) -> int:
    return worker.fail(error, code, state=State.FAILED)


if __name__ == "__main__":
    sys.exit(main())
