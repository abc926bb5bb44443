"""Frameworks as packs over the same policies: a dated table of duties, a file each, and what a report says of them.

A pack adds no check. It says which policies serve a duty, since when it holds, and what only people can show.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field

from mlstrata.closed import Closed
from mlstrata.environments.loading.translate import Finding
from mlstrata.environments.redaction import shown
from mlstrata.environments.spec.base import choice, suggestion
from mlstrata.environments.spec.quantities import Day
from mlstrata.environments.spec.text import Text, Unique, Word
from mlstrata.policies.core.files import PolicyErrors, PolicyFile
from mlstrata.policies.core.rule import Outcome

OURS = Path(__file__).parent
FOLDER = "policies/frameworks"


class FrameworkDuty(Closed):
    """One duty of a framework."""

    of: Word = Field(description="What asks it: an article, a clause, a control.")
    asks: Text = Field(description="What it asks, in a few words.")
    since: Day = Field(description="The day it applies from, YYYY-MM-DD.")
    rules: Annotated[tuple[Word, ...], Unique] = Field(default=(), description="Ids of the policies that serve it.")
    people: Text | None = Field(default=None, description="What only people can show; none: the policies show all.")


class _File(Closed):
    title: Word = Field(description="Its name.")
    version: Day = Field(description="The day of the text that the table follows, YYYY-MM-DD.")
    source: Text = Field(description="Where the duties are from.")
    duties: Annotated[tuple[FrameworkDuty, ...], Field(min_length=1)] = Field(description="Its duties.")


@dataclass(frozen=True)
class Pack:
    """A framework.

    Attributes:
        id: Its id, the name of its file.
        title: Its name.
        version: The text that it follows, by its day.
        source: Where its duties are from.
        duties: Its duties.
    """

    id: str
    title: str
    version: str
    source: str
    duties: tuple[FrameworkDuty, ...]


class State(StrEnum):
    """Axis: what the policies say of a duty, the worst of them."""

    FAILS = "fails"
    EXEMPT = "exempt"
    UNKNOWN = "unknown"
    SERVED = "served"
    NOT_APPLICABLE = "not applicable"
    PEOPLE = "for people"


_STATES = {
    Outcome.FAIL: State.FAILS,
    Outcome.EXEMPT: State.EXEMPT,
    Outcome.UNKNOWN: State.UNKNOWN,
    Outcome.PASS: State.SERVED,
    Outcome.NOT_APPLICABLE: State.NOT_APPLICABLE,
}
"""Outcome of a policy to the state of a duty that it decides, the worst first."""


def packs(
    workspace: Path | None, names: Sequence[str], policies: Iterable[str], *, named_in: Path | None = None
) -> tuple[Pack, ...]:
    """Return frameworks by their ids, of the ones that come with the product and those of a workspace.

    Args:
        workspace: The workspace's folder; None outside of one.
        names: The ids.
        policies: Ids of the policies there are.
        named_in: The environment's file that names them, where there is one.

    Raises:
        PolicyErrors: There is no such framework, or a file of the workspace is malformed.
    """
    known = {file.stem: file for folder in _folders(workspace) for file in sorted(folder.glob("*.yaml"))}
    if odd := [name for name in names if name not in known]:
        place = f"frameworks[{names.index(odd[0])}]"
        if named_in is not None and (read := PolicyFile.read(named_in, nothing="name: NAME")) is not None:
            place = f"{read.file}:{read.line('frameworks', names.index(odd[0]))}: {place}"
        raise PolicyErrors([f"{place}: got {shown(odd[0])}; {choice(odd[0], sorted(known))}"])
    ids = frozenset(policies)
    return tuple(_read(known[name], ids) for name in names)


def _folders(workspace: Path | None) -> Iterator[Path]:
    yield OURS
    if workspace is not None:
        yield workspace / FOLDER


def _read(file: Path, policies: frozenset[str]) -> Pack:
    read = PolicyFile.read(file, nothing="duties: []")
    assert read is not None  # noqa: S101 - it was listed just now
    read.require(read.unlike(_File))
    held = _File.model_validate(read.data)
    read.require(
        Finding(("duties", number, "rules", place), f"got {shown(rule)}, which is no policy", shown(rule), "",
                suggestion(rule, policies))
        for number, duty in enumerate(held.duties)
        for place, rule in enumerate(duty.rules)
        if rule not in policies
    )  # fmt: skip
    read.require(
        Finding(("duties", number), f"got {shown(duty.of)} with neither rules nor people", shown(duty.of), "",
                "name the policies that serve it, or say what people show")
        for number, duty in enumerate(held.duties)
        if not duty.rules and not duty.people
    )  # fmt: skip
    return Pack(file.stem, held.title, held.version.isoformat(), held.source, held.duties)


def state_of(duty: FrameworkDuty, worst: dict[str, Outcome]) -> State:
    """Return what the policies say of a duty.

    Args:
        duty: The duty.
        worst: Policy id to its worst outcome.
    """
    if not duty.rules:
        return State.PEOPLE
    found = {_STATES[worst[rule]] for rule in duty.rules if rule in worst}
    return next((state for state in _STATES.values() if state in found), State.UNKNOWN)


def counted(pack: Pack, worst: dict[str, Outcome]) -> Counter[State]:
    """Return how many duties of a framework are in each state."""
    return Counter(state_of(duty, worst) for duty in pack.duties)


def line(pack: Pack, worst: dict[str, Outcome]) -> str:
    """Return what the policies say of a framework, in one line."""
    counts = counted(pack, worst)
    asked = len(pack.duties) - counts[State.NOT_APPLICABLE]
    said = [f"{counts[State.SERVED]} of {asked} served", f"{counts[State.FAILS]} fail"]
    said += [f"{counts[state]} {state}" for state in (State.EXEMPT, State.UNKNOWN, State.PEOPLE) if counts[state]]
    return f"{pack.title} ({pack.id}@{pack.version}): {', '.join(said)}"
