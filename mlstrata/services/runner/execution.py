"""Execute a compiled pipeline in this process with kfp.local, telling what each step does while it does it."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from mlstrata.services.runner.contract import Artifact, State, Step
from mlstrata.services.runner.warm import warmed

MARKER = "mlstrata-step-ended "
"""Starts the line in which a step says why it stopped (mlstrata_steps.outcome)."""

PROGRESS = "mlstrata-step-progress "
"""Starts the line in which a step says how far it is."""

Emit = Callable[[Step], None]


class RunFailed(Exception):
    """A step failed; the message says which one and why."""


class Log(io.TextIOBase):
    """Where everything that kfp and the steps print goes; remembers the reason a step gave.

    Attributes:
        reason: Why the last step stopped, in its own words; None if it gave no reason.
        on_progress: Called with each sentence in which a step says how far it is.
    """

    def __init__(self, target: TextIO) -> None:
        self.reason: str | None = None
        self.on_progress: Callable[[str], None] = lambda _text: None
        self._target = target
        self._line = ""

    def write(self, text: str) -> int:
        """Write text and look at every finished line."""
        self._target.write(text)
        self._line += text
        *lines, self._line = self._line.split("\n")
        for line in lines:
            if MARKER in line:
                with contextlib.suppress(ValueError, KeyError):
                    self.reason = "; ".join(json.loads(line.partition(MARKER)[2])["reasons"])
            elif PROGRESS in line:
                with contextlib.suppress(ValueError, KeyError):
                    self.on_progress(str(json.loads(line.partition(PROGRESS)[2])["text"]))
        self._target.flush()
        return len(text)

    def flush(self) -> None:
        """Flush the file behind."""
        self._target.flush()


def step_names(pipeline: Mapping[str, Any]) -> list[str]:
    """List the steps of a compiled pipeline in an order in which they can run."""
    tasks = pipeline["root"]["dag"]["tasks"]
    ordered: list[str] = []
    while len(ordered) < len(tasks):
        ready = [
            name for name in tasks if name not in ordered and set(tasks[name].get("dependentTasks", ())) <= set(ordered)
        ]
        ordered += ready or [name for name in tasks if name not in ordered]
    return ordered


def execute(
    ir: Path,
    arguments: Mapping[str, Any],
    *,
    root: Path,
    cache: Path,
    log: TextIO,
    emit: Emit,
    python: Path | None = None,
) -> Any:
    """Run a compiled pipeline to its end.

    Args:
        ir: The compiled file, the same that Kubeflow Pipelines takes.
        arguments: The pipeline's inputs.
        root: Folder of the steps' artifacts.
        cache: Folder of the cache's entries.
        log: Gets everything that kfp and the steps print.
        emit: Called when a step starts and when it ends.
        python: The interpreter that steps run in; None: this one.

    Returns:
        The pipeline's output.

    Raises:
        RunFailed: A step failed.
    """
    written = Log(log)
    # Nothing is cached of a first run: its steps need those imports, which begin while Kubeflow's SDK is imported here.
    first = not cache.is_dir() or not any(cache.iterdir())
    with (
        contextlib.redirect_stdout(written),
        warnings.catch_warnings(),
        warmed(at_once=first, python=str(python or sys.executable)),
    ):
        from kfp import components, local

        # It repeats for every step that this machine cannot hold a step to its CPU and memory.
        warnings.filterwarnings("ignore", message=r"Task .* have no effect in the current local runner")
        # And that a step's image is another than this machine: in a pod it is the very one.
        warnings.filterwarnings("ignore", message=r"You may be attemping to run a task that uses custom")
        local.init(
            local.SubprocessRunner(use_venv=False),
            pipeline_root=str(root),
            workspace_root=str(root / "workspace"),
            enable_caching=True,
            cache_root=str(cache),
        )
        failed: list[Step] = []
        try:
            with _observed(written, failed, emit):
                task = components.load_component_from_file(str(ir))(**arguments)
        except RuntimeError as error:
            if failed:
                raise RunFailed(f"{failed[-1].name}: {failed[-1].error}") from error
            raise
    return task.output


@contextlib.contextmanager
def _observed(log: Log, failed: list[Step], emit: Emit) -> Iterator[None]:
    """Tell about each step, by standing around the one function through which kfp.local executes it.

    kfp.local has no hooks, and a watcher of its folders would not see the start of a step or one taken from the cache.
    """
    from kfp.local import cache, status
    from kfp.local.orchestrator import task_executor

    execute_task, get = task_executor.execute_single_task, cache.LocalCache.get
    hits: list[str] = []

    def observed_get(store: Any, key: str) -> Any:
        if (found := get(store, key)) is not None:
            hits.append(key)
        return found

    def observed_task(task_name: str, **task: Any) -> Any:
        start, log.reason = time.monotonic(), None
        hits.clear()
        emit(Step(name=task_name, state=State.RUNNING))
        log.on_progress = lambda text: emit(Step(name=task_name, state=State.RUNNING, progress=text))
        outputs, ended = execute_task(task_name=task_name, **task)
        done = ended == status.Status.SUCCESS
        error = None if done else log.reason or "the step failed without a reason of its own; its log says more"
        step = Step(
            name=task_name,
            state=State.SUCCEEDED if done else State.FAILED,
            seconds=round(time.monotonic() - start, 3),
            cached=bool(hits),
            error=error,
            outputs={name: value for name, value in outputs.items() if isinstance(value, str | int | float)},
            artifacts=tuple(_artifact(name, value) for name, value in outputs.items() if hasattr(value, "uri")),
        )
        if not done:
            failed.append(step)
        emit(step)
        return outputs, ended

    task_executor.execute_single_task, cache.LocalCache.get = observed_task, observed_get
    try:
        yield
    finally:
        task_executor.execute_single_task, cache.LocalCache.get = execute_task, get


def _artifact(name: str, value: Any) -> Artifact:
    return Artifact(name=name, kind=value.schema_title, uri=value.uri, metadata=dict(value.metadata))
