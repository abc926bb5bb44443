"""The gate of every release: a version that did not pass its own checks is never put in place, whoever asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlstrata.clients.mlflow import Candidate, Check
from mlstrata.environments import SystemSpec
from mlstrata.operations.releases.errors import RolloutError


def require_passed(
    candidate: Candidate, checks: Sequence[Check] | None, limits: SystemSpec | None, *, without_gates: bool = False
) -> None:
    """Refuse a version whose gates failed or left no report and, with `limits`, whose figures are outside of them.

    Args:
        candidate: The version.
        checks: What the run that made it checked; None or empty: it left no report.
        limits: The system as it is declared now; None where a person judges its figures.
        without_gates: Let a version pass that has no report.

    Raises:
        RolloutError: it may not be released; every reason is named.
    """
    unknown = unreported(candidate.run) if not checks and not without_gates else []
    reasons = [*unknown, *failed(checks or ()), *(unmet(limits, candidate.metrics) if limits else ())]
    if reasons:
        fix = "train a version that passes"
        if unknown:
            fix += ', or answer for it yourself: --without-gates --reason "…"'
        raise RolloutError(f"version {candidate.version} may not be released: {'; '.join(reasons)}; {fix}")


def unreported(run: str | None) -> list[str]:
    """Return why nothing says what a version passed."""
    if not run:
        return ["no training run made it, so it passed no gates"]
    return ["its run left no report of its gates (gates.json), so nothing says what it passed"]


def failed(checks: Sequence[Check]) -> list[str]:
    """Return each check that forbids a release, a sentence each."""
    return [f"it did not pass '{check.name}' ({check.detail})" for check in checks if check.failed]


def unmet(system: SystemSpec, metrics: Mapping[str, float]) -> list[str]:
    """Return each declared figure that is missing or outside; what a source measures after the release is not asked."""
    found = []
    for kpi in system.kpis:
        value = metrics.get(kpi.metric)
        if value is None and kpi.gates:
            found.append(f"its {kpi.metric} was never measured, and must be {kpi.limit}")
        elif value is not None and not kpi.met_by(value):
            found.append(f"its {kpi.metric} is {value:g}, and must be {kpi.limit}")
    return found
