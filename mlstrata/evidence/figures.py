"""The plots that a version's measurements allow."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from mlstrata.evidence import measured, plots
from mlstrata.evidence.blocks import Figure
from mlstrata.evidence.facts import Evidence, ModelVersion

_IN_UNITS = ("mae", "rmse", "median_absolute_error", "pinball")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def performance(evidence: Evidence) -> Iterator[Figure]:
    """Yield the plots of how good the model is."""
    version = evidence.version
    if version is None:
        return
    rows = version.metrics.get("test_rows")
    where = f"{rows:.0f} rows it was not trained on" if rows else "rows it was not trained on"
    found = measured.measures(version)
    # One axis holds no euros beside shares.
    parts = ([one for one in found if one.name not in _IN_UNITS], [one for one in found if one.name in _IN_UNITS])
    for name, words, part in zip(("metrics", "errors"), ("", ", in the target's unit"), parts, strict=True):
        if part:
            drawing = plots.intervals(part, _limits(evidence, [one.name for one in part]))
            yield Figure(name, f"Performance on {where}{words}. {_source(version)}", drawing)
    if rows_said := measured.against(version):
        title = f"What happened and what was said, {len(rows_said)} of {where}. {_source(version)}"
        yield Figure("against", title, plots.against(rows_said))
    if points := measured.roc(version):
        auc = version.metrics.get("auc")
        yield Figure("roc", f"ROC curve on {where}. {_source(version)}", plots.roc(points, auc))
    if bins := measured.calibration(version):
        yield Figure("calibration", f"Calibration on {where}. {_source(version)}", plots.calibration(bins))


def fairness(evidence: Evidence) -> Iterator[Figure]:
    """Yield the plots of how groups of people fare."""
    version = evidence.version
    if version is None:
        return
    if found := measured.gaps(version):
        limit = evidence.get("monitor.fairness.at_most")
        declared = isinstance(limit, int | float) and not isinstance(limit, bool)
        limits = {one.name: (float(limit), "at most") for one in found} if declared else {}
        metric = measured.compared(version, evidence.get("monitor.fairness.metric"))
        title = f"Largest difference between two groups ({metric}), by protected attribute. {_source(version)}"
        yield Figure("fairness", title, plots.intervals(found, limits))
    rates = measured.by_group(version)
    for index, attribute in enumerate(dict.fromkeys(one.attribute for one in rates), start=1):
        mine = [one for one in rates if one.attribute == attribute]
        title = f"Performance by group of {attribute}. {_source(version)}"
        yield Figure(f"groups-{index}-{_file(attribute)}", title, plots.groups(mine))


def behaviour(evidence: Evidence) -> Iterator[Figure]:
    """Yield the plots of how the model answers when one feature changes."""
    version = evidence.version
    if version is None:
        return
    for index, (name, values, said) in enumerate(measured.curves(version), start=1):
        title = f"What the model says as {name} rises and all else stays. {_source(version)}"
        yield Figure(f"behaviour-{index}-{_file(name)}", title, plots.curve(name, values, said))


def _limits(evidence: Evidence, names: Collection[str]) -> dict[str, tuple[float, str]]:
    kpis = evidence.get("kpis")
    found: dict[str, tuple[float, str]] = {}
    for kpi in kpis if isinstance(kpis, list | tuple) else ():
        if not isinstance(kpi, Mapping):
            continue
        for key, words in (("at_least", "at least"), ("at_most", "at most")):
            if isinstance(kpi.get(key), int | float):
                found[str(kpi.get("metric"))] = (float(kpi[key]), words)
    return {name: limit for name, limit in found.items() if name in names}


def _source(version: ModelVersion) -> str:
    return f"Model version {version.version}, run {version.run[:12] or 'unknown'}."


def _file(name: str) -> str:
    return _UNSAFE.sub("-", name).strip("-.")[:40] or "unnamed"
