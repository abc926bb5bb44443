"""What several sections say alike."""

from __future__ import annotations

from collections.abc import Iterator

from mlstrata.evidence import measured, words
from mlstrata.evidence.blocks import Block, Needed, Table, Text, facts, plain, table
from mlstrata.evidence.facts import Evidence, ModelVersion

DECLARED = "Source: the environment's file"
NO_VERSION = "a registered model version"


def source(version: ModelVersion) -> str:
    """Say where a version's figures come from."""
    return f"Source: the registry, version {plain(version.version)}, run {plain(version.run)[:12]}"


def document(evidence: Evidence, name: str, what: str) -> Iterator[Block]:
    """Yield where a document is, or that there is none."""
    found = evidence.document(name)
    if found is None:
        yield Needed(f"{what}: name it at `documents.{name}`")
    elif found.exists is False:
        yield Needed(f"{what}: {plain(found.path)} does not exist", human=False)
    else:
        reviewed = str(found.reviewed) if found.reviewed else "says no day of review"
        known = found.sha256 or "an address, not fetched"
        yield facts([("Document", found.path), ("Last reviewed", reviewed), ("SHA-256", known)], what)


def measured_metrics(evidence: Evidence) -> Iterator[Block]:
    """Yield the measured metrics of the version, with their declared limits."""
    version = evidence.version
    if version is None or not version.metrics:
        yield Needed("measured metrics", human=False)
        return
    declared = evidence.get("kpis")
    limits = {metric: limit for metric, limit, _ in map(words.kpi, declared if isinstance(declared, list) else ())}
    rows = [
        (words.METRICS.get(one.name, one.name), f"{one.value:.4f}", f"{one.low:.4f} to {one.high:.4f}",
         "-" if one.baseline is None else f"{one.baseline:.4f}", limits.get(one.name, "-"))
        for one in measured.measures(version)
    ]  # fmt: skip
    if rows:
        count = version.metrics.get("test_rows")
        over = f"{count:.0f} rows that the model was not trained on" if count else "rows it was not trained on"
        headings = ("metric", "measured", "95 % interval", "same answer for everyone", "declared limit")
        caption = f"Performance on {over}; bootstrap intervals. {source(version)}"
        yield table(headings, rows, caption, (0.32, 0.14, 0.22, 0.17, 0.15))
        if counts := measured.confusion(version):
            said = [(name, *(str(count) for count in row)) for name, row in counts]
            caption = f"How often each class was said (across) of which (down), on {over}. {source(version)}"
            yield table(("class", *(name for name, _ in counts)), said, caption)
    else:
        single = [(name, f"{value:.6g}") for name, value in sorted(version.metrics.items())]
        yield table(("metric", "measured"), single, f"Performance; no intervals were recorded. {source(version)}")


def by_group(evidence: Evidence) -> Iterator[Block]:
    """Yield how groups of people fare."""
    version = evidence.version
    if version is None:
        yield Needed("measured rates of each group of people", human=False)
        return
    gaps, limit = measured.gaps(version), evidence.get("monitor.fairness.at_most")
    if gaps:
        shown = "none declared" if limit is None else f"at most {plain(limit)}"
        rows = [(one.name, f"{one.value:.4f}", "-" if one.low is None else f"{one.low:.4f} to {one.high:.4f}", shown)
                for one in gaps]  # fmt: skip
        metric = measured.compared(version, evidence.get("monitor.fairness.metric"))
        columns = ("protected attribute", "largest difference", "95 % interval", "declared limit")
        yield table(columns, rows, f"Differences between groups ({metric}). {source(version)}")
    if rates := measured.by_group(version):
        counted = [
            (one.attribute, one.group, measured.RATES[one.rate], str(one.rows), f"{one.value:.1%}",
             f"{one.low:.1%} to {one.high:.1%}")
            for one in rates
        ]  # fmt: skip
        headings = ("attribute", "group", "rate", "rows", "value", "95 % interval")
        caption = f"Performance by group; Wilson intervals. {source(version)}"
        yield table(headings, counted, caption, (0.13, 0.13, 0.36, 0.08, 0.1, 0.2))
    if errors := measured.errors_by_group(version):
        figures = [
            (one.attribute, one.group, str(one.rows), *(f"{value:.4g}" for value in one.values)) for one in errors
        ]
        names = [name.replace("_", " ") for name in measured.ERRORS]
        caption = f"Errors by group, in the target's unit; a residual is said minus happened. {source(version)}"
        yield table(("attribute", "group", "rows", *names), figures, caption)
    if not gaps and evidence.get("model.protected"):
        yield Needed("measured differences between the groups of the protected attributes", human=False)
    elif not gaps:
        yield Needed("protected attributes (`model.protected`) to measure by, or why none are needed")


def gates(version: ModelVersion) -> Table:
    """Return what the training's gates found."""
    rows = [(one.name, "passed" if one.passed else "NOT PASSED", one.detail) for one in version.gates or ()]
    return table(("gate", "outcome", "found, and allowed"), rows, f"Gates of the training. {source(version)}",
                 (0.3, 0.12, 0.58))  # fmt: skip


def decisions(evidence: Evidence) -> Table:
    """Return the audit log's entries."""
    rows = [
        (one.number, one.when.isoformat(timespec="seconds"), one.who, one.action,
         f"{one.version_from or 'none'} → {one.version_to}", one.outcome, one.reason, one.hash[:16])
        for one in evidence.decisions or ()
    ]  # fmt: skip
    headings = ("#", "when", "who", "action", "versions", "outcome", "reason", "hash")
    source = "the audit log, each entry's hash holds that of the one before"
    if evidence.log_whole is None:
        source = "the record that the cluster keeps with the system, its last hundred decisions"
    caption = f"Releases and rollbacks. Source: {source}"
    return table(headings, rows, caption, (0.05, 0.16, 0.1, 0.1, 0.11, 0.11, 0.22, 0.15))


def retention(evidence: Evidence) -> Table:
    """Return how long what is kept."""
    rows = [(name, f"{days:g} days") for name, days in sorted(evidence.retention.items())]
    asked = {
        "logs": "184 days (Art. 19, 26(6))",
        "documents": "3653 days (Art. 18)",
        "predictions": "184 days (Art. 19)",
    }
    return table(("what", "kept for", "the Act asks of high risk"), [(*row, asked.get(row[0], "-")) for row in rows],
                 f"Retention. {DECLARED}")  # fmt: skip


def said(text: str) -> Text:
    """Return a text that only explains."""
    return Text(text, note=True)
