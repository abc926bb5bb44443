"""`mlstrata dossier`: gather what is known of a system, and write its evidence."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata.cli.console import err, say, say_json
from mlstrata.environments import SystemSpec
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.dossier.model import packages_of, tried, version_of
from mlstrata.operations.errors import UsageError

if TYPE_CHECKING:
    import pulumi_embedded
    from mlstrata.evidence import Decision, DocumentFile, Evidence, Finding, Part
    from mlstrata.policies.core.evaluate import Result

EPOCH = "SOURCE_DATE_EPOCH"


def dossier(name: str, system: str, output: str, *, as_of: str | None, require_complete: bool, as_json: bool) -> None:
    """Write the dossier of a system into a folder; exit 1 with `require_complete` where anything is missing.

    Args:
        name: The environment.
        system: The system.
        output: An empty folder, a new one, or an earlier dossier, which is replaced.
        as_of: Day (YYYY-MM-DD) it speaks of; None: `SOURCE_DATE_EPOCH`, else the day of the newest fact.
        require_complete: Exit 1 where it is not complete.
        as_json: One JSON document on standard output.

    Raises:
        UsageError: environment, system or day are none, or the folder holds other files.
    """
    import typer

    from mlstrata.cli.predict import find_system
    from mlstrata.evidence import write

    deployment = Deployment.open(name)
    declared = find_system(deployment, system)
    folder = Path(output)
    _require_own(folder)
    day = _day(as_of)
    with err().status("gathering evidence …"):
        evidence = gather(deployment, declared, day)
        try:
            _clear(folder)
            written = write(evidence, folder)
        except OSError as error:
            raise UsageError(f"{folder}: cannot be written ({error.strerror or error}); name another folder") from None
    if as_json:
        say_json(
            {
                "environment": name,
                "system": system,
                "folder": str(folder),
                "complete": written.complete,
                "files": list(written.files),
                "missing": written.missing,
                "unreadable": list(evidence.unreadable),
            }
        )
    else:
        _show(folder, written.files, written.missing, evidence.unreadable)
    if require_complete and not written.complete:
        raise typer.Exit(1)


def gather(deployment: Deployment, declared: SystemSpec, day: date | None) -> Evidence:
    """Return everything that can be read; what cannot is said in `unreadable`, and stops nothing."""
    from mlstrata.evidence import Evidence

    unreadable: list[str] = []
    spec = deployment.spec
    documents = _documents(deployment, declared)
    known = tried("the registry", unreadable, lambda: version_of(deployment, declared.name, unreadable))
    version, packages = known or (None, packages_of(None))
    log = tried("the audit log", unreadable, lambda: _decisions(deployment, declared.name))
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
    )
    plan = tried("the plan of the resources", unreadable, lambda: _planned(deployment))
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
    for folder in (str(deployment.workspace.root), sys.prefix):
        reason = reason.replace(f"{folder}/", "")
    return reason


def _decisions(deployment: Deployment, system: str) -> tuple[tuple[Decision, ...], bool | None]:
    """Return what was decided, and whether the log is whole; a cluster's record of a system is no chain: None."""
    from mlstrata.audit import read, verify
    from mlstrata.evidence import Decision
    from mlstrata.operations.releases import AUDIT_FILE

    if deployment.spec.target.kind != "local":
        return _recorded(deployment, system), None
    path = deployment.home / AUDIT_FILE
    found = tuple(
        Decision(
            number=record.number,
            when=datetime.fromisoformat(record.entry["when"]),
            who=record.entry["who"],
            action=record.entry["action"],
            version_from=record.entry["version_from"] or "",
            version_to=record.entry["version_to"],
            reason=record.entry["reason"],
            outcome=record.entry["outcome"],
            hash=record.hash,
        )
        for record in read(path)
        if record.entry["system"] == system
    )
    return found, verify(path).ok


def _recorded(deployment: Deployment, system: str) -> tuple[Decision, ...]:
    from mlstrata.evidence import Decision
    from mlstrata.operations.cluster_access import bare, on_cluster

    on_cluster(deployment, "dossier")
    releases = bare(deployment).releases(system)
    last = len(releases.history)
    return tuple(
        Decision(
            number=number,
            when=entry.when,
            who=entry.who,
            action=entry.kind,
            version_from=entry.from_ or "",
            version_to=entry.to,
            reason=entry.why,
            outcome="done" if releases.settled or number < last else "under way",
            hash=hashlib.sha256(entry.model_dump_json(by_alias=True).encode()).hexdigest(),
        )
        for number, entry in enumerate(releases.history, 1)
    )


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
    if "://" in path:
        return ""
    try:
        return hashlib.sha256((root / path).read_bytes()).hexdigest()
    except OSError:
        return ""


def _planned(deployment: Deployment) -> pulumi_embedded.Result:
    from mlstrata.cli.check import planned

    return planned(deployment)


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
    from mlstrata.cli.check import report_on
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


def _day(text: str | None) -> date | None:
    if text:
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise UsageError(f"--as-of: got '{text}'; allowed a day, YYYY-MM-DD, such as 2027-12-02") from None
    if seconds := os.environ.get(EPOCH):
        try:
            return datetime.fromtimestamp(int(seconds), tz=UTC).date()
        except (ValueError, OverflowError, OSError):
            raise UsageError(f"{EPOCH}: got '{seconds}'; allowed whole seconds since 1970-01-01") from None
    return None


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


def _show(
    folder: Path,
    files: tuple[str, ...],
    missing: Mapping[str, Mapping[str, tuple[str, ...]]],
    unreadable: tuple[str, ...],
) -> None:
    for document, sections in missing.items():
        say(f" incomplete: {document}", style="yellow")
        for title, needs in sections.items():
            say(f"   {title}: {'; '.join(needs)}")
    for reason in unreadable:
        say(f" not readable: {reason}", style="yellow")
    state = "complete" if not missing else "DRAFT - incomplete"
    say(f" {len(files)} files in {folder} · {state}")
