"""What speaks for keeping a system and what against: how well it does, who asks it, what it takes, what follows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from mlstrata.environments import SystemSpec
from mlstrata.environments.days import day_of
from mlstrata.operations.deployment import Deployment
from mlstrata.services.monitor.verdict import Finding
from mlstrata.services.retention.walking import measured

if TYPE_CHECKING:
    from mlstrata.clients.mlflow import Registry
    from mlstrata.operations.targets.local import Local

PERIOD = timedelta(days=30)
"""What is looked back on, beside as long a time before it."""
QUIET = timedelta(days=7)
"""So long nobody must have asked for a system that goes without anybody missing it."""


@dataclass(frozen=True)
class Figure:
    """A declared KPI of the version that answers.

    Attributes:
        metric: The KPI.
        limit: What is asked for, in words.
        value: What training measured; None: another source measures it.
        met: Whether that is within the limit; None: nothing is known.
    """

    metric: str
    limit: str
    value: float | None
    met: bool | None


@dataclass(frozen=True)
class Use:
    """What a consumer asked for.

    Attributes:
        consumer: The consumer.
        requests: How many requests in the period.
        before: How many in as long a time before it.
        lately: How many in the last days, by which a system counts as being in use.
    """

    consumer: str
    requests: int
    before: int
    lately: int


@dataclass(frozen=True)
class Taken:
    """What a system takes.

    Attributes:
        bytes: Of its files on this machine.
        trainings: Runs in the period.
        training_seconds: How long those took, s.
    """

    bytes: int
    trainings: int
    training_seconds: float


@dataclass(frozen=True)
class Successor:
    """What takes over.

    Attributes:
        system: Its name.
        version: The version that answers; None: none is released.
        without_access: Consumers of the system that goes which it does not let in.
        asks_too: Inputs that it asks for and the system that goes does not; None: nobody knows.
    """

    system: str
    version: str | None
    without_access: tuple[str, ...]
    asks_too: tuple[str, ...] | None


@dataclass(frozen=True)
class Review:
    """How a system stands when it is decided whether to keep it.

    Attributes:
        system: The system.
        version: The version that answers; None: none is released.
        retired: Who retired it and why; empty: nobody did.
        days: How many days are looked back on.
        figures: Its KPIs.
        alerts: What its monitor alerts on now.
        use: Who asked for it; the busiest first.
        taken: What it takes.
        successor: What takes over; None: nothing is declared.
        review: The declared day of this decision.
        ends: The declared day of its retirement.
        against: What speaks against retiring it now, a sentence each with what to do.
    """

    system: str
    version: str | None
    retired: str
    days: int
    figures: tuple[Figure, ...]
    alerts: tuple[Finding, ...]
    use: tuple[Use, ...]
    taken: Taken
    successor: Successor | None
    review: date | None
    ends: date | None
    against: tuple[str, ...]


def review(deployment: Deployment, system: str, now: datetime) -> Review:
    """Look at a system; nothing is changed.

    Raises:
        UsageError: there is no such system, or the environment is not up.
        RegistryError: the registry does not answer.
        Failed: an archive of the gateway's log is damaged.
    """
    declared, local = deployment.system(system), deployment.target.here("retire")
    releases, use = local.released(system), _use(deployment, system, now)
    day = day_of(now, deployment.spec.timezone)
    with local.registry() as registry:
        figures = _figures(registry, declared, releases.champion)
        follows = _successor(local, registry, declared, use)
    stopped, (verdict, _) = releases.stopped, local.verdict(system)
    return Review(
        system=system,
        version=releases.champion,
        retired=f"{stopped.who}: {stopped.why}" if stopped and stopped.retired else "",
        days=PERIOD.days,
        figures=figures,
        alerts=verdict.alerts if verdict is not None else (),
        use=use,
        taken=_taken(deployment, system, now),
        successor=follows,
        review=declared.retire.review,
        ends=declared.retire.date,
        against=tuple(_against(deployment, declared, use, follows, day=day, rollout=releases.rollout is not None)),
    )


def _figures(registry: Registry, declared: SystemSpec, champion: str | None) -> tuple[Figure, ...]:
    measured_values: Mapping[str, float] = registry.candidate(declared.name, champion).metrics if champion else {}
    found = []
    for kpi in declared.kpis:
        value = measured_values.get(kpi.metric)
        found.append(Figure(kpi.metric, kpi.limit, value, None if value is None else kpi.met_by(value)))
    return tuple(found)


def _use(deployment: Deployment, system: str, now: datetime) -> tuple[Use, ...]:
    from mlstrata.operations.usage import asked

    counts = asked(deployment, system, (now - 2 * PERIOD, now - PERIOD, now - QUIET))
    every = [Use(consumer, recent, both - recent, lately) for consumer, (both, recent, lately) in counts.items()]
    return tuple(sorted(every, key=lambda one: (-one.requests, one.consumer)))


def _taken(deployment: Deployment, system: str, now: datetime) -> Taken:
    from mlstrata.operations.erasure import folders_of
    from mlstrata.services.catalog.sources import DATABASE
    from mlstrata.services.runner.store import Store

    size = sum(measured(folder).size for folder in folders_of(deployment, system))
    if not (database := deployment.home / DATABASE).is_file():
        return Taken(size, 0, 0.0)
    store = Store(database)
    try:
        since = (now - PERIOD).timestamp()
        runs = [run for run in store.find(system, limit=1000) if run.created >= since]
    finally:
        store.close()
    seconds = sum(run.ended - run.started for run in runs if run.started and run.ended)
    return Taken(size, len(runs), seconds)


def _successor(local: Local, registry: Registry, declared: SystemSpec, use: tuple[Use, ...]) -> Successor | None:
    name = declared.retire.successor
    if name is None:
        return None
    after = local.deployment.system(name)
    version, here = local.champion(name), local.champion(declared.name)
    let_in = {one.name for one in after.serving.consumers}
    known = {one.name for one in declared.serving.consumers}
    asks_too = None
    if version and here:
        wants, gives = (
            registry.input_types(registry.candidate(*one)) for one in ((name, version), (declared.name, here))
        )
        asks_too = tuple(sorted(set(wants) - set(gives)))
    # Who was never let in here, such as a caller without a token, is not missed there.
    missed = sorted(one.consumer for one in use if one.consumer in known and one.consumer not in let_in)
    return Successor(name, version, tuple(missed), asks_too)


def _against(
    deployment: Deployment,
    declared: SystemSpec,
    use: tuple[Use, ...],
    follows: Successor | None,
    *,
    day: date,
    rollout: bool,
) -> Iterator[str]:
    ends = declared.retire.date
    if ends is None:
        yield "no day is planned, so no caller was told: set retire.date, and `mlstrata up` has the gateway tell them"
    elif ends > day:
        yield f"callers were told that it answers until {ends} (retire.date)"
    for one in use:
        if one.lately:
            yield f"{one.consumer} asked {one.lately} times in the last {QUIET.days} days; ask its owner"
    if rollout:
        yield f"a version is being tried: `mlstrata rollout {deployment.name} {declared.name} --abort` ends that"
    if follows is not None and follows.version is None:
        yield f"{follows.system}, which takes over, has no released version"
    if follows is not None and follows.without_access:
        who = ", ".join(follows.without_access)
        yield f"{follows.system}, which takes over, does not let in {who}: add them to its serving.consumers"
