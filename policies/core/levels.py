"""Levels that a workspace's file or Pulumi's configuration of the pack asks for, honoured where that is sound.

A policy may be raised, or set to remediate where it has a remedy. Policies on the AI Act, data and security are never
lowered or disabled here: what may let one of their violations pass is an exemption, which names who and until when.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from pydantic import Field

from mlstrata.closed import Closed
from mlstrata.environments.loading.translate import Finding
from mlstrata.environments.redaction import shown
from mlstrata.environments.spec.base import suggestion
from mlstrata.policies.core.files import PolicyFile
from mlstrata.policies.core.rule import Domain, Level, Rule

FILE = "policies/levels.yaml"
NEVER_LOWERED = frozenset({Domain.AI_ACT, Domain.DATA, Domain.SECURITY})


class Asked(StrEnum):
    """Axis: the level that a configuration asks for."""

    ADVISORY = "advisory"
    MANDATORY = "mandatory"
    DISABLED = "disabled"
    REMEDIATE = "remediate"


@dataclass(frozen=True)
class Wish:
    """What a configuration asks of one policy: its level, and the options of its remedies."""

    level: Asked
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Configured:
    """The policies as configured.

    Attributes:
        rules: Those that are judged, at their levels.
        remedying: Id of each policy that mends, to the options of its remedies.
        refused: Ids of the policies that were to be lowered and are not.
    """

    rules: tuple[Rule, ...]
    remedying: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    refused: tuple[str, ...] = ()


def configured(rules: Sequence[Rule], wishes: Mapping[str, Wish]) -> Configured:
    """Return the policies at the levels that were asked for, where they may be.

    A level that a policy has anyway asks for nothing: its stage and its day go on deciding.
    """
    found: list[Rule] = []
    remedying, refused = {}, []
    for rule in rules:
        wish = wishes.get(rule.id)
        if wish is None or wish.level.value == rule.level.value:
            found.append(rule)
        elif wish.level is Asked.REMEDIATE:
            found.append(rule)
            if rule.remedies:
                remedying[rule.id] = wish.options
        elif wish.level is Asked.MANDATORY:
            found.append(replace(rule, level=Level.MANDATORY, lowered_below=None))
        elif rule.domain in NEVER_LOWERED:
            found.append(rule)
            refused.append(rule.id)
        elif wish.level is Asked.ADVISORY:
            found.append(replace(rule, level=Level.ADVISORY))
    return Configured(tuple(found), remedying, tuple(refused))


class _File(Closed):
    levels: dict[str, Level] = Field(description="Id of a policy to its level, from every stage on.")


def levelled(rules: Sequence[Rule], path: Path) -> tuple[Rule, ...]:
    """Return the policies at the levels of a workspace's file, from every stage on; as they are without a file.

    Raises:
        PolicyErrors: It is malformed, names no policy, or lowers one that nobody may lower.
    """
    read = PolicyFile.read(path, nothing="levels: {}")
    if read is None:
        return tuple(rules)
    unlike = read.unlike(_File)
    asked = {} if unlike else _File.model_validate(read.data).levels
    by_id = {rule.id: rule for rule in rules}
    for name, level in asked.items():
        if name not in by_id:
            fix = suggestion(name, by_id) or "`mlstrata check ENV --json` lists them"
            unlike.append(Finding(("levels", name), f"{shown(name)} is no policy", shown(name), "", fix))
        elif level is Level.ADVISORY and by_id[name].domain in NEVER_LOWERED:
            problem = "policies on the AI Act, data and security are never lowered"
            fix = "have a violation exempted in policies/exemptions.yaml, with who and until when"
            unlike.append(Finding(("levels", name), problem, shown(level.value), Level.MANDATORY.value, fix))
    read.require(unlike)
    return tuple(
        rule if rule.id not in asked else replace(rule, level=asked[rule.id], lowered_below=None) for rule in rules
    )
