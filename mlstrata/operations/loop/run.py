"""The phases of the loop: ordinary traffic, a changed world, and what the platform makes of it by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlstrata.environments import Capability
from mlstrata.environments.spec.retrain import Cause
from mlstrata.operations.errors import UsageError
from mlstrata.operations.loop.traffic import Traffic, Truth, as_it_was
from mlstrata.operations.loop.watch import Event, Watch
from mlstrata.operations.loop.world import Case, World, world_of

if TYPE_CHECKING:
    from mlstrata.environments import SystemSpec
    from mlstrata.operations.deployment import Deployment

NEEDS = (Capability.RECORDING, Capability.MONITORING, Capability.ROLLOUT, Capability.RETRAINING)
_SPARE = 1.2


@dataclass(frozen=True)
class Options:
    """How the loop is run.

    Attributes:
        rate: Requests a second.
        requests: Ordinary requests before the world changes; 0: what the monitor needs, and a fifth more.
        shift: The share by which numbers rise.
        bad: Have the new version turn out to be worse, so that it must be taken back.
        seconds: The longest that any one phase may take.
    """

    rate: float = 20.0
    requests: int = 0
    shift: float = 0.15
    bad: bool = False
    seconds: float = 900.0


@dataclass(frozen=True)
class Looped:
    """What came of it.

    Attributes:
        system: The system.
        before: The version that answered when it began.
        after: The version that answers now.
        seconds: From the first request to the end.
        alert_to_end: Seconds from the first alert to the new version's release, or to its being taken back.
        answers: Answers by version, as consumers got them.
        labelled: Truths that were told.
        events: All that happened.
    """

    system: str
    before: str
    after: str
    seconds: float
    alert_to_end: float
    answers: dict[str, int]
    labelled: int
    events: tuple[Event, ...]


def chosen(deployment: Deployment, name: str) -> SystemSpec:
    """Return the system to run the loop on, the first that learns by drift where none is named.

    Raises:
        UsageError: The environment lacks a part of the loop, or no such system learns by drift.
    """
    lacking = [one for one in NEEDS if one not in deployment.spec.capabilities]
    if lacking:
        raise UsageError(
            f"{deployment.file}: environment {deployment.name} has no capability {', '.join(lacking)} at stage "
            f"'{deployment.spec.stage}'; the loop needs {', '.join(NEEDS)}, which stage 'mature' has"
        )
    systems = [deployment.system(name)] if name else list(deployment.spec.systems)
    found = next((one for one in systems if Cause.INPUT_DRIFT in one.retrain.on and not one.untrainable()), None)
    if found is None:
        raise UsageError(
            f"{deployment.file}: {name or 'no system'}: retrain.on must name {Cause.INPUT_DRIFT}, so that drift "
            "starts a training"
        )
    return found


def loop(deployment: Deployment, name: str, options: Options, on_event: Callable[[Event], None]) -> Looped:
    """Run the loop once and tell each event as it happens.

    Args:
        deployment: The environment, which is up with a released version.
        name: The system; empty: the first that learns by drift.
        options: How.
        on_event: Told each event.

    Raises:
        UsageError: A part of the loop is missing, or nothing is released.
        Failed: A phase did not come; the message says which, and what was seen last.
    """
    from mlstrata.operations.training.local import request_of

    system = chosen(deployment, name)
    here = deployment.target.here("loop")
    before = here.released(system.name).champion
    if before is None:
        raise UsageError(
            f"{system.name} has no version that answers: `mlstrata release {deployment.name} {system.name}`"
        )
    world = world_of(system, request_of(deployment, system, here.address("mlflow")))
    truth = _worse(world, before, system.model.threshold or 0.5) if options.bad else as_it_was
    drifted, watch = world.drifted(options.shift), Watch(deployment, system.name, on_event)
    traffic = Traffic(deployment, system, options.rate)
    try:
        _ordinary(watch, traffic, world.people(world.rows), _enough(system, options), before)
        names = ", ".join(world.drifting)
        watch.tell("drift", f"the world changes: {names} rise by {options.shift:.0%}, and with them the outcomes")
        traffic.begin(world.people(drifted, seed=1), truth)
        _learn(watch, traffic, options)
        end = _rolled_out(watch, traffic, before, options)
    finally:
        traffic.stop()
    first = next((one.at for one in watch.events if one.kind == "alert"), end.at)
    return Looped(
        system=system.name,
        before=before,
        after=str(watch.releases().champion),
        seconds=end.seconds,
        alert_to_end=round(end.at - first, 1),
        answers=dict(traffic.answers),
        labelled=traffic.told,
        events=tuple(watch.events),
    )


def _enough(system: SystemSpec, options: Options) -> int:
    return options.requests or round(system.monitor.drift.min_sample * _SPARE)


def _ordinary(watch: Watch, traffic: Traffic, rows: Iterator[Case], count: int, version: str) -> None:
    watch.tell("traffic", f"{count} ordinary requests to version {version}, each with its truth afterwards")
    traffic.send(rows, count, lambda _number: None)
    watch.look()
    watch.tell("traffic", f"{count} answered, {traffic.told} with their truth", **traffic.answers)


def _learn(watch: Watch, traffic: Traffic, options: Options) -> None:
    """Wait for the alert, the training and its gates."""
    since = len(watch.events)

    def seen(*kinds: str) -> bool:
        return any(one.kind in kinds for one in watch.events[since:])

    def under_way() -> str:
        """Say where a training is that somebody else's alert started before; empty: there is none."""
        newest = next(iter(watch.trainings()), None)
        return str(newest["state"]) if newest and newest["ended"] is None else ""

    def hopeless() -> str:
        kinds = {"failed", "impossible", "refused", "unchanged", "stopped"}
        ended = next((f"{one.kind}: {one.text}" for one in watch.events[since:] if one.kind in kinds), "")
        return traffic.problem or ended

    def passed() -> bool:
        return seen("trained") or under_way() in {"trained", "rolling"}

    def begun() -> bool:
        return seen("rollout", "traffic_split", "released", "champion")

    watch.until(
        "an alert of drift",
        lambda: seen("alert", "accepted") or bool(under_way()),
        options.seconds,
        lambda: traffic.problem,
    )
    watch.until("a training", lambda: seen("started") or bool(under_way()), options.seconds, hopeless)
    watch.until("a version that passes its gates", passed, options.seconds, hopeless)
    watch.until("a rollout", lambda: begun() or under_way() == "rolling", options.seconds, hopeless)


def _rolled_out(watch: Watch, traffic: Traffic, before: str, options: Options) -> Event:
    """Wait for the end of the rollout, and see that it is the one that was to come."""
    wanted = ("taken_back", "rolled_back") if options.bad else ("champion", "released")
    other = ("champion", "released") if options.bad else ("taken_back", "rolled_back")

    def ended(kinds: tuple[str, ...]) -> Event | None:
        return next((one for one in watch.events if one.kind in kinds), None)

    def hopeless() -> str:
        wrong = ended(other)
        return traffic.problem or (wrong.text if wrong else "")

    what = "that the bad version is taken back" if options.bad else "that the new version answers everyone"
    watch.until(what, lambda: ended(wanted) is not None, options.seconds, hopeless)
    found = ended(wanted)
    if found is None or (watch.releases().champion == before) is not options.bad:
        raise AssertionError(f"{what}: the releases say otherwise")  # `until` and the file cannot disagree
    return found


def _worse(world: World, before: str, threshold: float) -> Truth:
    """Return what tells of a new version's answers that they turned out wrong, and of all others what was.

    Raises:
        UsageError: The task has no two outcomes.
    """
    if not world.negative:
        raise UsageError("--bad: needs a classification with two outcomes, one of them named in model.positive")

    def truth(case: Case, version: str, answer: dict[str, Any]) -> str:
        return case.truth if version == before else world.opposite(answer, threshold)

    return truth
