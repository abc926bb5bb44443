"""The plots that a version's measurements allow."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from mlstrata.evidence import measured, plots
from mlstrata.evidence.blocks import Figure
from mlstrata.evidence.facts import Evidence, ModelVersion
from mlstrata.evidence.language import number, say

_IN_UNITS = ("mae", "rmse", "median_absolute_error", "pinball")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def performance(evidence: Evidence) -> Iterator[Figure]:
    """Yield the plots of how good the model is."""
    version = evidence.version
    if version is None:
        return
    rows = version.metrics.get("test_rows")
    where = (
        say("{rows} rows it was not trained on", rows=number(rows, ".0f"))
        if rows
        else say("rows it was not trained on")
    )
    found = measured.measures(version)
    # One axis holds no euros beside shares.
    parts = ([one for one in found if one.name not in _IN_UNITS], [one for one in found if one.name in _IN_UNITS])
    for name, words, part in zip(("metrics", "errors"), ("", say(", in the target's unit")), parts, strict=True):
        if part:
            drawing = plots.intervals(part, _limits(evidence, [one.name for one in part]))
            yield Figure(
                name,
                say("Performance on {where}{words}. {source}", where=where, words=words, source=_source(version)),
                drawing,
            )
    if rows_said := measured.against(version):
        title = say(
            "What happened and what was said, {count} of {where}. {source}",
            count=len(rows_said),
            where=where,
            source=_source(version),
        )
        yield Figure("against", title, plots.against(rows_said))
    if points := measured.roc(version):
        auc = version.metrics.get("auc")
        yield Figure(
            "roc", say("ROC curve on {where}. {source}", where=where, source=_source(version)), plots.roc(points, auc)
        )
    if bins := measured.calibration(version):
        yield Figure(
            "calibration",
            say("Calibration on {where}. {source}", where=where, source=_source(version)),
            plots.calibration(bins),
        )


def fairness(evidence: Evidence) -> Iterator[Figure]:
    """Yield the plots of how groups of people fare."""
    version = evidence.version
    if version is None:
        return
    if found := measured.gaps(version):
        limit = evidence.get("monitor.fairness.at_most")
        declared = isinstance(limit, int | float) and not isinstance(limit, bool)
        limits = {one.name: (float(limit), say("at most")) for one in found} if declared else {}
        metric = measured.compared(version, evidence.get("monitor.fairness.metric"))
        title = say(
            "Largest difference between two groups ({metric}), by protected attribute. {source}",
            metric=metric,
            source=_source(version),
        )
        yield Figure("fairness", title, plots.intervals(found, limits))
    rates = measured.by_group(version)
    for index, attribute in enumerate(dict.fromkeys(one.attribute for one in rates), start=1):
        mine = [one for one in rates if one.attribute == attribute]
        title = say("Performance by group of {attribute}. {source}", attribute=attribute, source=_source(version))
        yield Figure(f"groups-{index}-{_file(attribute)}", title, plots.groups(mine))


def behaviour(evidence: Evidence) -> Iterator[Figure]:
    """Yield the plots of how the model answers when one feature changes."""
    version = evidence.version
    if version is None:
        return
    for index, (name, values, said) in enumerate(measured.curves(version), start=1):
        title = say(
            "What the model says as {name} rises and all else stays. {source}", name=name, source=_source(version)
        )
        yield Figure(f"behaviour-{index}-{_file(name)}", title, plots.curve(name, values, said))


def _limits(evidence: Evidence, names: Collection[str]) -> dict[str, tuple[float, str]]:
    kpis = evidence.get("kpis")
    found: dict[str, tuple[float, str]] = {}
    for kpi in kpis if isinstance(kpis, list | tuple) else ():
        if not isinstance(kpi, Mapping):
            continue
        for key, words in (("at_least", say("at least")), ("at_most", say("at most"))):
            if isinstance(kpi.get(key), int | float):
                found[str(kpi.get("metric"))] = (float(kpi[key]), words)
    return {name: limit for name, limit in found.items() if name in names}


def _source(version: ModelVersion) -> str:
    return say("Model version {version}, run {run}.", version=version.version, run=version.run[:12] or say("unknown"))


def _file(name: str) -> str:
    return _UNSAFE.sub("-", name).strip("-.")[:40] or "unnamed"
