"""`mlstrata train`: one run of a system's training pipeline, with its steps as they end."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlstrata import worker
from mlstrata.cli.console import err, out, say, say_json
from mlstrata.cli.predict import find_system
from mlstrata.environments import Capability
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import Failed, UsageError
from mlstrata.operations.stack_state import exports, registry_address

if TYPE_CHECKING:
    import httpx

POLL_SECONDS = 0.3
QUEUED_SECONDS = 2.0
"""How long a run may wait in silence: one that is the only one begins within a moment."""
ENDED = ("succeeded", "failed", "cancelled")
EXIT_USAGE = 2
_JOB = "mlstrata.services.runner.job"


@dataclass
class Training:
    """How a run ended: the version it registered with its evaluation, or the one that existed before."""

    system: str
    version: str
    ran: bool
    seconds: float = 0.0
    result: dict[str, Any] = field(default_factory=dict)


def train(name: str, system: str, *, if_needed: bool, as_json: bool, trials: int | None = None) -> None:
    """Train a system and say what it registered; exit 1 when a step or a gate refused."""
    deployment = Deployment.open(name)
    find_system(deployment, system)
    done = train_system(deployment, system, if_needed=if_needed, quiet=as_json, trials=trials)
    if as_json:
        say_json(vars(done))
        return
    show_training(done)
    if done.ran:
        say(f"   `mlstrata release {name} {system}` decides on it")


def train_system(
    deployment: Deployment, system: str, *, if_needed: bool, quiet: bool, trials: int | None = None
) -> Training:
    """Run the pipeline, unless `if_needed` and a version has the same data, code and settings.

    `trials` sets how many sets of hyperparameters are tried, in place of what the environment's file says.

    Raises:
        Failed: a step failed or a gate refused; the message is the step's own.
        UsageError: the environment is not up, or the system cannot be trained as declared.
    """
    began = time.monotonic()
    if deployment.spec.target.kind != "local":
        return _on_cluster(deployment, system, if_needed=if_needed, quiet=quiet, trials=trials)
    request = _request(deployment, system)
    if trials is not None:
        _require_tuning(deployment, trials)
        request["settings"]["search"] = {**request["settings"]["search"], "trials": trials}
    if if_needed and (version := _existing(request)):
        return Training(system, version, ran=False)
    at_foundation = Capability.PIPELINES in deployment.spec.capabilities
    # Closed whatever happens: an interruption may come while a line is shown.
    with closing(
        _through_runner(deployment, system, request) if at_foundation else worker.lines(_JOB, request)
    ) as lines:
        result = _follow(system, lines, quiet=quiet)
    return Training(system, str(result["version"]), ran=True, seconds=time.monotonic() - began, result=result)


def _on_cluster(deployment: Deployment, system: str, *, if_needed: bool, quiet: bool, trials: int | None) -> Training:
    from mlstrata.operations.training.kubernetes import cluster_run

    began = time.monotonic()
    if trials is not None:
        _require_tuning(deployment, trials)
    with cluster_run(deployment, find_system(deployment, system), trials=trials, if_needed=if_needed) as lines:
        result = _follow(system, lines, quiet=quiet)
    ran = bool(result.get("created", True)) or not if_needed
    return Training(system, str(result["version"]), ran=ran, seconds=time.monotonic() - began, result=result)


def show_training(done: Training) -> None:
    """Say in one line what the model measured and which version it is."""
    if not done.ran or not done.result.get("created", True):
        say(f"   version {done.version} has these data, code and settings already")
        return
    evaluation = done.result.get("evaluation") or {}
    say(f"   {summary(evaluation)}registered version {done.version} · {done.seconds:.1f} s")


def summary(evaluation: dict[str, Any]) -> str:
    """Say the first metrics of an evaluation with their intervals: `auc 0.83 (0.80 to 0.86) · `."""
    parts = []
    for name in ("auc", "accuracy"):
        metric = (evaluation.get("metrics") or {}).get(name)
        if isinstance(metric, dict):
            parts.append(f"{name} {metric['value']:.2f} ({metric['low']:.2f} to {metric['high']:.2f})")
    return "".join(f"{part} · " for part in parts)


def _require_tuning(deployment: Deployment, trials: int) -> None:
    if trials and Capability.TUNING not in deployment.spec.capabilities:
        raise UsageError(
            f"--trials: environment {deployment.name} has no capability 'tuning' at stage '{deployment.spec.stage}'; "
            "it comes with stage 'foundation'"
        )


def _request(deployment: Deployment, system: str) -> dict[str, Any]:
    from mlstrata.services.runner.requests import NotTrainable, training_request

    try:
        request = training_request(
            deployment.name,
            find_system(deployment, system),
            root=deployment.workspace.root,
            home=deployment.home,
            tracking_uri=registry_address(deployment),
        )
    except NotTrainable as error:
        raise UsageError(f"{deployment.workspace.environment_file(deployment.name)}: {error}") from None
    document: dict[str, Any] = request.model_dump(mode="json")
    return document


def _existing(request: dict[str, Any]) -> str | None:
    """Return the version that these data, code and settings made already, None when there is none."""
    done = worker.run(_JOB, request, arguments=["--check"])
    if done.value is None:
        raise Failed(f"could not read the versions of {request['system']}: {done.error}")
    version: str | None = done.value["version"]
    return version


def _through_runner(deployment: Deployment, system: str, request: dict[str, Any]) -> Generator[dict[str, Any]]:
    """Have the runner run the pipeline; yield its steps as they change, as a job would say them."""
    import httpx

    url = exports(deployment)["urls"]["runner"]
    token = (deployment.home / "config/runner/token").read_text(encoding="utf-8").strip()
    headers = {"authorization": f"Bearer {token}"}
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False) as client:
            answer = client.post("/runs", json={"system": system, "settings": request})
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
            yield {"note": f"run {identity} waits until another one has ended; Ctrl-C takes it back"}
        for step in run["steps"]:
            where = (step["state"], step["progress"])
            if said.get(step["name"]) != where:
                said[step["name"]] = where
                yield {"step": step["name"], **step}
        if run["state"] in ENDED:
            yield {"state": run["state"], "result": run["result"], "error": run["error"]}
            return
        time.sleep(POLL_SECONDS)


def _follow(system: str, lines: Iterator[dict[str, Any]], *, quiet: bool) -> dict[str, Any]:
    """Show each step as it ends; return the run's result.

    Raises:
        Failed: the run did not succeed.
    """
    with err().status(f"training {system} …") as status:
        for line in lines:
            if "note" in line:
                if not quiet:
                    say(f"   {line['note']}")
            elif "step" in line:
                if line["state"] == "running":
                    progress = f" · {line['progress']}" if line.get("progress") else ""
                    status.update(f"training {system} · {line['step']}{progress}")
                elif not quiet and line["state"] in ENDED:
                    _show_step(line)
            elif line.get("state") == "succeeded":
                result: dict[str, Any] = line["result"]
                if not quiet:
                    _show_tuning(result)
                    _show_gates(result)
                return result
            elif worker.is_last(line):
                raise _failure(system, line)
    raise Failed(f"training {system} ended without a result")


def _failure(system: str, line: dict[str, Any]) -> Exception:
    """Return what a run's last line says; a part that could not be asked is nothing that the run failed by."""
    if line.get("code") == EXIT_USAGE:
        return UsageError(f"training {system}: {line['error']}")
    return Failed(f"training {system} {line.get('state', 'failed')}: {line['error'] or 'no reason was given'}")


def _show_step(step: dict[str, Any]) -> None:
    sign = "[green]✓[/green]" if step["state"] == "succeeded" else "[red]✗[/red]"
    out().print(f"   {sign} ", end="")
    seconds = "cached" if step.get("cached") else f"{step.get('seconds') or 0:.1f} s"
    say(f"{step['step']:<12} {seconds}")


def _show_tuning(result: dict[str, Any]) -> None:
    """Say which trial was chosen and how far the others stay behind, on the validation folds."""
    tuning = result.get("tuning") or {}
    tried = tuning.get("trials") or ()
    trials = [trial for trial in tried if "score" in trial]
    if not trials:
        return
    best = next(trial for trial in trials if trial["number"] == tuning["best"])
    declared = next((f"{trial['score']:.4f}" for trial in trials if trial["number"] == 1), "no model")
    known = sum(trial["cached"] for trial in trials)
    chosen = ", ".join(f"{name} {value}" for name, value in best["parameters"].items()) or "the defaults"
    metric = tuning["metric"]
    said = f"{len(trials)} of {tuning['asked']} trials, {known} known already; "
    said += f"trial {best['number']} is best on the validation folds: {chosen}, {metric} {best['score']:.4f}"
    say(f"     {'tune':<12} {said} (as declared {declared})")
    if failed := [trial for trial in tried if "score" not in trial]:
        say(f"     {'':<12} {len(failed)} gave no model, such as trial {failed[0]['number']}: {failed[0]['error']}")


def _show_gates(result: dict[str, Any]) -> None:
    """Say in one line what each gate measured against what was allowed."""
    headlines: dict[str, str] = (result.get("gates") or {}).get("headlines") or {}
    for gate, headline in headlines.items():
        say(f"     {gate:<12} {headline}")
