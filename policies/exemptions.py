"""Exemptions: who let a violation pass, why, and until when."""

from __future__ import annotations

from datetime import date, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from environments import Workspace

FILE = "policies/exemptions.yaml"
LONGEST = timedelta(days=366)
NEVER_EXEMPT = frozenset({"aia-prohibited-practice"})
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class ExemptionErrors(Exception):  # noqa: N818 - it carries several
    """The file of exemptions is not one; each message names the entry, the value and the fix."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__("\n".join(messages))
        self.messages = messages


class Exemption(BaseModel):
    """One exemption."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    policy: Text = Field(description="Id of the policy.")
    environments: Annotated[tuple[Text, ...], Field(min_length=1)] = Field(description="Environments it holds in.")
    match: Text = Field(description="Pattern (`*`, `?`) of the names of the systems or resources it holds for.")
    reason: Text = Field(description="Why the violation may stand for a while.")
    approver: Text = Field(description="Who decided.")
    ticket: Text = Field(description="Where its end is tracked.")
    expires: date = Field(description="The last day it holds, at most a year from the day it is checked.")

    def covers(self, policy: str, environment: str, subject: str) -> bool:
        """Return whether it is about this finding, whatever the day."""
        return policy == self.policy and environment in self.environments and fnmatchcase(subject, self.match)

    def __str__(self) -> str:
        return f"until {self.expires} ({self.ticket}, approved by {self.approver}): {self.reason}"


def load(path: Path, policies: frozenset[str], today: date) -> tuple[Exemption, ...]:
    """Load a file of exemptions; no file means none.

    Args:
        path: A YAML file with the list `exemptions`.
        policies: Ids of the policies there are.
        today: The day of the check.

    Raises:
        ExemptionErrors: something in it is malformed; every mistake is named.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise ExemptionErrors([f"{path}: cannot be read ({error}); make it a readable UTF-8 file"]) from None
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
        raise ExemptionErrors([f"{path}:{line}: not valid YAML; mend the line or the one above"]) from None
    entries = document.get("exemptions") if isinstance(document, dict) and set(document) == {"exemptions"} else None
    if not isinstance(entries, list):
        raise ExemptionErrors([f"{path}: got no list; allowed: `exemptions:` with a list, and nothing beside it"])
    found, messages = [], []
    for index, entry in enumerate(entries):
        exemption, problems = _read(entry, policies, today)
        messages += [f"{path}: exemptions[{index}]{problem}" for problem in problems]
        found += [exemption] if exemption else []
    if messages:
        raise ExemptionErrors(messages)
    return tuple(found)


def of_workspace(workspace: Workspace, policies: frozenset[str], today: date) -> tuple[Exemption, ...]:
    """Load the exemptions of a workspace: its own file, else the one that the code ships.

    Raises:
        ExemptionErrors: something in it is malformed.
    """
    own = workspace.root / FILE
    return load(own if own.exists() else workspace.code / FILE, policies, today)


def _read(entry: Any, policies: frozenset[str], today: date) -> tuple[Exemption | None, list[str]]:  # noqa: ANN401
    try:
        exemption = Exemption.model_validate(entry)
    except ValidationError as error:
        return None, [
            f".{'.'.join(map(str, detail['loc'])) or 'entry'}: {detail['msg'].lower()}; see policies/README.md"
            for detail in error.errors(include_url=False)
        ]
    problems = []
    if exemption.policy not in policies:
        problems.append(
            f".policy: got '{exemption.policy}', which is no policy; `mlstrata check --format json` lists them"
        )
    if exemption.policy in NEVER_EXEMPT:
        problems.append(f".policy: got '{exemption.policy}', which nobody can exempt (Art. 5); remove the system")
    if exemption.expires > today + LONGEST:
        problems.append(f".expires: got {exemption.expires}, over a year away; allowed up to {today + LONGEST}")
    return exemption, problems
