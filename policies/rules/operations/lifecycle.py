"""The life of a model: promoted through a gate, with a way back, reviewed when it changes, and ended in time."""

from __future__ import annotations

from datetime import date
from functools import partial

from mlstrata.environments import Capability, Stage
from mlstrata.policies.core.graph import System
from mlstrata.policies.core.live import LiveSystem
from mlstrata.policies.core.rule import Context, Domain, Level, Rule, Severity, Verdicts, fails, live, not_applicable
from mlstrata.policies.core.values import Value, dig
from mlstrata.policies.views.serving import serving


def _gated(system: System, context: Context) -> Verdicts:
    limits = [kpi for kpi in system.all("kpis") if dig(kpi, "at_least") is not None or dig(kpi, "at_most") is not None]
    if not limits:
        yield fails("no metric with a limit gates a release", "declare kpis, each with a limit", "kpis")
        return
    if context.environment.live is None:
        yield live("the registry knows whether each released version passed its gates")
        return
    known = context.environment.live.of(system.name)
    if not known.version:
        yield not_applicable("no version is released")
        return
    train = f"`mlstrata train {context.environment.name} {system.name}`, and release what passes"
    if known.gates is None:
        yield fails(f"version {known.version} answers, and nothing records that it passed any gate", train)
    for gate in known.gates or ():
        if not gate.passed:
            yield fails(f"version {known.version} answers though it did not pass '{gate.name}' ({gate.detail})", train)
    for kpi in limits:
        yield from _within(kpi, known, train)


def _within(kpi: Value, known: LiveSystem, fix: str) -> Verdicts:
    """Judge one figure; what a source measures after the release is for monitoring."""
    metric, least, most = str(dig(kpi, "metric", "")), dig(kpi, "at_least"), dig(kpi, "at_most")
    measured = known.metrics.get(metric)
    if measured is None:
        if not dig(kpi, "source"):
            yield fails(f"version {known.version} answers, and its {metric} was never measured", fix, "kpis")
    elif least is not None and measured < least:
        yield fails(f"version {known.version} answers with {metric} {measured:g}; at least {least:g}", fix, "kpis")
    elif most is not None and measured > most:
        yield fails(f"version {known.version} answers with {metric} {measured:g}; at most {most:g}", fix, "kpis")


def _rollback_target(system: System, context: Context) -> Verdicts:
    if not serving(system):
        yield not_applicable("nothing answers for it")
    elif context.environment.stage is not None and Capability.RELEASE not in context.environment.capabilities:
        yield fails("no release can be rolled back", "switch on the capability release", "/capabilities")
    elif context.environment.live is None:
        yield live("the registry knows whether there is an earlier version to go back to")
    elif (known := context.environment.live.of(system.name)).released <= 1:
        yield not_applicable("its first version has none before it")
    elif not known.rollback_target:
        yield fails(
            f"version {known.version} answers, and none before it can be put back",
            f"release a version that may follow: `mlstrata release {context.environment.name} {system.name}`",
        )


def _ends(system: System, context: Context) -> Verdicts:
    days = {key: system.get(f"retire.{key}") for key in ("review", "date")}
    if not any(days.values()):
        yield fails("no date is set for the decision whether to keep it", "set retire.review", "retire")
    for key, day in days.items():
        if day and date.fromisoformat(str(day)) < context.calendar.today:
            yield fails(f"retire.{key} was {day}, and it is still declared", "decide, and set the next day", "retire")


def _reviewed(system: System, context: Context) -> Verdicts:
    by_itself = Capability.ROLLOUT in context.environment.capabilities or context.environment.stage is None
    moves = system.get("rollout.strategy", "all_at_once") != "all_at_once"
    if by_itself and moves and not system.get("rollout.approve"):
        yield fails(
            "new versions of a high-risk system are released without approval",
            "name the role that approves in rollout.approve",
            "rollout",
        )


_rule = partial(Rule, domain=Domain.LIFECYCLE)

RULES = (
    _rule(
        id="life-promotion-gate",
        title="Only model versions that passed their gates are released.",
        holds="its versions passed their gates",
        references=("AI Act Art. 15", "AI Act Art. 17(1)(d)", "NIST AI RMF MANAGE 1.1"),
        lowered_below=Stage.SCALE,
        severity=Severity.MEDIUM,
        system=_gated,
    ),
    _rule(
        id="life-rollback-target",
        title="Every release can be rolled back.",
        holds="there is a version to roll back to",
        references=("AI Act Art. 20", "AI Act Art. 15(4)"),
        lowered_below=Stage.SCALE,
        severity=Severity.MEDIUM,
        system=_rollback_target,
    ),
    _rule(
        id="life-retirement-date",
        title="Every system has a date for the decision whether to keep it.",
        holds="a date is set, and it is in the future",
        references=("ISO/IEC 42001 A.6.2", "NIST AI RMF GOVERN 1.7"),
        level=Level.ADVISORY,
        severity=Severity.LOW,
        system=_ends,
    ),
    _rule(
        id="life-substantial-change-review",
        title="A person approves each new version of a high-risk system.",
        holds="a person decides on each new version",
        references=("AI Act Art. 3(23)", "AI Act Art. 43(4)", "Annex IV 6"),
        tiers=("high",),
        lowered_below=Stage.SCALE,
        severity=Severity.MEDIUM,
        system=_reviewed,
    ),
)
