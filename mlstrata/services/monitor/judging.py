"""From what was counted to findings: each with its value, its limit and how sure it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mlstrata.environments.spec.monitor import COMPARED
from mlstrata.services.monitor.drift import ALPHA, Moved, chi_square, compare
from mlstrata.services.monitor.estimate import estimate
from mlstrata.services.monitor.layout import Column, Counted, Layout
from mlstrata.services.monitor.names import WORSE
from mlstrata.services.monitor.truth import Answered, Asked, measure
from mlstrata.services.monitor.verdict import Bar, Finding, Watch
from mlstrata.services.monitor.window import LATENCIES, Served

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mlstrata.environments.spec.system import SystemSpec
    from mlstrata_steps.reference import Reference

LEAST_TRUTHS = 100
"""Rows with their truth below which no metric is judged: their interval is no interval."""


def drift(layout: Layout, window: Sequence[Counted], system: SystemSpec, looks: int) -> Iterator[Finding]:
    """Compare inputs and answers with training."""
    cut, limit = len(layout.inputs), system.monitor.drift.psi
    for watch, columns, counted in (
        (Watch.INPUT_DRIFT, layout.inputs, window[:cut]),
        (Watch.OUTPUT_DRIFT, layout.answers, window[cut:]),
    ):
        for one in compare(columns, counted, psi_limit=limit, looks=looks):
            yield Finding(
                watch=watch,
                of=one.column,
                value=one.psi,
                limit=one.limit,
                rows=one.rows,
                alert=one.drifted and one.rows >= system.monitor.drift.min_sample,
                sure=_sure(one),
            )


def bars(columns: Sequence[Column], window: Sequence[Counted]) -> tuple[Bar, ...]:
    """Give each column's shares, for the report."""
    found = []
    for one, counted in zip(columns, window, strict=True):
        seen = one.coarse(counted.counts)
        shares = [(each / max(1, each.sum())).round(6).tolist() for each in (one.reference, seen)]
        found.append(Bar(column=one.profile.name, bins=one.profile.labels(), trained=shares[0], seen=shares[1]))
    return tuple(found)


def quality(columns: Sequence[Column], window: Sequence[Counted], least: int, looks: int) -> Iterator[Finding]:
    """Compare how often values are missing, unseen or out of range with training."""
    import numpy as np

    certain = ALPHA / max(1, 3 * len(columns) * looks)
    for one, counted in zip(columns, window, strict=True):
        rows, trained = int(counted.counts.sum()), int(one.reference.sum())
        cases = [("missing", int(counted.counts[-1]), int(one.reference[-1]))]
        cases.append(("unseen", int(counted.counts[-2]), int(one.reference[-2])))
        if one.range is not None and one.profile.sample:
            sample = np.asarray(one.profile.sample)
            share = float(((sample < one.range[0]) | (sample > one.range[1])).mean())
            cases.append(("out of range", counted.outside, round(share * trained)))
        for name, now, before in cases:
            share, usual = now / max(1, rows), before / max(1, trained)
            p = chi_square(np.array([before, trained - before]), np.array([now, rows - now]))
            yield Finding(
                watch=Watch.QUALITY,
                of=f"{one.profile.name}: {name}",
                value=share,
                limit=usual + WORSE,
                rows=rows,
                alert=rows >= least and share >= usual + WORSE and p < certain,
                sure=f"{usual:.1%} in training, p = {p:.1g} (below {certain:.1g} counts)",
            )


def performance(rows: Answered, asked: Asked, system: SystemSpec, seed: int = 0) -> Iterator[Finding]:
    """Measure each declared figure where the truth is known: it alerts where its whole interval misses the limit."""
    for kpi in system.kpis:
        metric = asked.task.metrics.get(kpi.metric) if kpi.gates else None
        live = measure(metric, rows, asked.task, seed=seed) if metric else None
        if live is None:
            continue
        missed = (kpi.at_least is not None and live.high < kpi.at_least) or (
            kpi.at_most is not None and live.low > kpi.at_most
        )
        enough = live.rows >= LEAST_TRUTHS
        yield Finding(
            watch=Watch.PERFORMANCE,
            of=kpi.metric,
            value=live.value,
            limit=kpi.at_least if kpi.at_least is not None else kpi.at_most,
            low=live.low,
            high=live.high,
            rows=live.rows,
            alert=missed and enough,
            sure=f"{live.low:.4g} to {live.high:.4g} with 99.9 %"
            + ("" if enough else f"; {LEAST_TRUTHS} truths are needed"),
        )


def estimated(rows: Answered, reference: Reference, system: SystemSpec) -> Iterator[Finding]:
    """Estimate each declared figure from how sure the model is; it alerts on nothing."""
    threshold = float(reference.output.get("threshold", 0.5))
    found = estimate(reference.task, reference.calibration, rows.said, threshold=threshold)
    unsure = " (calibrated on rows that it was trained on)" if reference.measured_on != "test" else ""
    for kpi in system.kpis:
        if kpi.gates and kpi.metric in found:
            yield Finding(
                watch=Watch.ESTIMATE,
                of=kpi.metric,
                value=found[kpi.metric],
                limit=kpi.at_least if kpi.at_least is not None else kpi.at_most,
                rows=len(rows.said),
                alert=False,
                sure=f"estimated without the truth, from calibrated answers{unsure}",
            )


def fairness(rows: Answered, asked: Asked, system: SystemSpec, seed: int = 0) -> Iterator[Finding]:
    """Measure the declared difference between the groups of each protected attribute, of recorded decisions.

    The training gate holds the gap itself against the limit. Here the same question is asked again and again, so that
    the lower end of the gap's interval decides whether it alerts; the gap stands beside it.
    """
    import numpy as np

    declared = system.monitor.fairness
    metric = str((declared and declared.metric) or COMPARED[system.model.task.value][0])
    needs_truth = metric not in {"demographic_parity"}
    for name in sorted({attribute for one in rows.groups for attribute in one}):
        mine = np.array([name in one for one in rows.groups]) & (rows.known if needs_truth else True)
        if not mine.any():
            continue
        codes = _codes([one[name] for one, chosen in zip(rows.groups, mine, strict=True) if chosen])
        labels = np.nan_to_num(rows.labels[mine])
        labels = labels.astype("int64") if asked.task.learns == "classifier" else labels
        gap = asked.task.gap(codes, labels, rows.said[mine], metric, seed=seed, resamples=200)
        if gap is None:
            continue
        limit = declared.at_most if declared else None
        yield Finding(
            watch=Watch.FAIRNESS,
            of=name,
            value=gap.value,
            limit=limit,
            low=gap.low,
            high=gap.high,
            rows=int(mine.sum()),
            alert=limit is not None and gap.low > limit,
            sure=f"{metric.replace('_', ' ')} {gap.low:.3f} to {gap.high:.3f} with 95 %",
        )


def service(served: Served, system: SystemSpec) -> Iterator[Finding]:
    """Hold how rows were answered against what is promised."""
    if not served.rows:
        return
    sla, least = system.serving.sla, system.monitor.drift.min_sample
    allowed, failed = (100 - sla.availability) / 100, served.failed / served.rows
    yield Finding(
        watch=Watch.SERVICE,
        of="failed",
        value=failed,
        limit=allowed,
        rows=served.rows,
        alert=served.rows >= least and failed > allowed,
        sure=f"{served.failed} of {served.rows} rows",
    )
    promised = sla.p99.total_seconds()
    # A class counts as late where its fastest row is.
    late = sum(rows for end, rows in zip(LATENCIES, served.latencies[1:], strict=True) if end >= promised * 1000)
    slowest = served.quantile(0.99)
    yield Finding(
        watch=Watch.SERVICE,
        of="p99",
        value=min(slowest if slowest is not None else 0.0, 1e6) / 1000,
        limit=promised,
        rows=served.rows,
        alert=served.rows >= least and late > 0.01 * served.rows,
        sure=f"{late} of {served.rows} rows took longer than promised",
    )


def _sure(one: Moved) -> str:
    words = f"p = {one.p:.1g} (below {one.certain:.1g} counts)"
    if one.ks is not None:
        words += f", KS {one.ks:.3f}"
    return words + (f", moved by {one.distance:.2f} sd" if one.distance is not None else "")


def _codes(values: list[str]) -> NDArray[np.object_]:
    """Name groups as training does: numbers of many values by quarter."""
    import pandas as pd

    from mlstrata_steps.parity import groups_of

    column = pd.Series(values, dtype="string")
    numbers = pd.to_numeric(column, errors="coerce")
    codes: NDArray[np.object_] = groups_of(column if numbers.isna().any() else numbers)
    return codes
