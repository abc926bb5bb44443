"""A framework in the terms of OSCAL: its duties are controls, and what policies can show of one is an objective.

What only people can show is an objective of its own, which no check reviews: so nothing here calls a duty fulfilled.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from mlstrata.policies.core.evaluate import Report, day_of
from mlstrata.policies.core.rule import Rule
from mlstrata.policies.frameworks import FrameworkDuty, Pack, State, line, state_of

CATALOGUE = "mlstrata"
"""Id of the policies themselves as controls: each is one, so that a policy that serves no framework is told too."""
_ODD = re.compile(r"\W+")


@dataclass(frozen=True)
class Control:
    """A duty as a control.

    Attributes:
        id: Its id in the document: the framework's id, then what asks it.
        pack: The framework.
        duty: The duty.
    """

    id: str
    pack: Pack
    duty: FrameworkDuty

    @property
    def objective(self) -> str:
        """Id of the objective that policies can show."""
        return f"{self.id}_policies"

    @property
    def title(self) -> str:
        """What asks it, and what."""
        return f"{self.duty.of}: {self.duty.asks}"


def frameworks_of(report: Report) -> tuple[Pack, ...]:
    """Return the frameworks that a report counts, and the policies themselves as one."""
    rules = {result.rule.id: result.rule for result in report.results}
    return (*report.frameworks, _catalogue(list(rules.values())))


def controls_of(pack: Pack) -> tuple[Control, ...]:
    """Return the controls of a framework, each with an id that no other of it has."""
    seen: Counter[str] = Counter()
    found = []
    for duty in pack.duties:
        id_ = f"{pack.id}_{_ODD.sub('-', duty.of.lower()).strip('-') or 'duty'}"
        seen[id_] += 1
        found.append(Control(f"{id_}-{seen[id_]}" if seen[id_] > 1 else id_, pack, duty))
    return tuple(found)


def definition(control: Control, titles: dict[str, str]) -> dict[str, Any]:
    """Return the objectives of a control: what the policies show, and what only people can.

    Args:
        control: The control.
        titles: Policy id to its title.
    """
    parts = []
    if control.duty.rules:
        shown = "; ".join(f"{titles.get(rule, rule)} ({rule})" for rule in control.duty.rules)
        parts.append(_part(control.objective, f"What policies can show of it: {shown}."))
    if control.duty.people:
        parts.append(_part(f"{control.id}_people", f"What only people can show of it: {control.duty.people}."))
    return {
        "control-id": control.id,
        "description": f"{control.pack.title}, text of {control.pack.version}. {control.title}.",
        "parts": parts,
    }


def reviewed(report: Report, packs: Sequence[Pack]) -> dict[str, Any]:
    """Return which controls a check reviewed: those that policies serve, by framework; those for people it left out."""
    worst = report.worst
    selections, objectives = [], []
    for pack in packs:
        controls = controls_of(pack)
        asked = [one for one in controls if one.duty.rules]
        quiet = [one.duty.of for one in asked if state_of(one.duty, worst) is State.NOT_APPLICABLE]
        selection: dict[str, Any] = {"description": line(pack, worst)}
        for key, some in (("include", asked), ("exclude", [one for one in controls if not one.duty.rules])):
            if some:
                selection[f"{key}-controls"] = [{"control-id": one.id} for one in some]
        if quiet:
            selection["remarks"] = f"Nothing here that these ask of, so they have no finding: {'; '.join(quiet)}."
        selections.append(selection)
        objectives += [{"objective-id": one.objective} for one in asked]
    return {
        "control-selections": selections,
        "control-objective-selections": [
            {"description": "What policies can show; what only people can show was not reviewed.",
             "include-objectives": objectives}
        ],
    }  # fmt: skip


def judged(report: Report, packs: Sequence[Pack]) -> Iterator[tuple[Control, State]]:
    """Yield each control that policies said something of, with what they say."""
    worst = report.worst
    for pack in packs:
        for control in controls_of(pack):
            state = state_of(control.duty, worst)
            if state not in (State.PEOPLE, State.NOT_APPLICABLE):
                yield control, state


def _part(id_: str, prose: str) -> dict[str, Any]:
    return {"id": id_, "name": "assessment-objective", "prose": prose}


def _catalogue(rules: Sequence[Rule]) -> Pack:
    duties = tuple(
        FrameworkDuty(of=rule.id, asks=rule.title, since=day_of(rule) or date.min, rules=(rule.id,)) for rule in rules
    )
    return Pack(CATALOGUE, "Policies", "0.1.0", "", duties)
