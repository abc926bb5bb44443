"""Whether the audit log is whole: every entry as written, none missing, none moved."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlstrata.audit.log import FIRST, HEAD, Head, Record, locked, parse, read_head, split


@dataclass(frozen=True)
class Verification:
    """What the log shows.

    Attributes:
        entries: how many entries it has.
        problems: what was changed, removed or moved, a sentence each that names the entry; empty when it is whole.
        notes: what a crash left, which the next append mends, a sentence each.
        head: hash of the last entry; None when there is none. A copy kept elsewhere proves all that is before it.
    """

    entries: int
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    head: str | None

    @property
    def ok(self) -> bool:
        """Return whether the log is whole."""
        return not self.problems


def verify(path: Path) -> Verification:
    """Read the whole log at `path` and compare it with itself and with its anchor.

    Raises:
        OSError: it cannot be read.
    """
    problems: list[str] = []
    notes: list[str] = []
    head: Head | None = None
    with locked(path, shared=True):
        data = path.read_bytes() if path.exists() else b""
        try:
            head = read_head(path)
        except ValueError as error:
            problems.append(f"{error}: entries may be missing at the end")
    lines, rest = split(data)
    if rest:
        notes.append(f"the last {len(rest)} bytes are an unfinished entry, which the next one replaces")
    records = [parse(line) for line in lines]
    problems += _chain(records)
    if not any(problem.startswith(HEAD) for problem in problems):
        _compare(head, records, problems, notes)
    last = records[-1] if records else None
    return Verification(len(records), tuple(problems), tuple(notes), last.hash if last else None)


def _chain(records: list[Record | None]) -> list[str]:
    """Return what is wrong between the entries."""
    problems: list[str] = []
    number, previous = 0, FIRST
    for line, record in enumerate(records, 1):
        if record is None:
            problems.append(f"entry {number + 1} (line {line}): this is not an entry as it was written")
            number, previous = number + 1, ""
            continue
        where = f"entry {record.number} (line {line})"
        if not record.is_intact():
            problems.append(f"{where}: changed since it was written; its content does not have its hash")
        elif record.number > number + 1:
            gone = f"entry {number + 1} is" if record.number == number + 2 else f"entries from {number + 1} on are"
            problems.append(f"{where}: {gone} missing before it")
        elif record.number <= number:
            problems.append(f"{where}: out of its place; it stands after entry {number}")
        elif previous and record.previous != previous:
            problems.append(f"{where}: does not follow entry {number} as that is now; one of the two was replaced")
        if state := record.found.get("anchor"):
            problems.append(f"{where}: when it was written {HEAD} was {state}; entries may be missing before it")
        number, previous = record.number, record.hash
    return problems


def _compare(head: Head | None, records: list[Record | None], problems: list[str], notes: list[str]) -> None:
    """Compare the end of the log with the anchor."""
    last = records[-1] if records else None
    number = last.number if last else len(records)
    if head is None:
        if len(records) > 1:
            problems.append(f"{HEAD} is missing: entries may be missing after entry {number}")
        elif records:
            notes.append(f"{HEAD} is not written yet; the next entry brings it")
        return
    if head.number > number:
        problems.append(f"entry {number + 1}: missing at the end; {HEAD} names entry {head.number} as the last")
        return
    if head.number < number - 1:
        problems.append(f"entry {head.number + 1}: {HEAD} names entry {head.number} as the last, the log has more")
    elif head.number < number:
        notes.append(f"{HEAD} is one entry behind; the next one brings it up to date")
    named = next((record for record in records if record and record.number == head.number), None)
    if named is not None and named.hash != head.hash:
        problems.append(f"entry {head.number}: not the one that {HEAD} names")
