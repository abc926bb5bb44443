"""`mlstrata train`: one run of a system's training pipeline, with its steps as they end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any

from mlstrata.cli.console import say, say_json
from mlstrata.cli.reporter import Terminal
from mlstrata.operations import training
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.training import Training, judging


def train(name: str, system: str, *, if_needed: bool, as_json: bool, trials: int | None = None) -> None:
    """Train a system and say what it registered; exit 1 when a step or a gate refused."""
    reporter = Terminal(quiet=as_json)
    with _termination_as_interruption():
        done = training.train(Deployment.open(name), system, reporter, if_needed=if_needed, trials=trials)
    if as_json:
        say_json(asdict(done))
        return
    show_training(done)
    if done.ran:
        say(f"   `mlstrata release {name} {system}` decides on it")


def judge(name: str, system: str, *, source: str, version: str, as_json: bool) -> None:
    """Judge a model that was trained elsewhere and say what it registered; exit 1 when a gate refused."""
    reporter = Terminal(quiet=as_json)
    with _termination_as_interruption():
        done = judging.judge(Deployment.open(name), system, reporter, source=source, version=version)
    if as_json:
        say_json(asdict(done))
        return
    show_training(done)
    say(f"   `mlstrata release {name} {system}` decides on it")


@contextmanager
def _termination_as_interruption() -> Iterator[None]:
    """Have SIGTERM end the run as Ctrl-C does: it is not left going with nobody who watches it."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = None
    with suppress(ValueError):  # not the main thread: whoever runs that one decides
        before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def show_training(done: Training) -> None:
    """Say what was tried and measured, and which version it is."""
    if not done.ran or not done.result.get("created", True):
        say(f"   version {done.version} has these data, code and settings already")
        return
    _show_tuning(done.result)
    _show_gates(done.result)
    evaluation = done.result.get("evaluation") or {}
    say(f"   {summary(evaluation)}registered version {done.version} · {done.seconds:.1f} s")


_LARGE = 100
_INTERVAL = ("value", "low", "high")


def summary(evaluation: dict[str, Any]) -> str:
    """Say the first metrics of an evaluation with their intervals: `auc 0.83 (0.80 to 0.86) · `."""
    parts = []
    from mlstrata_steps.tasks.metrics import SHOWN

    for name in SHOWN:
        metric = (evaluation.get("metrics") or {}).get(name)
        if isinstance(metric, dict):
            value, low, high = (f"{metric[one]:.{2 if abs(metric[one]) < _LARGE else 0}f}" for one in _INTERVAL)
            parts.append(f"{name} {value} ({low} to {high})")
    return "".join(f"{part} · " for part in parts)


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
