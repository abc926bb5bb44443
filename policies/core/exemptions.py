"""Exemptions: who let a violation pass, why, and until when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlstrata.environments import Workspace
from mlstrata.environments.loading.document import Malformed, Node, parse, place, repetitions, to_data
from mlstrata.environments.loading.errors import SpecError
from mlstrata.environments.loading.translate import Finding, translate
from mlstrata.environments.redaction import path_of, shown
from mlstrata.environments.spec.base import suggestion
from mlstrata.environments.spec.quantities import Day
from mlstrata.environments.spec.text import Text, Word

FILE = "policies/exemptions.yaml"
LONGEST = timedelta(days=366)
NEVER_EXEMPT = frozenset({"aia-prohibited-practice"})


class ExemptionErrors(Exception):
    """The file of exemptions is not one; each message names file, line, entry, value, what is allowed and the fix."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__("\n".join(messages))
        self.messages = messages


class Exemption(BaseModel):
    """One exemption."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    policy: Word = Field(description="Id of the policy.")
    environments: Annotated[tuple[Word, ...], Field(min_length=1)] = Field(description="Environments it holds in.")
    match: Word = Field(description="Pattern (`*`, `?`) of the names of the systems or resources it holds for.")
    reason: Text = Field(description="Why the violation may stand for a while.")
    approver: Word = Field(description="Who decided.")
    ticket: Word = Field(description="Where its end is tracked.")
    expires: Day = Field(description="The last day it holds, at most a year from the day it is checked.")

    def covers(self, policy: str, environment: str, subject: str) -> bool:
        """Return whether it is about this finding, whatever the day."""
        return policy == self.policy and environment in self.environments and fnmatchcase(subject, self.match)

    def __str__(self) -> str:
        return f"until {self.expires} ({self.ticket}, approved by {self.approver}): {self.reason}"


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    exemptions: tuple[Exemption, ...] = Field(description="The list of exemptions; empty where nobody has one.")


def load(
    path: Path, policies: frozenset[str], today: date, environments: frozenset[str] = frozenset()
) -> tuple[Exemption, ...]:
    """Load a file of exemptions; no file means none.

    Args:
        path: A YAML file with the list `exemptions`.
        policies: Ids of the policies there are.
        today: The day of the check.
        environments: Names of the environments there are; a name much like one of them is taken for a mistake.

    Raises:
        ExemptionErrors: something in it is malformed; every mistake is named.
    """
    file = _shown(path)
    try:
        root = parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise ExemptionErrors([f"{file}: cannot be read ({error}); make it a readable UTF-8 file"]) from None
    except Malformed as error:
        fix = "write `exemptions: []`" if error.what == "the file is empty" else error.fix
        raise ExemptionErrors([str(SpecError(file, *error.mark, "", error.what, fix=fix))]) from None
    data = to_data(root)
    told = [str(SpecError(file, *one.mark, path_of(one.path), one.what, fix=one.fix)) for one in repetitions(root)]
    sound = dict(_sound(data))
    found = [one for detail in _malformed(data) for one in translate(detail, _File, data)]
    for index, exemption in sound.items():
        found += _unfit(index, exemption, policies, environments, today)
    if told or found:
        raise ExemptionErrors(told + [_told(file, root, one) for one in found])
    return tuple(sound.values())


def of_workspace(workspace: Workspace, policies: frozenset[str], today: date) -> tuple[Exemption, ...]:
    """Load the exemptions of a workspace: from its own file; none where it has none.

    Raises:
        ExemptionErrors: something in it is malformed.
    """
    own = workspace.root / FILE
    if not own.exists():
        return ()
    return load(own, policies, today, frozenset(file.stem for file in workspace.environments.glob("*.yaml")))


def _malformed(data: object) -> list[Any]:
    """Return what is wrong with the form of a whole file, as pydantic tells it."""
    try:
        _File.model_validate(data)
    except ValidationError as error:
        return error.errors(include_url=False)
    return []


def _sound(data: object) -> Iterator[tuple[int, Exemption]]:
    """Yield the entries that are well formed, whatever the others are."""
    entries = data.get("exemptions") if isinstance(data, dict) else None
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        try:
            yield index, Exemption.model_validate(entry)
        except ValidationError:
            continue


def _unfit(
    index: int, exemption: Exemption, policies: frozenset[str], environments: frozenset[str], today: date
) -> Iterator[Finding]:
    """Yield what is wrong with an exemption that is well formed."""
    at = ("exemptions", index)
    policy, until = shown(exemption.policy), today + LONGEST
    if exemption.policy not in policies:
        fix = suggestion(exemption.policy, policies) or "`mlstrata check ENV --json` lists them"
        yield Finding((*at, "policy"), f"got {policy}, which is no policy", policy, "", fix)
    if exemption.policy in NEVER_EXEMPT:
        problem = f"got {policy}, which nobody can exempt (Art. 5)"
        yield Finding((*at, "policy"), problem, policy, "", "remove the system")
    if exemption.expires > until:
        got = str(exemption.expires)
        yield Finding((*at, "expires"), f"got {got}, over a year away", got, f"up to {until}")
    for number, name in enumerate(exemption.environments):
        if environments and name not in environments and (meant := suggestion(name, environments)):
            problem = f"got {shown(name)}, and there is no such environment"
            yield Finding((*at, "environments", number), problem, shown(name), ", ".join(sorted(environments)), meant)


def _told(file: str, root: Node, found: Finding) -> str:
    """Return what is wrong, with the line it is in."""
    at = place(root, found.path)
    return str(SpecError(file, *at, path_of(found.path), found.problem, found.value, found.allowed, found.fix))


def _shown(path: Path) -> str:
    """Return a file as messages show it: from the working folder, where it is beneath that."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
