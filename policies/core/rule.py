"""What a policy is: a small object; its fixtures lie apart, since no check needs them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from mlstrata.environments import Stage
from mlstrata.policies.adapters.remedy import Remedy
from mlstrata.policies.core.catalogue import CATALOGUE
from mlstrata.policies.core.dates import Calendar, Duty
from mlstrata.policies.core.facts import Environment
from mlstrata.policies.core.graph import PART_LABEL, Graph, Resource, System
from mlstrata.policies.core.values import UnknownValueError

if TYPE_CHECKING:
    from mlstrata.policies.fixtures.case import Case


class Outcome(StrEnum):
    """Axis: what a policy says about one subject."""

    FAIL = "fail"
    UNKNOWN = "unknown"
    EXEMPT = "exempt"
    PASS = "pass"  # noqa: S105 - an outcome
    NOT_APPLICABLE = "not_applicable"


class Level(StrEnum):
    """Axis: whether a failure stops a deployment."""

    MANDATORY = "mandatory"
    ADVISORY = "advisory"


class Severity(StrEnum):
    """Axis: how much harm a violation can do; it orders reports and decides nothing."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Domain(StrEnum):
    """Axis: what a policy is about; only lifecycle and cost rules may be lowered by a stage.

    `organisation` is for a company's own policies.
    """

    AI_ACT = "ai_act"
    DATA = "data"
    SECURITY = "security"
    RELIABILITY = "reliability"
    GPU_COST = "gpu_cost"
    LIFECYCLE = "lifecycle"
    OBSERVABILITY = "observability"
    ORGANISATION = "organisation"


LOWERABLE = frozenset({Domain.GPU_COST, Domain.LIFECYCLE})
NEEDS_LIVE = "needs --live"
HIGH: tuple[str, ...] = ("high",)


@dataclass(frozen=True)
class Context:
    """What a check sees beside its subject."""

    graph: Graph
    environment: Environment
    calendar: Calendar


@dataclass(frozen=True)
class Verdict:
    """What a check found about its subject; a check that finds nothing passes.

    Attributes:
        outcome: Fail, unknown or not applicable.
        reason: What was seen, in a sentence without values that may be secret.
        fix: What to write instead.
        at: Where the environment's file decides it, beneath the system; from the top with a leading `/`.
        subject: The resource it is about, or a name, where that is not the subject itself.
    """

    outcome: Outcome
    reason: str
    fix: str = ""
    at: str = ""
    subject: Resource | str = ""


Verdicts = Iterable[Verdict]


def fails(reason: str, fix: str, at: str = "", subject: Resource | str = "") -> Verdict:
    """Return a violation."""
    return Verdict(Outcome.FAIL, reason, fix, at, subject)


def undeployed(declared: str, does: str, at: str, *, part: str = "", capability: str = "", fix: str = "") -> Verdict:
    """Return the violation of every infrastructure duty: it is declared, and no resource does it.

    Args:
        declared: What asks for it, such as `a kill switch is declared`.
        does: What nothing deployed does, such as `is one`.
        at: Where the environment's file asks for it, as of a `Verdict`.
        part: The part a resource plays that does it, as its label says.
        capability: The capability that brings one.
        fix: What to deploy, where that is more than one resource of that part.
    """
    label = f", labelled {PART_LABEL}: {part}" if part else ""
    brings = f"; the capability `{capability}` brings it" if capability else ""
    return Verdict(
        Outcome.FAIL, f"{declared}, and nothing deployed {does}", f"{fix or 'deploy one'}{label}{brings}", at
    )


def unknown(reason: str, fix: str = "", at: str = "") -> Verdict:
    """Return that it cannot be told."""
    return Verdict(Outcome.UNKNOWN, reason, fix, at)


def live(reason: str) -> Verdict:
    """Return that only the running platform can tell; it never fails a check that runs without it."""
    return Verdict(Outcome.UNKNOWN, f"{NEEDS_LIVE}: {reason}")


def not_applicable(reason: str) -> Verdict:
    """Return that the policy asks nothing of this subject."""
    return Verdict(Outcome.NOT_APPLICABLE, reason)


def one_by_one(subjects: Iterable[Resource], check: Callable[[Resource], Verdicts]) -> Verdicts:
    """Yield what a check says of each resource: what is not known of one keeps nothing from being said of the next."""
    for subject in subjects:
        try:
            yield from check(subject)
        except UnknownValueError as error:
            yield Verdict(Outcome.UNKNOWN, error.reason, subject=subject)


_NUMBERS = {name: number for number, name in enumerate(CATALOGUE, 1)}


@dataclass(frozen=True)
class Rule:
    """A policy. Exactly one of `system`, `resource`, `environment` is its check.

    Attributes:
        id: Its name, a contract: exemptions and reports use it.
        title: What it asks, in a sentence.
        holds: The reason shown where it passes.
        domain: What it is about.
        references: Articles, sections of Annex IV, clauses of ISO/IEC 42001 and NIST AI RMF it serves.
        tiers: Risk tiers whose systems it asks something of; empty for all.
        types: Prefixes of the resource types it looks at, of a resource check.
        duty: The date it waits for.
        level: Whether a failure stops a deployment.
        lowered_below: The stage below which a lifecycle or cost rule only advises.
        severity: How much harm a violation can do.
        system: Check of each declared AI system of its tiers.
        resource: Check of each resource of its types.
        environment: Check of the environment as a whole.
        remedies: How it mends a single resource; empty where a person must.
        of_pods: It judges what pods may do, so an object with containers of a kind that nobody knows fails it.
        cases: Its fixtures, of a policy from elsewhere; those of the catalogue lie in `mlstrata.policies.fixtures`.
    """

    id: str
    title: str
    holds: str
    domain: Domain
    references: tuple[str, ...]
    tiers: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    duty: Duty = Duty.ALWAYS
    level: Level = Level.MANDATORY
    lowered_below: Stage | None = None
    severity: Severity = Severity.HIGH
    system: Callable[[System, Context], Verdicts] | None = None
    resource: Callable[[Resource, Context], Verdicts] | None = None
    environment: Callable[[Context], Verdicts] | None = None
    remedies: tuple[Remedy, ...] = ()
    of_pods: bool = False
    cases: tuple[Case, ...] = ()

    def __post_init__(self) -> None:
        """Hold every rule to its own shape, when it is imported.

        Raises:
            ValueError: the rule contradicts itself.
        """
        if sum(check is not None for check in (self.system, self.resource, self.environment)) != 1:
            raise ValueError(f"{self.id}: exactly one of system, resource, environment must be its check")
        if self.lowered_below is not None and self.domain not in LOWERABLE:
            raise ValueError(f"{self.id}: a stage may lower lifecycle and cost rules only")
        if (self.resource is not None) != bool(self.types):
            raise ValueError(f"{self.id}: a resource check, and no other, names its types")

    @property
    def number(self) -> int | None:
        """Its number in the catalogue; None for a policy from elsewhere."""
        return _NUMBERS.get(self.id)

    @property
    def order(self) -> tuple[bool, int, str]:
        """Its place among others: the catalogue's by number, then those from elsewhere by name."""
        return self.number is None, self.number or 0, self.id

    def level_at(self, stage: Stage | None) -> Level:
        """Return the level of the rule at a stage; programs without a stage get the full one."""
        if self.lowered_below is not None and stage is not None and stage.rank < self.lowered_below.rank:
            return Level.ADVISORY
        return self.level
