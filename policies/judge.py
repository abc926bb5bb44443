"""One judgement for `mlstrata check`, the gate of `up` and Pulumi's policy pack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from mlstrata.environments import Workspace, days
from mlstrata.environments.workspace import WorkspaceError
from mlstrata.policies.core.dates import Calendar
from mlstrata.policies.core.declared import declared
from mlstrata.policies.core.evaluate import Report, evaluate
from mlstrata.policies.core.exemptions import of_workspace
from mlstrata.policies.core.graph import Record
from mlstrata.policies.core.levels import FILE as LEVELS
from mlstrata.policies.core.levels import levelled
from mlstrata.policies.core.live import Live
from mlstrata.policies.core.rule import Rule
from mlstrata.policies.frameworks import packs
from mlstrata.policies.guests import guest_rules
from mlstrata.policies.rules import RULES


def rules_of(workspace: Workspace) -> tuple[Rule, ...]:
    """Return the policies of a workspace: the catalogue and its guests, at the levels that its file asks for.

    Raises:
        PolicyErrors: A guest's file or the file of levels is malformed.
    """
    return levelled((*RULES, *guest_rules(workspace.root / "policies")), workspace.root / LEVELS)


def rules_here() -> tuple[Rule, ...]:
    """Return the policies of the workspace that this process is in; the catalogue outside of one.

    Raises:
        PolicyErrors: As `rules_of`.
    """
    try:
        workspace = Workspace.find()
    except WorkspaceError:
        return RULES
    return rules_of(workspace)


def judge(
    records: Sequence[Record],
    workspace: Workspace,
    stack: str,
    today: date | None = None,
    *,
    rules: Sequence[Rule] | None = None,
    as_of: date | None = None,
    duties_on: date | None = None,
    live: Live | None = None,
) -> Report:
    """Return what the policies say about a program's resources.

    Args:
        records: The resources.
        workspace: Where its exemptions, levels, guests and documents lie.
        stack: The stack, which names an environment that the program does not declare.
        today: The day of the check; None for the day it is in the environment's time zone.
        rules: The policies; None for the workspace's.
        as_of: The day that everything is asked about; None for today.
        duties_on: The day that duties alone are asked about; None for `as_of`.
        live: Facts of the running platform; None where nobody asked it.

    Raises:
        PolicyErrors: Exemptions, levels, a framework or a guest's policy are malformed.
    """
    judged = rules_of(workspace) if rules is None else rules
    environment = replace(declared(records, workspace.root, stack), live=live)
    now = days.today(environment.timezone)
    day = today or now
    # A dossier speaks of an earlier day, too; whether an exemption ends within a year is told by today's.
    exemptions = of_workspace(workspace, frozenset(rule.id for rule in judged), max(day, now))
    calendar = Calendar.on(day, environment.enforcement, as_of, duties_on)
    report = evaluate(records, environment, calendar, rules=judged, exemptions=exemptions)
    ids, file = (rule.id for rule in judged), workspace.environments / f"{environment.name}.yaml"
    return replace(report, frameworks=packs(workspace.root, environment.frameworks, ids, named_in=file))
