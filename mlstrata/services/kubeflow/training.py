"""One training on Kubeflow Pipelines: upload what is new, start a run or find the one under way, follow it."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from mlstrata.clients.kubeflow import Kubeflow, KubeflowError
from mlstrata.environments.spec.quantities import cron_for_kubernetes
from mlstrata.services.kubeflow.contract import KubeflowTraining
from mlstrata.services.kubeflow.package import Package

Json = dict[str, Any]
_STATES = {
    "PENDING": "queued",
    "RUNNING": "running",
    "PAUSED": "running",
    "CANCELING": "running",
    "SUCCEEDED": "succeeded",
    "SKIPPED": "succeeded",
    "FAILED": "failed",
    "CANCELED": "cancelled",
}
_UNDER_WAY = {"PENDING", "RUNNING", "PAUSED", "RUNTIME_STATE_UNSPECIFIED", None}
_ENDED = ("succeeded", "failed", "cancelled")


class Training:
    """Runs and schedules of a system.

    Args:
        kubeflow: What is asked.
        asked: What is trained.
        package: The pipeline.
        arguments: Its inputs, apart from the run's own id.
    """

    def __init__(self, kubeflow: Kubeflow, asked: KubeflowTraining, package: Package, arguments: Json) -> None:
        self._kubeflow, self._asked, self._package, self._arguments = kubeflow, asked, package, arguments
        name = f"{asked.request.environment}-{asked.request.pipeline}"
        pipeline = kubeflow.pipeline(name, f"Trains the models of environment {asked.request.environment}.")
        version = kubeflow.version(pipeline, package.version, package.text)
        self._reference = {"pipeline_id": pipeline, "pipeline_version_id": version}
        self._experiment = kubeflow.experiment(asked.request.system)
        # The commit names what was checked out, not what comes out: it makes no other training.
        decisive = json.dumps({**arguments, "commit": "", "lineage": {}, "package": package.version}, sort_keys=True)
        self._mark = f"{asked.request.system}-{hashlib.sha256(decisive.encode()).hexdigest()[:12]}"

    def start(self) -> tuple[str, str]:
        """Start a run, unless one of the same is under way; return its id and its name.

        Raises:
            KubeflowError: it does not answer, or refuses.
        """
        if found := self._under_way():
            return found
        name = f"{self._mark}-{uuid.uuid4().hex[:8]}"
        body = {
            "display_name": name,
            "experiment_id": self._experiment,
            "pipeline_version_reference": self._reference,
            "runtime_config": {"parameters": self._parameters(name)},
        }
        try:
            return str(self._kubeflow.send(self._kubeflow.runs.run_service_create_run, body).run_id), name
        except KubeflowError as error:
            # Sent again it would be a second run: what counts is whether the first arrived.
            if error.lost and (found := self._under_way()):
                return found
            raise

    def _under_way(self) -> tuple[str, str] | None:
        call, query = self._kubeflow.runs.run_service_list_runs, {"experiment_id": self._experiment}
        for run in self._kubeflow.pages(call, "runs", sort_by="created_at desc", **query):
            if (run.display_name or "").startswith(self._mark) and run.state in _UNDER_WAY:
                return str(run.run_id), str(run.display_name)
        return None

    def follow(self, run: str) -> Iterator[Json]:
        """Yield each step as it changes, last how the run ended.

        Raises:
            KubeflowError: it does not answer for longer than it is waited for; the run goes on.
        """
        said: dict[str, str] = {}
        while True:
            found = self._kubeflow.run(run)
            for step in _steps(found, self._package.steps):
                if said.get(step["step"]) != step["state"]:
                    said[step["step"]] = step["state"]
                    yield step
            state = _STATES.get(str(found.state), "running")
            if state in _ENDED:
                yield {"state": state, "error": _error(found)}
                return
            time.sleep(self._asked.poll_s)

    def schedule(self) -> str:
        """Have Kubeflow train by the clock as declared, or not at all; say what was changed, empty for nothing.

        Raises:
            KubeflowError: it does not answer, or refuses.
        """
        name = f"scheduled-{self._asked.request.system}"
        api = self._kubeflow.recurring
        call, query = api.recurring_run_service_list_recurring_runs, {"experiment_id": self._experiment}
        known = [one for one in self._kubeflow.pages(call, "recurring_runs", **query) if one.display_name == name]
        wanted = self._recurring(name) if self._asked.schedule else None
        kept = next((one for one in known if wanted and _like(one, wanted)), None)
        stale = [one for one in known if one is not kept]
        if wanted and kept is None:
            # The new one first: a schedule that is there twice for a moment is better than none.
            self._kubeflow.send(api.recurring_run_service_create_recurring_run, wanted)
        for one in stale:
            try:
                self._kubeflow.send(api.recurring_run_service_delete_recurring_run, one.recurring_run_id)
            except KubeflowError as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise
        if wanted and kept is None:
            return f"trained by the clock from now on: {self._asked.schedule} (UTC)"
        return "not trained by the clock any more" if stale else ""

    def _recurring(self, name: str) -> Json:
        return {
            "display_name": name,
            "experiment_id": self._experiment,
            "pipeline_version_reference": self._reference,
            "runtime_config": {"parameters": self._parameters(name)},
            "trigger": {"cron_schedule": {"cron": cron(self._asked.schedule or "")}},
            "mode": "ENABLE",
            "max_concurrency": "1",
            # After an outage one training is due, not one for each day of it.
            "no_catchup": True,
        }

    def _parameters(self, run: str) -> Json:
        if "lineage" not in self._arguments:  # a pipeline of somebody's own need not take it
            return self._arguments
        return {**self._arguments, "lineage": {**self._arguments["lineage"], "pipeline_run": run}}


def cron(five: str) -> str:
    """Return a cron of five fields as Kubeflow reads it: seconds first, and Sunday as 0 only."""
    return f"0 {cron_for_kubernetes(five)}"


def _like(one: Any, wanted: Json) -> bool:
    if one.mode not in {None, "ENABLE"} or one.status not in {None, "ENABLED"}:
        return False
    known, fields = one.to_dict(), ("pipeline_version_reference", "runtime_config", "trigger")
    return all(_within(wanted[name], known[name]) for name in fields)


def _within(wanted: Any, found: Any) -> bool:
    """Say whether all that is wanted is found; what the other side adds does not matter."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_within(value, found.get(key)) for key, value in wanted.items())
    return bool(wanted == found)


def _steps(run: Any, known: tuple[str, ...]) -> Iterator[Json]:
    """Yield the steps of the pipeline; Kubeflow lists its own drivers and executors among them."""
    for task in _tasks(run):
        name, state = task.display_name, _STATES.get(str(task.state), "")
        if name not in known or not state:
            continue
        step: Json = {"step": name, "state": state, "cached": task.state == "SKIPPED"}
        if state in _ENDED:
            times = task.start_time, task.end_time
            step["seconds"] = max(0.0, (times[1] - times[0]).total_seconds()) if all(times) else 0.0
        if state == "failed":
            step["error"] = _message(task) or "its pod's log says why"
        yield step


def _tasks(run: Any) -> list[Any]:
    return (run.run_details.task_details if run.run_details else None) or []


def _message(of: Any) -> str | None:
    return of.error.message if of.error else None


def _error(run: Any) -> str | None:
    failed = [one for one in _tasks(run) if one.state == "FAILED" and not str(one.display_name).startswith("root")]
    told = f"step {failed[0].display_name}: " if failed else ""
    reason = next(filter(None, map(_message, failed)), None) or _message(run)
    return f"{told}{reason}" if reason else (f"{told}its pod's log says why" if told else None)
