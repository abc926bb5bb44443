"""Levels and options that Pulumi's configuration of the pack asks for, honoured where that is sound.

A policy may be raised, or set to remediate where it has a remedy. Policies on the AI Act, data and security are never
lowered or disabled here: what may let one of their violations pass is an exemption, which names who and until when.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from mlstrata.policies.core.rule import Domain, Level, Rule

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
