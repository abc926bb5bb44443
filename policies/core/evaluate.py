"""One pass of all policies over one graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from mlstrata.environments.classification import is_product, point_of
from mlstrata.policies.core.dates import Calendar, Duty, effective, said
from mlstrata.policies.core.exemptions import Exemption
from mlstrata.policies.core.facts import Environment
from mlstrata.policies.core.graph import ITEM, Graph, Record, Resource, System
from mlstrata.policies.core.rule import NEEDS_LIVE, Context, Domain, Level, Outcome, Rule, Verdict, Verdicts
from mlstrata.policies.core.values import SECRET, UnknownValueError
from mlstrata.policies.frameworks import Pack

_WORST = (Outcome.FAIL, Outcome.UNKNOWN, Outcome.EXEMPT, Outcome.PASS, Outcome.NOT_APPLICABLE)
_VARY = frozenset({Duty.HIGH_RISK, Duty.MARKING, Duty.GENERAL_PURPOSE})
"""Duties whose day hangs on the system."""
_SOON = timedelta(days=30)
_ODD = (AttributeError, TypeError, ValueError, KeyError)
ODD_SHAPE = "an input does not have the shape that its kind of resource has"
"""Manifests from elsewhere hold texts where lists belong; such a resource is not understood, and never passes."""
UNREAD = "it has containers, and no policy reads its kind"
_READ_BY_PEOPLE = "look at its pods, and have it exempted; or write it as a kind that policies read"
_SHAPED = "write it as the API of its kind has it"
_UNDETERMINED = {
    Domain.AI_ACT: ", and a duty of the AI Act must be known to be met",
    Domain.SECURITY: ", and what is not understood may run anything",
}


@dataclass(frozen=True)
class Result:
    """What one policy says about one subject.

    Attributes:
        rule: The policy.
        outcome: What it says.
        subject: Name of the system, resource or environment.
        reason: Why.
        fix: What to do about it.
        urn: The resource; empty where it is about the environment.
        at: Path of keys in the environment's file that decides it, a system by its name.
        blocking: It stops a deployment.
        when: Since or from when the duty applies, in words; empty where no date matters.
        exemption: What exempts it.
        file: The manifest it is about.
        line: Where in it the object begins; 0 where that is not known.
        undetermined: It fails because what it asks is not known: a duty of the Act must be, and so must the shape of
            what may run.
    """

    rule: Rule
    outcome: Outcome
    subject: str
    reason: str
    fix: str = ""
    urn: str = ""
    at: tuple[str | int, ...] = ()
    blocking: bool = False
    when: str = ""
    exemption: Exemption | None = None
    file: str = ""
    line: int = 0
    undetermined: bool = False

    @property
    def warning(self) -> bool:
        """Return whether it is a violation that does not stop a deployment."""
        return self.outcome is Outcome.FAIL and not self.blocking


@dataclass(frozen=True)
class Report:
    """What all policies say about one environment.

    Attributes:
        environment: The environment.
        calendar: The days it was checked by.
        results: Every result, in the order of the catalogue.
        resources: How many resources were looked at.
        systems: Names of the declared systems with their tiers.
        not_inspected: Names of charts whose objects were not seen.
        unread: Names of objects with containers, of kinds that no policy knows.
        errors: What is wrong with the exemptions themselves.
        warnings: Exemptions that cover nothing here, each with the lines to delete.
        frameworks: The frameworks that it is counted by.
    """

    environment: Environment
    calendar: Calendar
    results: tuple[Result, ...]
    resources: int
    systems: tuple[tuple[str, str], ...] = ()
    not_inspected: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    frameworks: tuple[Pack, ...] = ()

    @property
    def passed(self) -> bool:
        """Return whether nothing stops a deployment."""
        return not self.errors and not any(result.blocking for result in self.results)

    @property
    def worst(self) -> dict[str, Outcome]:
        """Policy id to its worst outcome over all subjects."""
        found: dict[str, Outcome] = {}
        for result in self.results:
            known = found.get(result.rule.id)
            if known is None or _WORST.index(result.outcome) < _WORST.index(known):
                found[result.rule.id] = result.outcome
        return found

    @property
    def counts(self) -> dict[str, int]:
        """How many policies fail, are not known, exempt, passed and not applicable, by their worst outcome."""
        counted = Counter(self.worst.values())
        return {outcome.value: counted[outcome] for outcome in Outcome if counted[outcome]}


@dataclass
class _Pass:
    context: Context
    exemptions: Sequence[Exemption]
    used: set[int] = field(default_factory=set)


def evaluate(
    records: Iterable[Record],
    environment: Environment,
    calendar: Calendar,
    *,
    rules: Sequence[Rule],
    exemptions: Sequence[Exemption] = (),
) -> Report:
    """Check every rule against every subject of the graph.

    Args:
        records: The resources, as registered.
        environment: What is known of the environment beside them.
        calendar: The days to go by.
        rules: The policies.
        exemptions: Those that may let a violation pass.
    """
    graph = Graph(records)
    state = _Pass(Context(graph, environment, calendar), exemptions)
    results = [_settled(state, result) for rule in rules for result in _results(rule, state.context)]
    return Report(
        environment=environment,
        calendar=calendar,
        results=tuple(results),
        resources=len(graph.resources),
        systems=tuple((one.name, _tier(one)) for one in sorted(graph.systems, key=lambda one: one.index)),
        not_inspected=tuple(chart.name for chart in graph.not_inspected),
        unread=tuple(one.name for one in graph.unread),
        errors=tuple(_expired(state)),
        warnings=tuple(_unused(state, {rule.id for rule in rules})),
    )


def _results(rule: Rule, context: Context) -> Iterator[Result]:
    """Yield what a rule says about each of its subjects; at least one result a rule."""
    if rule.environment is not None:
        yield from _judged(rule, context, rule.environment(context), None)
        return
    if rule.resource is not None:
        resources = context.graph.of(*rule.types)
        for resource in resources:
            yield from _judged(rule, context, rule.resource(resource, context), resource)
        unread = context.graph.unread if rule.of_pods else []
        for resource in unread:
            yield _result(rule, context, resource, Verdict(Outcome.UNKNOWN, UNREAD, _READ_BY_PEOPLE))
        if not resources and not unread:
            yield _result(rule, context, None, Verdict(Outcome.NOT_APPLICABLE, "there is no such resource"))
        return
    assert rule.system is not None  # noqa: S101 - a rule has exactly one check
    declared = sorted(context.graph.systems, key=lambda one: one.index)
    asked = [system for system in declared if not rule.tiers or _tier(system) in rule.tiers]
    for system in asked:
        verdicts = rule.system(system, context)
        untold = bool(rule.tiers) and _tier_is_unknown(system)
        yield from _judged(rule, context, map(_if_asked, verdicts) if untold else verdicts, system)
    if not asked:
        wanted = f" at tier {' or '.join(rule.tiers)}" if rule.tiers else ""
        yield _result(rule, context, None, Verdict(Outcome.NOT_APPLICABLE, f"no AI system{wanted} is declared"))


def _judged(rule: Rule, context: Context, verdicts: Verdicts, subject: System | Resource | None) -> Iterator[Result]:
    """Yield a check's verdicts as results; what it found before an unknown value still counts."""
    found = False
    try:
        for verdict in verdicts:
            found = True
            yield _result(rule, context, subject, verdict)
    except UnknownValueError as error:
        found = True
        yield _result(rule, context, subject, Verdict(Outcome.UNKNOWN, error.reason))
    except _ODD as error:
        found = True
        yield _result(
            rule, context, subject, Verdict(Outcome.UNKNOWN, f"{ODD_SHAPE} ({type(error).__name__})", _SHAPED)
        )
    if not found:
        yield _result(rule, context, subject, Verdict(Outcome.PASS, rule.holds))


def _result(rule: Rule, context: Context, subject: System | Resource | None, verdict: Verdict) -> Result:
    system = subject if isinstance(subject, System) else None
    resource = system.declared if system else subject if isinstance(subject, Resource) else None
    about = verdict.subject
    if isinstance(about, Resource):
        resource, about = about, about.name
    day = _day(rule.duty, context, system)
    mandatory = rule.level_at(context.environment.stage) is Level.MANDATORY
    # A duty of the Act must be shown to be met; what only the running platform knows is enforced there. What is not
    # understood may run anything.
    unknown = verdict.outcome is Outcome.UNKNOWN and mandatory
    odd = unknown and rule.domain is Domain.SECURITY and verdict.reason.startswith((ODD_SHAPE, UNREAD))
    undetermined = odd or (unknown and rule.domain is Domain.AI_ACT and not verdict.reason.startswith(NEEDS_LIVE))
    violation = undetermined or verdict.outcome is Outcome.FAIL
    name = about or (system.name if system else resource.name if resource else context.environment.name)
    return Result(
        rule=rule,
        outcome=Outcome.FAIL if violation else verdict.outcome,
        subject=name,
        reason=verdict.reason + (_UNDETERMINED[rule.domain] if undetermined else ""),
        fix=verdict.fix,
        urn=resource.urn.partition(ITEM)[0] if resource else "",
        at=_place(verdict.at, system),
        blocking=violation and mandatory and context.calendar.blocks(day),
        when=said(day, context.calendar) if violation else "",
        file=resource.record.file if resource else "",
        line=resource.record.line if resource else 0,
        undetermined=undetermined,
    )


def _settled(state: _Pass, result: Result) -> Result:
    """Return the result, or its exempt form where an exemption of today covers it."""
    if result.outcome not in (Outcome.FAIL, Outcome.UNKNOWN) or result.reason.startswith(NEEDS_LIVE):
        return result
    for index, exemption in enumerate(state.exemptions):
        if exemption.covers(result.rule.id, state.context.environment.name, result.subject):
            state.used.add(index)
            if exemption.expires < state.context.calendar.today:
                continue
            return Result(**{**vars(result), "outcome": Outcome.EXEMPT, "blocking": False, "exemption": exemption})
    return result


def _expired(state: _Pass) -> Iterator[str]:
    environment, today = state.context.environment.name, state.context.calendar.today
    for one in state.exemptions:
        if environment in one.environments and one.expires < today:
            yield f"{_named(one)} expired on {one.expires}: mend what it covers, or have it approved anew"


def _unused(state: _Pass, rules: set[str]) -> Iterator[str]:
    """Say what may go, as its system is gone, and what ends within 30 days; neither blocks anything."""
    environment, today = state.context.environment.name, state.context.calendar.today
    for index, one in enumerate(state.exemptions):
        if environment not in one.environments or one.policy not in rules or one.expires < today:
            continue
        if index not in state.used:
            yield f"{_named(one)} covers nothing in {environment}: delete it"
        elif one.expires - today < _SOON:
            yield f"{_named(one)} ends on {one.expires}: mend what it covers, or it blocks from the day after"


def _named(one: Exemption) -> str:
    return f"{one.place}: exemption of {one.policy} for '{', '.join(one.match)}' ({one.ticket})"


def _place(at: str, system: System | None) -> tuple[str | int, ...]:
    keys: list[str | int] = [int(key) if key.isdigit() else key for key in at.strip("/").split(".") if key]
    if at.startswith("/") or system is None:
        return tuple(keys)
    return ("systems", system.name, *keys)


def _tier(system: System) -> str:
    # A tier that is not known is asked what the highest is.
    return "high" if _tier_is_unknown(system) else str(system.get("risk.tier", ""))


def _tier_is_unknown(system: System) -> bool:
    try:
        return system.get("risk.tier") is SECRET
    except UnknownValueError:
        return True


def _if_asked(verdict: Verdict) -> Verdict:
    """Return what is said of a system of which nobody knows yet whether the policy asks anything of it."""
    if verdict.outcome is not Outcome.FAIL:
        return verdict
    return replace(verdict, outcome=Outcome.UNKNOWN, reason=f"'risk.tier' is not known, and {verdict.reason}")


def _day(duty: Duty, context: Context, system: System | None) -> date:
    """Return the day a duty applies from to a system; for the environment, the earliest of those that it applies to."""
    if duty not in _VARY:
        return effective(duty)
    if system is not None:
        return _day_of(duty, system)
    days = [_day_of(duty, one) for one in context.graph.systems if _tier(one) == "high"]
    return min(days, default=effective(duty))


def _day_of(duty: Duty, system: System) -> date:
    try:
        risk = system.get("risk", {})
        return effective(
            duty,
            annex_i_only=is_product(risk) and not point_of(risk),
            placed=date.fromisoformat(risk["placed"]) if risk.get("placed") else None,
            of_an_authority=bool(risk.get("public_body")),
        )
    except (UnknownValueError, *_ODD):
        return effective(duty)


def day_of(rule: Rule) -> date | None:
    """Return the day a rule's duty applies from; None where it is not tied to one."""
    found = effective(rule.duty)
    return None if found == date.min else found
