"""What a person who releases must see first: the candidate beside the champion, and the limits that were set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from mlstrata.clients.mlflow import Candidate, Check, Registry, RegistryError
from mlstrata.environments import SystemSpec
from mlstrata.environments.spec.monitor import COMPARED
from mlstrata.operations.releases.backend import Backend

_INTERVAL = ("_low", "_high")
_GAP = "parity_gap_"


@dataclass(frozen=True)
class Figure:
    """One metric of the candidate and of the champion, with its limit.

    Attributes:
        metric: its name.
        candidate: its value and, where one was estimated, its interval (low, high), in the metric's own unit.
        champion: the same of the champion; None when there is none or it was not measured.
        limit: what was asked for, as `at least 0.75`; None when nothing was.
        within: whether the candidate is within the limit; None without a limit or a value.
        champion_within: the same of the champion.
    """

    metric: str
    candidate: tuple[float, ...] | None
    champion: tuple[float, ...] | None
    limit: str | None = None
    within: bool | None = None
    champion_within: bool | None = None


@dataclass(frozen=True)
class FieldChange:
    """A field that consumers send, where the candidate takes another one than the champion.

    Attributes:
        name: the field.
        champion: its type to the champion, in MLflow's words; None: it does not take it.
        candidate: the same of the candidate.
    """

    name: str
    champion: str | None
    candidate: str | None

    def __str__(self) -> str:
        if self.champion is None:
            return f"added {self.name} ({self.candidate})"
        if self.candidate is None:
            return f"removed {self.name} ({self.champion})"
        return f"changed {self.name} ({self.champion} to {self.candidate})"


@dataclass(frozen=True)
class Comparison:
    """A candidate and the champion.

    Attributes:
        system: the system.
        candidate: the version in question.
        champion: the version that answers; None when none does yet.
        figures: what was measured of either, those with a limit first.
        checks: what the candidate's training run found plausible or not; None when it left no such report.
        fields: what consumers must send otherwise, once the candidate answers in place of the champion.
    """

    system: str
    candidate: str
    champion: str | None
    figures: tuple[Figure, ...]
    checks: tuple[Check, ...] | None
    fields: tuple[FieldChange, ...] = ()

    @property
    def objections(self) -> tuple[str, ...]:
        """Return the metrics outside of their limits and the checks not passed, by name."""
        outside = [figure.metric for figure in self.figures if figure.within is False]
        failed = [check.name for check in self.checks or () if check.failed]
        return tuple(dict.fromkeys(outside + failed))


def compare(backend: Backend, system: SystemSpec, version: str | None) -> Comparison:
    """Put `version` of `system`, or its latest, beside the champion.

    Raises:
        RegistryError: there is no such version, or the registry does not answer.
        RolloutError: what was released cannot be read.
    """
    registry = backend.registry
    candidate = registry.candidate(system.name, version)
    releases = backend.releases(system.name)
    fields: tuple[FieldChange, ...] = ()
    champion = candidate if releases.champion == candidate.version else None
    if releases.champion and champion is None:
        seen = next((one.metrics for one in reversed(releases.history) if one.to == releases.champion), {})
        try:
            champion = registry.candidate(system.name, releases.champion)
        except RegistryError:
            # It serves though the registry no longer has it: what was seen when it was released is what is known.
            champion = Candidate(releases.champion, "", seen)
        else:
            fields = tuple(_changes(registry, champion, candidate))
    figures = tuple(_figures(candidate, champion, system))
    checks = registry.checks(candidate.run) or None
    return Comparison(system.name, candidate.version, releases.champion, figures, checks, fields)


def _changes(registry: Registry, champion: Candidate, candidate: Candidate) -> Iterator[FieldChange]:
    """Yield each field that is not the same to both."""
    before, after = registry.input_types(champion), registry.input_types(candidate)
    for name in dict.fromkeys((*before, *after)):
        if before.get(name) != after.get(name):
            yield FieldChange(name, before.get(name), after.get(name))


def _figures(candidate: Candidate, champion: Candidate | None, system: SystemSpec) -> Iterator[Figure]:
    ours, theirs = candidate.metrics, champion.metrics if champion else {}
    names = sorted({*ours, *theirs} - {name for name in (*ours, *theirs) if name.endswith(_INTERVAL)})
    figures = {name: Figure(name, _value(ours, name), _value(theirs, name)) for name in names}
    limited: dict[str, Figure] = {}
    for kpi in system.kpis:
        words = kpi.limit
        figure = Figure(kpi.metric, _value(ours, kpi.metric), _value(theirs, kpi.metric))
        figures.pop(kpi.metric, None)
        if kpi.source:
            words += f", by {kpi.source} after release"
        limited[f"{kpi.metric} {words}"] = replace(
            figure,
            limit=words,
            within=kpi.met_by(figure.candidate[0]) if figure.candidate else None,
            champion_within=kpi.met_by(figure.champion[0]) if figure.champion else None,
        )
    fairness = system.monitor.fairness
    tasks = [one.task.value for one in system.model.outputs] or [system.model.task.value]
    usual = {COMPARED[one][0] for one in tasks if one in COMPARED}
    if fairness and (fairness.metric is None or fairness.metric in usual):
        for name in [name for name in figures if name.startswith(_GAP)]:
            figure = figures.pop(name)
            limited[name] = replace(
                figure,
                limit=f"at most {fairness.at_most:g}",
                within=figure.candidate[0] <= fairness.at_most if figure.candidate else None,
                champion_within=figure.champion[0] <= fairness.at_most if figure.champion else None,
            )
    yield from limited.values()
    yield from figures.values()


def _value(metrics: dict[str, float], name: str) -> tuple[float, ...] | None:
    if name not in metrics:
        return None
    return (metrics[name], *(metrics[name + end] for end in _INTERVAL if name + end in metrics))
