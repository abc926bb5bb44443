"""The gate of every release: a version that did not pass its own checks is never put in place, whoever asks."""

from __future__ import annotations

from collections.abc import Iterator

from mlstrata.clients.errors import RolloutError
from mlstrata.clients.mlflow_registry import Candidate, Registry
from mlstrata.environments import SystemSpec


def require_passed(registry: Registry, candidate: Candidate, limits: SystemSpec | None) -> None:
    """Refuse a version whose gates failed or, where `limits` are given, whose figures are outside of them.

    Args:
        registry: Where the version is.
        candidate: The version.
        limits: The system as it is declared now; None where a person judges its figures.

    Raises:
        RolloutError: it may not be released; every reason is named.
    """
    reasons = [*_failed(registry, candidate), *(_outside(candidate, limits) if limits else ())]
    if reasons:
        raise RolloutError(
            f"version {candidate.version} may not be released: {'; '.join(reasons)}; train a version that passes"
        )


def _failed(registry: Registry, candidate: Candidate) -> Iterator[str]:
    for check in registry.checks(candidate) or ():
        if not check.passed and not check.warns:
            yield f"it did not pass '{check.name}' ({check.detail})"


def _outside(candidate: Candidate, system: SystemSpec) -> Iterator[str]:
    """Yield each declared figure that is missing or outside; what a source measures after the release is not asked."""
    for kpi in system.kpis:
        value = candidate.metrics.get(kpi.metric)
        if value is None:
            if not kpi.source:
                yield f"its {kpi.metric} was never measured"
        elif not kpi.met_by(value):
            limit = f"at least {kpi.at_least:g}" if kpi.at_least is not None else f"at most {kpi.at_most:g}"
            yield f"its {kpi.metric} is {value:g}; {limit}"
