"""Two pages for who decides: the five worst facts on top, then what the system is and what lacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from mlstrata.evidence import verdicts, words
from mlstrata.evidence.blocks import Block, Document, Needed, Section, Status, Text, facts, plain, table
from mlstrata.evidence.facts import Evidence
from mlstrata.evidence.language import heads, say
from mlstrata.evidence.section_parts import DECLARED, fault_of, note
from mlstrata.evidence.templates import drafted
from mlstrata.evidence.verdicts import Says

WORST = 5
LONGEST = 320
"""Characters of a fact: the documents have it whole."""
_SEVERITY = {"critical": 0.4, "high": 0.3, "medium": 0.2, "low": 0.1}
_RANKS = {Says.BROKEN: 7.0, Says.NO_BETTER: 6.5, Says.NOT_SHOWN: 5.5, Says.DIFFERS: 5.0, Says.UNJUDGED: 2.0,
          Says.TOO_FEW: 1.5}  # fmt: skip


@dataclass(frozen=True)
class Fact:
    """Something that a reader must know.

    Attributes:
        weight: How bad it is; the larger, the worse.
        text: It, in a sentence.
        status: How far it is a fact.
    """

    weight: float
    text: str
    status: Status


def worst(evidence: Evidence, documents: Sequence[Document]) -> tuple[Fact, ...]:
    """Return what is wrong or not shown, the worst first."""
    found = sorted(_facts(evidence, documents), key=lambda one: (-one.weight, one.text))
    return tuple(found)


def _facts(evidence: Evidence, documents: Sequence[Document]) -> Iterator[Fact]:
    if evidence.log_whole is False:
        yield Fact(10, say("The audit log's chain of hashes is broken: decisions were changed, removed or moved."),
                   Status.OBSERVED)  # fmt: skip
    for one in evidence.findings or ():
        status = Status.OBSERVED if one.observed else Status.PLANNED
        weight = {"fail": 8 if one.blocking else 4, "exempt": 3.5, "unknown": 1}.get(one.outcome, 0)
        if weight:
            said = say(
                "Policy {policy} ({title}): {outcome}. {reason}",
                policy=one.policy,
                title=say(one.title).rstrip("."),
                outcome=say(one.outcome),
                reason=one.reason,
            )
            yield Fact(weight + _SEVERITY.get(one.severity, 0), said, status)
    for gate in evidence.version.gates or () if evidence.version else ():
        if not gate.passed:
            yield Fact(
                7.5, say("Gate {name} was not passed: {detail}.", name=gate.name, detail=gate.detail), Status.OBSERVED
            )
    yield from _measured(say("Metric"), verdicts.of_metrics(evidence))
    yield from _measured(say("Difference between groups by"), verdicts.of_gaps(evidence))
    # One sentence for each rate: the group that is furthest off.
    groups = [one for one in verdicts.of_groups(evidence) if one.verdict is Says.DIFFERS]
    rates = {one.of.partition(": ")[2]: one for one in sorted(groups, key=lambda one: one.size)}
    yield from _measured(say("Group"), list(rates.values()))
    if evidence.version is None:
        yield Fact(9, say("No registered model version is known: nothing was measured."), Status.OBSERVED)
    for reason in evidence.unreadable:
        yield Fact(6, say("Not readable: {reason}", reason=reason), Status.OBSERVED)
    open_questions = {need.question for one in documents for need in one.missing if need.question}
    if open_questions:
        count = say(
            "{count} questions are answered by nobody, or by an answer that does not count.", count=len(open_questions)
        )
        yield Fact(4.5, count, Status.OBSERVED)
    if lacking := sum(need.human and not need.question for one in documents for need in one.missing):
        count = say("{count} documents or declarations that are asked for do not exist or say nothing.", count=lacking)
        yield Fact(4.4, count, Status.OBSERVED)


def _measured(what: str, found: Sequence[verdicts.Verdict]) -> Iterator[Fact]:
    for one in found:
        if one.bad:
            yield Fact(
                _RANKS[one.verdict] + one.size, f"{what} {one.of}: {say(one.verdict)}. {one.sentence}.", Status.OBSERVED
            )


def summary(evidence: Evidence, documents: Sequence[Document]) -> Document:
    """Return the summary of the other documents."""
    found = worst(evidence, documents)
    top: list[Block] = [
        Text(f"{number}. {_short(one.text)}", one.status) for number, one in enumerate(found[:WORST], 1)
    ]
    if not top:
        top = [Text(say("No fact that is known speaks against it."), Status.OBSERVED)]
    elif len(found) > WORST:
        top.append(note(say("{count} more are in the documents.", count=len(found) - WORST)))
    about: list[tuple[str, object]] = [
        (say("Purpose"), _short(plain(evidence.get("purpose")))),
        *words.risk(evidence)[:2],
    ]
    about += [(say("Roles"), ", ".join(sorted(say(role) for role in evidence.roles)))]
    rows = [(one.name, sum(need.human for need in one.missing), sum(not need.human for need in one.missing))
            for one in documents]  # fmt: skip
    lacks = table(heads("document", "need a person", "not available"), rows, Status.OBSERVED,
                  say("What each document lacks"), (0.6, 0.2, 0.2))  # fmt: skip
    answered = [one for one in evidence.answers.values() if not one.faults]
    people = sorted({one.author for one in answered})
    who = say(
        "{count} questions are answered, by {people}.",
        count=len(answered),
        people=", ".join(people[:12]) or say("nobody"),
    )
    named = [(one.name, fault) for one in evidence.documents if (fault := fault_of(evidence, one))]
    headed = say("The {count} worst facts", count=WORST) if len(found) >= WORST else say("The worst facts")
    sections = (
        Section(headed, tuple(top)),
        Section(say("What it is"), (facts(about, Status.DECLARED, say(DECLARED)),)),
        Section(say("What lacks"), (lacks, Text(who, Status.OBSERVED),
                               *(Needed(f"documents.{name}: {fault}") for name, fault in named))),
    )  # fmt: skip
    return replace(
        drafted("summary", say("Summary: {name}", name=plain(evidence.name)), evidence, sections), of=tuple(documents)
    )


def _short(text: str) -> str:
    shown = plain(text)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST].rstrip()} …"
