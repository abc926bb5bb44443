"""The gate of every release: a version that did not pass its own checks is never put in place, whoever asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlstrata.clients.mlflow import Candidate, Check, Registry
from mlstrata.environments import SystemSpec
from mlstrata.operations.releases.errors import RolloutError
from mlstrata_steps.seal import DIGEST, TAG, Made


def sealed(registry: Registry, system: str, candidate: Candidate, key: str | None) -> str | None:
    """Return the digest of a version's files that the platform itself sealed with a report of passed gates.

    Args:
        registry: Where it is registered.
        system: Its system.
        candidate: The version.
        key: The environment's key; None: the environment has none, and the digest is what the registry says.

    Returns:
        The digest; None of a version that the platform did not seal, or whose report, run or files are others now.

    Raises:
        RegistryError: the registry does not answer.
    """
    digest = candidate.tags.get(DIGEST, "")
    if key is None:
        return digest
    report = registry.gates(candidate.run) if TAG in candidate.tags else None
    if report is None or not Made(system, candidate.run or "", digest, report).bears(key, candidate.tags[TAG]):
        return None
    return digest


UNSEALED = (
    "neither a training run of this platform nor `judge` made it: nothing that the platform wrote says what it passed "
    "(no seal that fits its run, its report of gates and its files)"
)


def require_passed(
    candidate: Candidate,
    checks: Sequence[Check] | None,
    limits: SystemSpec | None,
    *,
    without_gates: bool = False,
    is_sealed: bool = True,
) -> None:
    """Refuse a version whose gates failed or left no report and, with `limits`, whose figures are outside of them.

    Args:
        candidate: The version.
        checks: What the run that made it checked; None or empty: it left no report.
        limits: The system as it is declared now; None where a person judges its figures.
        without_gates: Let a version pass that has no report, or one that the platform did not write.
        is_sealed: Whether the platform wrote the report, of these very files.

    Raises:
        RolloutError: it may not be released; every reason is named.
    """
    unknown = [] if without_gates else unreported(candidate.run) if not checks else [] if is_sealed else [UNSEALED]
    reasons = [*unknown, *failed(checks or ()), *(unmet(limits, candidate.metrics) if limits else ())]
    if reasons:
        fix = "train a version that passes, or have one from elsewhere judged (`mlstrata judge`)"
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
