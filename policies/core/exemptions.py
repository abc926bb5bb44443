"""Exemptions: who let a violation pass, why, and until when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationError

from mlstrata.closed import Closed
from mlstrata.environments import Workspace
from mlstrata.environments.loading.translate import Finding
from mlstrata.environments.redaction import shown
from mlstrata.environments.spec.base import suggestion
from mlstrata.environments.spec.quantities import Day
from mlstrata.environments.spec.text import Text, Word
from mlstrata.policies.core.files import PolicyFile

FILE = "policies/exemptions.yaml"
LONGEST = timedelta(days=366)
NEVER_EXEMPT = {
    "aia-prohibited-practice": "Art. 5",
    "aia-intimate-csam-safeguards": "Art. 5(1)(ba) and (bb)",
    "aia-tier-consistent": "Art. 5 and 6",
}
"""What nobody can exempt, with the article: practices of Art. 5, and the tier that everything else hangs on."""


class Waiver(Closed):
    """An exemption where there is one environment only, or none."""

    policy: Word = Field(description="Id of the policy.")
    match: Annotated[
        tuple[Word, ...], Field(min_length=1), BeforeValidator(lambda one: [one] if isinstance(one, str) else one)
    ] = Field(description="Names of the systems or resources it holds for, one or several; `*` and `?` are patterns.")
    reason: Text = Field(description="Why the violation may stand for a while.")
    approver: Word = Field(description="Who decided.")
    ticket: Word = Field(description="Where its end is tracked.")
    expires: Day = Field(description="The last day it holds, at most a year from the day it is checked.")


class Exemption(Waiver):
    """One exemption."""

    environments: Annotated[tuple[Word, ...], Field(min_length=1)] = Field(description="Environments it holds in.")
    _place: str = PrivateAttr(default=FILE)

    @property
    def place(self) -> str:
        """The file and line it is written in."""
        return self._place

    def written(self, place: str) -> None:
        """Keep the file and line it is written in."""
        self._place = place

    def covers(self, policy: str, environment: str, subject: str) -> bool:
        """Return whether it is about this finding, whatever the day."""
        if policy != self.policy or environment not in self.environments:
            return False
        return any(fnmatchcase(subject, pattern) for pattern in self.match)

    def __str__(self) -> str:
        return f"until {self.expires} ({self.ticket}, approved by {self.approver}): {self.reason}"


class _File(Closed):
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
        PolicyErrors: Something in it is malformed; every mistake is named.
    """
    read = PolicyFile.read(path, nothing="exemptions: []")
    if read is None:
        return ()
    sound = dict(_sound(read.data))
    odd = [one for index, exemption in sound.items() for one in unfit(index, exemption, policies, environments, today)]
    read.require(read.unlike(_File) + odd)
    for index, exemption in sound.items():
        exemption.written(f"{read.file}:{read.line('exemptions', index)}")
    return tuple(sound.values())


def of_workspace(workspace: Workspace, policies: frozenset[str], today: date) -> tuple[Exemption, ...]:
    """Load the exemptions of a workspace from its own file; none where it has none.

    Raises:
        PolicyErrors: Something in it is malformed.
    """
    environments = frozenset(file.stem for file in workspace.environments.glob("*.yaml"))
    return load(workspace.root / FILE, policies, today, environments)


def _sound(data: Any) -> Iterator[tuple[int, Exemption]]:
    """Yield the entries that are well formed, whatever the others are."""
    entries = data.get("exemptions") if isinstance(data, dict) else None
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        try:
            yield index, Exemption.model_validate(entry)
        except ValidationError:
            continue


def unfit(
    index: int, exemption: Exemption, policies: frozenset[str], environments: frozenset[str], today: date
) -> Iterator[Finding]:
    """Yield what is wrong with an exemption that is well formed."""
    at = ("exemptions", index)
    known = exemption.policy in policies or exemption.policy in NEVER_EXEMPT
    policy = repr(exemption.policy) if known else shown(exemption.policy)
    until = today + LONGEST
    if exemption.policy not in policies:
        fix = suggestion(exemption.policy, policies) or "`mlstrata check ENV --json` lists them"
        yield Finding((*at, "policy"), f"got {policy}, which is no policy", policy, "", fix)
    if exemption.policy in NEVER_EXEMPT:
        problem = f"got {policy}, which nobody can exempt ({NEVER_EXEMPT[exemption.policy]})"
        yield Finding((*at, "policy"), problem, policy, "", "mend what it finds, or remove the system")
    if exemption.expires > until:
        got = str(exemption.expires)
        yield Finding((*at, "expires"), f"got {got}, over a year away", got, f"up to {until}")
    for number, name in enumerate(exemption.environments):
        if environments and name not in environments and (meant := suggestion(name, environments)):
            problem = f"got {shown(name)}, and there is no such environment"
            yield Finding((*at, "environments", number), problem, shown(name), ", ".join(sorted(environments)), meant)
