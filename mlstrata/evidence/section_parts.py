"""What several sections say alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlstrata.evidence import measured, verdicts, words
from mlstrata.evidence.blocks import Block, Needed, Status, Table, Text, facts, plain, table
from mlstrata.evidence.facts import DocumentFile, Evidence, Finding, ModelVersion
from mlstrata.evidence.language import day, first_upper, heads, number, say, span
from mlstrata.evidence.questions import QUESTIONS
from mlstrata.policies.views.documents import FOR_ALL

DECLARED = "Wanted by the environment's file"
NO_VERSION = "a registered model version"


def wanted(text: str) -> str:
    """Return a caption, and that the environment's file wants what is shown, in the language that is spoken."""
    return f"{say(text)} {say(DECLARED)}"


def source(version: ModelVersion) -> str:
    """Say where a version's figures come from."""
    return say(
        "Source: the registry, version {version}, run {run}",
        version=plain(version.version),
        run=plain(version.run)[:12],
    )


def asked(evidence: Evidence, *names: str) -> Iterator[Block]:
    """Yield what people answered to questions, each with who says it; else that each is needed, and why.

    Args:
        evidence: What is known.
        names: Ids of the questions.
    """
    for question in map(QUESTIONS.__getitem__, names):
        found = evidence.answers.get(question.id)
        if found is None:
            yield Needed(say(question.asks), question=question.id)
        elif found.faults:
            yield Needed(f"{say(question.asks)}; {plain(found.path)}: {'; '.join(found.faults)}", question=question.id)
        else:
            yield Text(
                say(
                    "{asked}, as {author} ({role}) says on {day}, approved by {approved_by} on {approved_on} ({path}):",
                    asked=first_upper(say(question.asks)),
                    author=found.author,
                    role=found.role,
                    day=day(found.day) if found.day else "",
                    approved_by=found.approved_by,
                    approved_on=day(found.approved_on) if found.approved_on else "",
                    path=plain(found.path),
                ),
                Status.NOTE,
            )
            yield from (Text(plain(part), Status.DECLARED) for part in found.text.split("\n\n") if part.strip())


def document(evidence: Evidence, name: str, what: str) -> Iterator[Block]:
    """Yield where a document is, or what is wrong with it."""
    found = evidence.document(name)
    if found is None:
        yield Needed(say("{what}: name it at `documents.{name}`", what=what, name=name))
    elif fault := fault_of(evidence, found):
        yield Needed(f"{what}: {fault}", human=found.exists is not False)
    else:
        reviewed = day(found.reviewed) if found.reviewed else say("says no day of review")
        rows = [(say("Document"), found.path), (say("Last reviewed, as it says"), reviewed), ("SHA-256", found.sha256)]
        yield facts(rows, Status.DECLARED, what)


def fault_of(evidence: Evidence, found: DocumentFile) -> str:
    """Return why a named document answers nothing; empty where it may."""
    path = plain(found.path)
    if found.exists is False:
        return say("{path} does not exist", path=path)
    if found.exists is None:
        return say("{path} was not read: keep it in the workspace as a text", path=path)
    if found.empty:
        return say("{path} says nothing: no sentence outside headings, code and placeholders", path=path)
    if found.lacks:
        return say("{path} does not say {points}", path=path, points=", ".join(map(say, found.lacks)))
    if found.later:
        return say(
            "{path} says that something was done on {later}, a day that is still to come",
            path=path,
            later=day(found.later),
        )
    shared = [one.name for one in evidence.documents if one.path == found.path and one is not found]
    return (
        say("{path} is named as {names} too", path=path, names=", ".join(shared)) if len(shared) >= FOR_ALL - 1 else ""
    )


def answers_for(evidence: Evidence, name: str) -> bool:
    """Return whether the system names a document of its own that says something."""
    found = evidence.document(name)
    return found is not None and not fault_of(evidence, found)


def findings(found: Sequence[Finding], of_the_plan: str) -> Iterator[Table]:
    """Yield what policies say, of the plan and of the running platform apart.

    Args:
        found: The findings.
        of_the_plan: What the table of the plan shows.
    """
    for observed, status, caption in (
        (False, Status.PLANNED, say("{of_the_plan}. Source: `mlstrata check`", of_the_plan=of_the_plan)),
        (True, Status.OBSERVED, say("Policies on the running platform. Source: `mlstrata check --live`")),
    ):
        rows = [(one.policy, say(one.title), say(one.outcome), one.reason) for one in found if one.observed is observed]
        if rows:
            yield table(heads("policy", "asks", "outcome", "reason"), rows, status, caption, (0.22, 0.28, 0.12, 0.38))


def measured_metrics(evidence: Evidence) -> Iterator[Block]:
    """Yield the measured metrics of the version with their declared limits, and a verdict on each."""
    version = evidence.version
    if version is None or not version.metrics:
        yield Needed(say("measured metrics"), human=False)
        return
    declared = evidence.get("kpis")
    limits = {metric: limit for metric, limit, _ in map(words.kpi, declared if isinstance(declared, list) else ())}
    rows = [
        (say(words.METRICS.get(one.name, one.name)), number(one.value, ".4f"), span(one.low, one.high, ".4f"),
         "-" if one.baseline is None else number(one.baseline, ".4f"), limits.get(one.name, "-"))
        for one in measured.measures(version)
    ]  # fmt: skip
    if rows:
        count = version.metrics.get("test_rows")
        over = (
            say("{count} rows that the model was not trained on", count=number(count, ".0f"))
            if count
            else say("rows it was not trained on")
        )
        headings = heads("metric", "measured", "95 % interval", "same answer for everyone", "declared limit")
        caption = say("Performance on {over}; bootstrap intervals. {source}", over=over, source=source(version))
        yield table(headings, rows, Status.OBSERVED, caption, (0.32, 0.14, 0.22, 0.17, 0.15))
        if counts := measured.confusion(version):
            said = [(name, *(str(count) for count in row)) for name, row in counts]
            caption = say(
                "How often each class was said (across) of which (down), on {over}. {source}",
                over=over,
                source=source(version),
            )
            yield table((say("class"), *(name for name, _ in counts)), said, Status.OBSERVED, caption)
    else:
        single = [(name, number(value, ".6g")) for name, value in sorted(version.metrics.items())]
        caption = say("Performance; no intervals were recorded. {source}", source=source(version))
        yield table(heads("metric", "measured"), single, Status.OBSERVED, caption)
    yield from judged(verdicts.of_metrics(evidence), say("Verdict on each metric, by its interval"))


def by_group(evidence: Evidence) -> Iterator[Block]:
    """Yield how groups of people fare, with a verdict and a sentence for each."""
    version = evidence.version
    if version is None:
        yield Needed(say("measured rates of each group of people"), human=False)
        return
    gaps, limit = measured.gaps(version), evidence.get("monitor.fairness.at_most")
    if gaps:
        shown = say("none declared") if limit is None else say("at most {limit}", limit=plain(limit))
        rows = [(one.name, number(one.value, ".4f"), span(one.low, one.high, ".4f"), shown)
                for one in gaps]  # fmt: skip
        metric = measured.compared(version, evidence.get("monitor.fairness.metric"))
        columns = heads("protected attribute", "largest difference", "95 % interval", "declared limit")
        yield table(
            columns,
            rows,
            Status.OBSERVED,
            say("Differences between groups ({metric}). {source}", metric=metric, source=source(version)),
        )
        yield from judged(verdicts.of_gaps(evidence), say("Verdict on each difference, by its interval"))
    if rates := measured.by_group(version):
        counted = [
            (one.attribute, one.group, say(measured.RATES[one.rate]), str(one.rows), number(one.value, ".1%"),
             span(one.low, one.high, ".1%"))
            for one in rates
        ]  # fmt: skip
        headings = heads("attribute", "group", "rate", "rows", "value", "95 % interval")
        caption = say("Performance by group; Wilson intervals. {source}", source=source(version))
        yield table(headings, counted, Status.OBSERVED, caption, (0.13, 0.13, 0.36, 0.08, 0.1, 0.2))
    if errors := measured.errors_by_group(version):
        figures = [
            (one.attribute, one.group, str(one.rows), *(number(value, ".4g") for value in one.values)) for one in errors
        ]
        names = [say(name.replace("_", " ")) for name in measured.ERRORS]
        caption = say(
            "Errors by group, in the target's unit; a residual is said minus happened. {source}", source=source(version)
        )
        yield table((*heads("attribute", "group", "rows"), *names), figures, Status.OBSERVED, caption)
    yield from judged(verdicts.of_groups(evidence), say("Verdict on each group, against the largest of its attribute"))
    if not gaps and evidence.get("model.protected"):
        yield Needed(say("measured differences between the groups of the protected attributes"), human=False)
    elif not gaps:
        yield Needed(say("protected attributes (`model.protected`) to measure by, or why none are needed"))


def judged(found: Sequence[verdicts.Verdict], caption: str) -> Iterator[Table]:
    """Yield verdicts as a table; nothing where there are none."""
    if found:
        rows = [(one.of, say(one.verdict), one.sentence) for one in found]
        yield table(heads("of", "verdict", "why"), rows, Status.OBSERVED, f"{caption}.", (0.26, 0.16, 0.58))


def gates(version: ModelVersion) -> Table:
    """Return what the training's gates found."""
    rows = [(one.name, say("passed") if one.passed else say("NOT PASSED"), one.detail) for one in version.gates or ()]
    return table(heads("gate", "outcome", "found, and allowed"), rows, Status.OBSERVED,
                 say("Gates of the training. {source}", source=source(version)), (0.3, 0.12, 0.58))  # fmt: skip


def decisions(evidence: Evidence) -> Table:
    """Return the audit log's entries."""
    rows = [
        (one.number, one.when.isoformat(timespec="seconds"), one.who, say(one.action),
         say("{old} to {new}", old=one.version_from or say("none"), new=one.version_to), say(one.outcome),
         one.reason, one.hash[:16])
        for one in evidence.decisions or ()
    ]  # fmt: skip
    headings = heads("#", "when", "who", "action", "versions", "outcome", "reason", "hash")
    source = say("the audit log, each entry's hash holds that of the one before")
    if evidence.log_whole is None:
        source = say("the record that the cluster keeps with the system, its last hundred decisions")
    caption = say("Releases and rollbacks. Source: {source}", source=source)
    widths = (0.05, 0.16, 0.1, 0.1, 0.11, 0.11, 0.22, 0.15)
    return table(headings, rows, Status.OBSERVED, caption, widths)


def retention(evidence: Evidence) -> Table:
    """Return how long what is to be kept."""
    rows = [(name, say("{days} days", days=number(days))) for name, days in sorted(evidence.retention.items())]
    asked = {
        "logs": say("184 days (Art. 19, 26(6))"),
        "documents": say("3653 days (Art. 18)"),
        "predictions": say("184 days (Art. 19)"),
    }
    headings = heads("what", "to be kept for", "the Act asks of high risk")
    return table(
        headings,
        [(say(name), kept, asked.get(name, "-")) for name, kept in rows],
        Status.DECLARED,
        wanted("Retention."),
    )


def note(text: str) -> Text:
    """Return a text about the document itself."""
    return Text(text, Status.NOTE)
