"""What is known of a system, gathered for its evidence."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata.environments import SystemSpec, days
from mlstrata.environments.installation import programs_folder
from mlstrata.files import sha256_of
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.dossier.model import packages_of, tried, version_of
from mlstrata.operations.errors import UsageError, one_of
from mlstrata.operations.policy_check import planned, report_on

if TYPE_CHECKING:
    import pulumi_embedded
    from mlstrata.evidence import DocumentFile, Evidence, Finding, Language, Part
    from mlstrata.operations.reporting import Reporter
    from mlstrata.policies.core.evaluate import Report, Result
    from mlstrata.policies.core.live import Live


@dataclass(frozen=True)
class Dossier:
    """What was written.

    Attributes:
        folder: Where.
        files: The files, by their path in it.
        missing: By document and section, what is not there yet.
        unreadable: What could not be read, and why.
        worst: What a reader must know first, a sentence each, the worst first.
    """

    folder: Path
    files: tuple[str, ...]
    missing: Mapping[str, Mapping[str, tuple[str, ...]]]
    unreadable: tuple[str, ...]
    worst: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Say whether nothing is missing."""
        return not self.missing


def dossier(
    deployment: Deployment,
    system: str,
    folder: Path,
    reporter: Reporter,
    *,
    as_of: date | None,
    since: Path | None = None,
    language: str = "en",
) -> Dossier:
    """Write the dossier of a system.

    Args:
        deployment: The environment.
        system: The system.
        folder: An empty folder, a new one, or an earlier dossier, which is replaced.
        reporter: Told what takes a while.
        as_of: Day it speaks of; None: that of the newest fact.
        since: Folder of an earlier dossier, which it says the differences from; None: none are said.
        language: What it speaks: en or de.

    Raises:
        UsageError: there is no such system or language, the folder holds other files, the earlier one is no dossier of
            it, or what writes PDF is not installed.
    """
    from mlstrata.evidence import write
    from mlstrata.evidence.language import speaking
    from mlstrata.evidence.pdf import PdfUnavailable, library
    from mlstrata.evidence.summary import WORST, worst
    from mlstrata.evidence.write import documents_of

    spoken, declared = language_of(language), deployment.system(system)
    _require_own(folder)
    earlier = _earlier(since, system) if since else None
    with reporter.working("gathering evidence …"), speaking(spoken):
        evidence = replace(gather(deployment, declared, as_of), since=earlier, language=spoken)
        try:
            library()  # before the earlier dossier is removed
            _clear(folder)
            written = write(evidence, folder)
        except PdfUnavailable as error:
            raise UsageError(str(error)) from None
        except OSError as error:
            raise UsageError(f"{folder}: cannot be written ({error.strerror or error}); name another folder") from None
        first = tuple(fact.text for fact in worst(evidence, documents_of(evidence))[:WORST])
    return Dossier(folder, written.files, written.missing, evidence.unreadable, first)


def language_of(text: str) -> Language:
    """Return the language that a text names.

    Raises:
        UsageError: it names none that a dossier speaks.
    """
    from mlstrata.evidence import Language

    return one_of("--language", text, Language)


def gather(deployment: Deployment, declared: SystemSpec, day: date | None) -> Evidence:
    """Return everything that can be read; what cannot is said in `unreadable`, and stops nothing."""
    from mlstrata.evidence import Evidence
    from mlstrata.evidence.answers import read as read_answers

    unreadable: list[str] = []
    spec = deployment.spec
    today = days.today(spec.timezone)
    documents = _documents(deployment, declared, today)
    known = tried("the registry", unreadable, lambda: version_of(deployment, declared.name, unreadable))
    version, packages = known or (None, packages_of(None))
    registered = version.registered if version else None
    made = days.day_of(registered, spec.timezone) if registered else None
    answers, stray = read_answers(deployment.workspace.root, declared.name, today=today, made=made)
    unreadable += stray
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
        answers=answers,
        today=today,
        timezone=spec.timezone,
    )
    plan = tried("the plan of the resources", unreadable, lambda: planned(deployment))
    findings: tuple[Finding, ...] | None = None
    parts: tuple[Part, ...] | None = None
    assessment = ""
    if plan is not None:
        parts = _parts(plan, declared.name)
        if evidence.day is None:
            unreadable.append("the policies: no fact has a day yet; give one with --as-of")
        else:
            asked = evidence.day
            # Nothing to ask where the registry was not read: that is said already.
            live = tried("the running platform", unreadable, lambda: _live(deployment, declared)) if known else None
            judged = tried("the policies", unreadable, lambda: _judged(deployment, plan, declared.name, asked, live))
            if judged:
                findings, report = _findings(*judged), judged[0]
                assessment = tried("the assessment results", unreadable, lambda: _assessment(deployment, report)) or ""
    told = tuple(_anywhere(deployment, reason) for reason in unreadable)
    return replace(evidence, parts=parts, findings=findings, assessment=assessment, unreadable=told)


def _anywhere(deployment: Deployment, reason: str) -> str:
    """Return a reason without the folders of this machine: the same facts give the same bytes wherever they lie."""
    reason = reason.replace(deployment.loaded.file, f"environments/{deployment.name}.yaml")
    for folder in (str(deployment.workspace.root), sys.prefix, str(programs_folder().parent)):
        reason = reason.replace(f"{folder}/", "")
    return reason


def _live(deployment: Deployment, declared: SystemSpec) -> Live:
    from mlstrata.operations.live_facts import gather_one

    return gather_one(deployment, declared)


def _documents(deployment: Deployment, declared: SystemSpec, today: date) -> tuple[DocumentFile, ...]:
    from mlstrata.evidence import DocumentFile
    from mlstrata.policies.core.documents import later, read
    from mlstrata.policies.core.papers import missing

    root = deployment.workspace.root
    named = {key: str(path) for key, path in declared.documents.model_dump(mode="json", exclude_none=True).items()}
    known = read(named.values(), root)
    return tuple(
        DocumentFile(
            key,
            path,
            known[path].exists,
            known[path].reviewed,
            known[path].sections,
            _sha256(root, path),
            empty=known[path].empty,
            later=later(known[path], today),
            lacks=tuple(point.says for point in missing(key, known[path].lacks)),
        )
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


def _judged(
    deployment: Deployment, result: pulumi_embedded.Result, system: str, day: date, live: Live | None
) -> tuple[Report, frozenset[str]]:
    """Return what the policies say of a system and its environment, and which policies what runs was asked for."""
    from mlstrata.policies.core.rule import NEEDS_LIVE

    planned = report_on(deployment, result, day)
    # What the plan alone cannot judge is judged by what runs, where it was asked.
    waiting = frozenset(one.rule.id for one in planned.results if live and one.reason.startswith(NEEDS_LIVE))
    report = report_on(deployment, result, day, live=live) if waiting else planned
    results = [one for one in planned.results if one.rule.id not in waiting]
    results += [one for one in report.results if one.rule.id in waiting]
    others = {one.name for one in deployment.spec.systems} - {system}
    # A plan goes over resources side by side: the order of what it found is not that of the last time.
    ordered = sorted(results, key=lambda one: (*one.rule.order, one.subject, one.reason))
    own = tuple(one for one in ordered if one.subject not in others)
    return replace(report, results=own, systems=tuple(one for one in report.systems if one[0] == system)), waiting


def _findings(report: Report, waiting: frozenset[str]) -> tuple[Finding, ...]:
    from mlstrata.evidence import Finding

    return tuple(
        Finding(
            one.rule.id,
            one.rule.title,
            one.outcome.value.replace("_", " "),
            f"{one.subject}: {_why(one)}",
            observed=one.rule.id in waiting,
            blocking=one.blocking,
            severity=one.rule.severity.value,
        )
        for one in report.results
    )


def _assessment(deployment: Deployment, report: Report) -> str:
    from mlstrata.policies.reports import render
    from mlstrata.policies.reports.places import Places

    names = tuple(one.name for one in deployment.spec.systems)
    places = Places(f"environments/{deployment.name}.yaml", deployment.loaded.place, names)
    told = {key: tuple(_anywhere(deployment, one) for one in getattr(report, key)) for key in ("errors", "warnings")}
    return render([(replace(report, errors=told["errors"], warnings=told["warnings"]), places)], "oscal")


def _why(result: Result) -> str:
    return f"{result.reason}; exempt {result.exemption}" if result.exemption else result.reason


def _days(kept: Any) -> float:
    return float(kept.total_seconds() / 86400)


def _earlier(folder: Path, system: str) -> Mapping[str, Any]:
    """Return what an earlier dossier knew.

    Raises:
        UsageError: there is none, it is another system's, or it cannot be read.
    """
    from mlstrata.evidence.changes import FORM
    from mlstrata.evidence.write import FACTS

    file = folder / FACTS
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if found["form"] == FORM and found["system"]["name"] == system:
            return dict(found)
        what = f"it is of {found['system']['name']}, form {found['form']}"
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = f"{FACTS} cannot be read ({type(error).__name__})"
    raise UsageError(f"--since: got {folder}; {what}; allowed the folder of an earlier dossier of {system}")


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
