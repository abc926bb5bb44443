"""What the page of one system shows beside its row on the first page: figures, plots and their course."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mlstrata.environments.spec.system import SystemSpec
from mlstrata.services.catalog.live import series
from mlstrata.services.catalog.plots import Course, Plot, course, plot
from mlstrata.services.monitor.names import VALUES
from mlstrata.services.monitor.verdict import Finding, Verdict, Watch
from mlstrata.services.serving.folders import releases_folder


@dataclass(frozen=True)
class Seen:
    """A finding with its course.

    Attributes:
        finding: What was found.
        course: How it went; None: that is not known.
    """

    finding: Finding
    course: Course | None


@dataclass(frozen=True)
class Figure:
    """Findings of a kind: a plot, and the same as a table.

    Attributes:
        key: Of the kind, for the page's anchors.
        title: Of the kind, for people.
        unit: What the figures are.
        has_course: Whether each is drawn over time.
        rows: The findings.
        plot: They drawn; None: there is nothing to draw.
    """

    key: str
    title: str
    unit: str
    has_course: bool
    rows: tuple[Seen, ...]
    plot: Plot | None


@dataclass(frozen=True)
class Kpi:
    """What a system must achieve, and how it does.

    Attributes:
        metric: The figure.
        limit: What is declared, in words.
        trained: What the version that answers had in training; None: not recorded.
        live: What its answers have where the truth is known; None: not enough is known.
        estimate: What is estimated without the truth; None: nothing is.
        met: Whether the live figure is within the limit; None: there is none.
    """

    metric: str
    limit: str
    trained: float | None
    live: Finding | None
    estimate: Finding | None
    met: bool | None


@dataclass(frozen=True)
class Group:
    """A group of people at training.

    Attributes:
        attribute: The protected attribute.
        group: The group.
        figures: Figure to its value.
    """

    attribute: str
    group: str
    figures: Mapping[str, float]


class _Kind(NamedTuple):
    key: str
    title: str
    unit: str
    watch: Watch
    has_course: bool


_KINDS = (
    _Kind("drift", "Drift of inputs", "population stability index", Watch.INPUT_DRIFT, has_course=True),
    _Kind("answer-drift", "Drift of answers", "population stability index", Watch.OUTPUT_DRIFT, has_course=True),
    _Kind("fairness", "Differences between groups", "difference", Watch.FAIRNESS, has_course=True),
    _Kind("quality", "Quality of inputs", "share of the rows", Watch.QUALITY, has_course=False),
)
_COURSES = tuple(kind.watch for kind in _KINDS if kind.has_course)


def courses(url: str, system: str, now: float, window: float) -> Mapping[tuple[Watch, str], series.Points]:
    """Return the course of what is watched, by what it is of.

    Raises:
        ValueError: Prometheus cannot be asked.
    """
    return {
        (watch, of): points
        for watch in _COURSES
        for of, points in series.by_label(url, VALUES[watch], system, "column", now=now, window=window).items()
    }


def figures(verdict: Verdict | None, found: Mapping[tuple[Watch, str], series.Points]) -> tuple[Figure, ...]:
    """Return the kinds of findings that a verdict has, what alerts first."""
    shown = []
    for kind in _KINDS:
        findings = list(verdict.of(kind.watch)) if verdict else []
        if kind.watch is Watch.QUALITY:
            # Most columns have nothing missing or unseen, three times over.
            findings = [one for one in findings if one.value or one.alert]
        findings.sort(key=lambda one: (not one.alert, -one.value))
        if findings:
            rows = tuple(Seen(one, course(found.get((one.watch, one.of), ()), one.limit)) for one in findings)
            drawn = plot(findings, from_zero=True)
            shown.append(Figure(kind.key, kind.title, kind.unit, kind.has_course, rows, drawn))
    return tuple(shown)


def kpis(system: SystemSpec, trained: Mapping[str, float], verdict: Verdict | None) -> tuple[Kpi, ...]:
    """Return what a system must achieve beside what it does."""
    live = {one.of: one for one in verdict.of(Watch.PERFORMANCE)} if verdict else {}
    guess = {one.of: one for one in verdict.of(Watch.ESTIMATE)} if verdict else {}
    return tuple(
        Kpi(
            metric=kpi.metric,
            limit=kpi.limit,
            trained=trained.get(kpi.metric),
            live=live.get(kpi.metric),
            estimate=guess.get(kpi.metric),
            met=kpi.met_by(live[kpi.metric].value) if kpi.metric in live else None,
        )
        for kpi in system.kpis
    )


def performance(found: Iterable[Kpi]) -> Plot | None:
    """Draw the live figures with their intervals; None where there are none."""
    return plot([one.live for one in found if one.live], from_zero=False)


def trained_groups(home: Path, system: str, champion: str | None) -> tuple[Group, ...]:
    """Return the groups that the version that answers was measured on in training; none where it has no reference.

    Raises:
        OSError, ValueError: There is a reference and it cannot be read.
    """
    from mlstrata.services.serving.flags import read_reference

    if champion is None:
        return ()
    reference = read_reference(releases_folder(home, system) / "models" / champion)
    if reference is None:
        return ()
    try:
        return tuple(
            Group(attribute, name, {key: float(one) for key, one in values.items() if isinstance(one, int | float)})
            for attribute, groups in reference.groups.items()
            for name, values in groups.items()
        )
    except AttributeError as error:
        raise ValueError(f"the reference of version {champion} is not as training writes it") from error
