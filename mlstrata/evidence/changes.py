"""What is known as data, and how it differs from an earlier dossier: what may be a substantial modification."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlstrata.evidence.blocks import Block, Document, Section, Status, Text, plain, table
from mlstrata.evidence.facts import Evidence
from mlstrata.evidence.language import heads, say
from mlstrata.evidence.section_parts import asked, note
from mlstrata.evidence.templates import drafted

FORM = 1
SUBSTANTIAL = (
    ("system.purpose", "the intended purpose (Art. 3(23))"),
    ("system.risk", "the classification (Art. 6)"),
    ("system.data", "the data (Art. 10)"),
    ("system.model", "the model (Art. 15)"),
    ("system.kpis", "the accuracy that is to be reached (Art. 15)"),
    ("system.constraints", "the limits of use (Art. 13)"),
    ("system.oversight", "human oversight (Art. 14)"),
    ("system.monitor.fairness", "the limit of differences between groups (Art. 10)"),
    ("system.serving.explain", "explanations (Art. 13, 86)"),
    ("version", "the model that answers: substantial unless determined beforehand (Art. 43(4))"),
    ("data_version", "the data it was trained on (Art. 10)"),
)
"""Where a change may be substantial, and what it touches; all else is told, and no more."""


def known_facts(evidence: Evidence) -> dict[str, Any]:
    """Return what a later dossier is compared with."""
    version = evidence.version
    return {
        "form": FORM,
        "as_of": evidence.day.isoformat() if evidence.day else None,
        "system": dict(evidence.system),
        "retention": dict(evidence.retention),
        "version": version.version if version else None,
        "data_version": version.data_version if version else None,
        "code": (version.code_commit or version.commit) if version else None,
        "metrics": dict(version.metrics) if version else {},
        "policies": {one.policy: one.outcome for one in evidence.findings or () if one.outcome != "not applicable"},
        "answers": {name: one.text for name, one in evidence.answers.items() if not one.faults},
    }


def changes(evidence: Evidence) -> Document:
    """Return what differs from the earlier dossier that the evidence has in `since`."""
    before = evidence.since or {}
    now = known_facts(evidence)
    found = list(_differing(before, now, ""))
    rows = [(path, old, new, _touches(path) or "-") for path, old, new in found]
    weighty = [row for row in rows if row[3] != "-"]
    blocks: list[Block] = [note(say("Compared with the dossier as of {day}.", day=plain(before.get("as_of"))))]
    if rows:
        headings = heads("what", "then", "now", "may be substantial, as it touches")
        blocks.append(table(headings, sorted(rows, key=lambda row: row[3] == "-"), Status.OBSERVED,
                            say("Changes; of two declarations, of two plans, or of two observations"),
                            (0.24, 0.24, 0.24, 0.28)))  # fmt: skip
    else:
        blocks.append(Text(say("Nothing differs."), Status.OBSERVED))
    if weighty:
        count = say(
            "{weighty} of {all} changes may be substantial; whether one is, a person judges.",
            weighty=len(weighty),
            all=len(rows),
        )
        blocks += [note(count), *asked(evidence, "changes.substantial")]
    title = say("Changes since the last dossier (AI Act, Art. 3(23)): {name}", name=plain(evidence.name))
    return drafted("changes", title, evidence, (Section(say("Changes"), tuple(blocks)),))


def _differing(before: Any, now: Any, at: str) -> Iterator[tuple[str, object, object]]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in sorted({*before, *now}):
            if at or key not in {"form", "as_of"}:
                yield from _differing(before.get(key), now.get(key), f"{at}.{key}" if at else str(key))
    elif _plainly(before) != _plainly(now):
        yield at, before, now


def _plainly(value: Any) -> Any:
    # What was read from JSON has lists where the declaration may have tuples.
    return [_plainly(one) for one in value] if isinstance(value, list | tuple) else value


def _touches(path: str) -> str:
    return next((say(what) for prefix, what in SUBSTANTIAL if path == prefix or path.startswith(f"{prefix}.")), "")
