"""What is known of a system, gathered for its evidence."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata.environments import SystemSpec
from mlstrata.environments.installation import programs_folder
from mlstrata.files import sha256_of
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.dossier.model import packages_of, tried, version_of
from mlstrata.operations.errors import UsageError
from mlstrata.operations.policy_check import planned, report_on

if TYPE_CHECKING:
    import pulumi_embedded
    from mlstrata.evidence import DocumentFile, Evidence, Finding, Part
    from mlstrata.operations.reporting import Reporter
    from mlstrata.policies.core.evaluate import Result


@dataclass(frozen=True)
class Dossier:
    """What was written.

    Attributes:
        folder: Where.
        files: The files, by their path in it.
        missing: By document and section, what is not there yet.
        unreadable: What could not be read, and why.
    """

    folder: Path
    files: tuple[str, ...]
    missing: Mapping[str, Mapping[str, tuple[str, ...]]]
    unreadable: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Say whether nothing is missing."""
        return not self.missing


def dossier(deployment: Deployment, system: str, folder: Path, reporter: Reporter, *, as_of: date | None) -> Dossier:
    """Write the dossier of a system.

    Args:
        deployment: The environment.
        system: The system.
        folder: An empty folder, a new one, or an earlier dossier, which is replaced.
        reporter: Told what takes a while.
        as_of: Day it speaks of; None: that of the newest fact.

    Raises:
        UsageError: there is no such system, or the folder holds other files.
    """
    from mlstrata.evidence import write

    declared = deployment.system(system)
    _require_own(folder)
    with reporter.working("gathering evidence …"):
        evidence = gather(deployment, declared, as_of)
        try:
            _clear(folder)
            written = write(evidence, folder)
        except OSError as error:
            raise UsageError(f"{folder}: cannot be written ({error.strerror or error}); name another folder") from None
    return Dossier(folder, written.files, written.missing, evidence.unreadable)


def gather(deployment: Deployment, declared: SystemSpec, day: date | None) -> Evidence:
    """Return everything that can be read; what cannot is said in `unreadable`, and stops nothing."""
    from mlstrata.evidence import Evidence

    unreadable: list[str] = []
    spec = deployment.spec
    documents = _documents(deployment, declared)
    known = tried("the registry", unreadable, lambda: version_of(deployment, declared.name, unreadable))
    version, packages = known or (None, packages_of(None))
    log = tried("the audit log", unreadable, lambda: deployment.target.decisions(declared.name))
    evidence = Evidence(
        environment=deployment.name,
        target=spec.target.kind,
        stage=spec.stage.value,
        owner=str(spec.owner or ""),
        system=declared.model_dump(mode="json", exclude_none=True),
        retention={
            "predictions": _days(spec.retention.predictions),
            "logs": _days(spec.retention.logs),
            "documents": _days(spec.retention.documents),
        },
        version=version,
        decisions=log[0] if log else None,
        log_whole=log[1] if log else None,
        documents=documents,
        packages=packages,
        as_of=day,
        capabilities=frozenset(str(one) for one in spec.capabilities),
        timezone=spec.timezone,
    )
    plan = tried("the plan of the resources", unreadable, lambda: planned(deployment))
    findings: tuple[Finding, ...] | None = None
    parts: tuple[Part, ...] | None = None
    if plan is not None:
        parts = _parts(plan, declared.name)
        if evidence.day is None:
            unreadable.append("the policies: no fact has a day yet; give one with --as-of")
        else:
            asked = evidence.day
            findings = tried("the policies", unreadable, lambda: _findings(deployment, plan, declared.name, asked))
    told = tuple(_anywhere(deployment, reason) for reason in unreadable)
    return replace(evidence, parts=parts, findings=findings, unreadable=told)


def _anywhere(deployment: Deployment, reason: str) -> str:
    """Return a reason without the folders of this machine: the same facts give the same bytes wherever they lie."""
    reason = reason.replace(deployment.loaded.file, f"environments/{deployment.name}.yaml")
    for folder in (str(deployment.workspace.root), sys.prefix, str(programs_folder().parent)):
        reason = reason.replace(f"{folder}/", "")
    return reason


def _documents(deployment: Deployment, declared: SystemSpec) -> tuple[DocumentFile, ...]:
    from mlstrata.evidence import DocumentFile
    from mlstrata.policies.core.documents import read

    root = deployment.workspace.root
    named = {key: str(path) for key, path in declared.documents.model_dump(mode="json", exclude_none=True).items()}
    known = read(named.values(), root)
    return tuple(
        DocumentFile(key, path, known[path].exists, known[path].reviewed, known[path].sections, _sha256(root, path))
        for key, path in sorted(named.items())
    )


def _sha256(root: Path, path: str) -> str:
    return "" if "://" in path else sha256_of(root / path)


def _parts(result: pulumi_embedded.Result, system: str) -> tuple[Part, ...]:
    from mlstrata.evidence import Part
    from mlstrata.policies.adapters.embedded_graph import records
    from mlstrata.policies.core.graph import Graph

    graph = Graph(records(result.graph))
    own = {one.urn for found in graph.systems if found.name == system for one in (found.declared, *found.resources)}
    others = {one.urn for found in graph.systems for one in (found.declared, *found.resources)} - own
    found = (Part(one.type, one.name, one.part, one.urn in own) for one in graph.resources if one.urn not in others)
    return tuple(sorted(found, key=lambda part: (not part.own, part.type, part.name)))


def _findings(deployment: Deployment, result: pulumi_embedded.Result, system: str, day: date) -> tuple[Finding, ...]:
    from mlstrata.evidence import Finding

    results = report_on(deployment, result, day).results
    systems = {one.name for one in deployment.spec.systems} - {system}
    # A plan goes over resources side by side: the order of what it found is not that of the last time.
    ordered = sorted(results, key=lambda one: (one.rule.number, one.subject, one.reason))
    return tuple(
        Finding(one.rule.id, one.rule.title, one.outcome.value.replace("_", " "), f"{one.subject}: {_why(one)}")
        for one in ordered
        if one.subject not in systems
    )


def _why(result: Result) -> str:
    return f"{result.reason}; exempt {result.exemption}" if result.exemption else result.reason


def _days(kept: Any) -> float:
    return float(kept.total_seconds() / 86400)


def _require_own(folder: Path) -> None:
    """Refuse a folder with files that are not a dossier's.

    Raises:
        UsageError: it is a file, or holds something else.
    """
    from mlstrata.evidence.write import MANIFEST

    if folder.is_file():
        raise UsageError(f"-o: got {folder}, a file; name a folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        raise UsageError(f"-o: {folder} holds other files; name an empty folder or an earlier dossier")


def _clear(folder: Path) -> None:
    """Remove what an earlier dossier wrote there, by its manifest, and nothing else."""
    from mlstrata.evidence.write import MANIFEST

    manifest = folder / MANIFEST
    if not manifest.is_file():
        return
    for line in manifest.read_text(encoding="utf-8").splitlines():
        path = folder / line.partition("  ")[2]
        if path.resolve().is_relative_to(folder.resolve()) and path.is_file():
            path.unlink()
