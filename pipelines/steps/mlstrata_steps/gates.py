"""Step 6: may this model be registered? Only if every gate says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlstrata_steps.outcome import Check, StepError, report_of, require

ORDER = ("privacy", "quality", "leakage", "signal", "fairness", "plausibility", "gates", "served", "compare")
"""The gates as they come in the training pipeline; Kubeflow hands a mapping on in an order of its own."""


def judge(evaluation: Mapping[str, object], kpis: Sequence[Mapping[str, object]]) -> list[Check]:
    """Compare an evaluation with the KPIs and with what every model must be.

    A KPI with a `source` is measured in business, after the release: it is listed and gates nothing here.

    Args:
        evaluation: What `evaluate` returned.
        kpis: Each `{"metric": …, "at_least" | "at_most": …}`.

    Raises:
        StepError: A KPI names a metric that evaluation does not measure, or has no limit or two.
    """
    metrics = evaluation["metrics"]
    assert isinstance(metrics, Mapping)  # noqa: S101 - the shape `evaluate` promises
    checks = [Check(**check) for check in evaluation["checks"]]  # type: ignore[attr-defined]
    for kpi in kpis:
        name = str(kpi.get("metric"))
        if kpi.get("source"):
            checks.append(Check(name, False, f"measured after release, from {kpi['source']}", warns=True))
            continue
        if name not in metrics:
            raise StepError(
                f"kpis: got metric {name!r}; evaluation measures {', '.join(metrics)} (others need a source)"
            )
        limits = [word for word in ("at_least", "at_most") if kpi.get(word) is not None]
        if len(limits) != 1:
            raise StepError(f"kpis: {name} needs exactly one of at_least and at_most")
        word, limit, found = limits[0], float(str(kpi[limits[0]])), metrics[name]
        value = float(found["value"])
        passed = value >= limit if word == "at_least" else value <= limit
        interval = f"{found['low']:.3f} to {found['high']:.3f}"
        checks.append(Check(name, passed, f"{value:.3f} ({interval}), {word.replace('_', ' ')} {limit:g} asked for"))
    return checks


def _place(gate: str) -> int:
    return ORDER.index(gate) if gate in ORDER else len(ORDER)


def joined(outcomes: Mapping[str, object], later: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
    """Add what gates after this one found to its outcomes, in the same form.

    Args:
        outcomes: What `gate` returned.
        later: Reports of gates that ran after it, by their names.
    """
    checks: list[object] = list(outcomes["checks"])  # type: ignore[call-overload]
    numbers, headlines = dict(outcomes["numbers"]), dict(outcomes["headlines"])  # type: ignore[call-overload]
    for name, report in later.items():
        checks += [{**check, "name": f"{name}: {check['name']}"} for check in report["checks"]]  # type: ignore[attr-defined]
        numbers |= report["numbers"]
        headlines[name] = str(report["headline"])
    headlines = {name: headlines[name] for name in sorted(headlines, key=_place)}
    refused = any(Check(**check).refuses for check in checks)  # type: ignore[arg-type]
    return {**outcomes, "passed": not refused, "checks": checks, "numbers": numbers, "headlines": headlines}


def gate(
    evaluation: Mapping[str, object],
    kpis: Sequence[Mapping[str, object]],
    reports: Mapping[str, Mapping[str, object]] | None = None,
) -> dict[str, object]:
    """Judge and, if a gate fails, stop the run.

    Args:
        evaluation: What `evaluate` returned.
        kpis: The limits (`judge`).
        reports: What the gates before this one found, by their names (`outcome.report_of`).

    Returns:
        `passed`; the `checks`, those of other gates first and named after them; `numbers` by metric name; `headlines`
        by gate; `curves`: feature to what the model says as it rises, where a gate followed it.

    Raises:
        StepRefused: With the detail of each failed gate.
        StepError: A KPI is malformed (`judge`).
    """
    earlier = reports or {}
    checks = [
        Check(**{**check, "name": f"{name}: {check['name']}"})
        for name, report in earlier.items()
        for check in report["checks"]  # type: ignore[attr-defined]
    ]
    own = judge(evaluation, kpis)
    measured = [check for check in own if not check.warns]
    numbers = {name: value for report in earlier.values() for name, value in report["numbers"].items()}  # type: ignore[attr-defined]
    headlines = {name: str(report["headline"]) for name, report in earlier.items()}
    headlines["gates"] = "; ".join(f"{check.name}: {check.detail}" for check in measured)
    curves: dict[str, object] = {}
    for report in earlier.values():
        own_curves = report.get("curves")
        curves |= own_curves if isinstance(own_curves, dict) else {}
    found = report_of([*checks, *own], numbers, headlines=headlines, curves=curves)
    require(found)
    return found
