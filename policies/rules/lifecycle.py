"""The life of a model: promoted through a gate, with a way back, reviewed when it changes, and ended in time."""

from __future__ import annotations

from datetime import date

from environments import Capability, Stage
from policies.graph import System
from policies.rule import (
    Context,
    Domain,
    Level,
    Rule,
    Severity,
    Verdicts,
    cannot_tell,
    fails,
    live,
    not_applicable,
    passes,
    spares,
    violates,
)
from policies.samples import HIGH_RISK, LIMITED
from policies.serving import serving
from policies.values import UNKNOWN, dig
from policies.world import cut, facts, put, without


def _gated(system: System, context: Context) -> Verdicts:
    if not any(dig(kpi, "at_least") is not None or dig(kpi, "at_most") is not None for kpi in system.all("kpis")):
        yield fails("no figure holds a bad model back from release", "declare kpis, each with a limit", "kpis")
    elif not context.environment.live:
        yield live("the registry knows whether each released version passed its gates")


def _way_back(system: System, context: Context) -> Verdicts:
    if not serving(system):
        yield not_applicable("nothing answers for it")
    elif context.environment.stage is not None and Capability.RELEASE not in context.environment.capabilities:
        yield fails("nothing can take a release back", "switch on the capability release", "/capabilities")
    else:
        yield live("the registry knows whether there is an earlier version to go back to")


def _ends(system: System, context: Context) -> Verdicts:
    days = {key: system.get(f"retire.{key}") for key in ("review", "date")}
    if not any(days.values()):
        yield fails("no day is set on which somebody decides whether it goes on", "set retire.review", "retire")
    for key, day in days.items():
        if day and date.fromisoformat(str(day)) < context.calendar.today:
            yield fails(f"retire.{key} was {day}, and it is still declared", "decide, and set the next day", "retire")


def _reviewed(system: System, context: Context) -> Verdicts:
    by_itself = Capability.ROLLOUT in context.environment.capabilities or context.environment.stage is None
    moves = system.get("rollout.strategy", "all_at_once") != "all_at_once"
    if by_itself and moves and not system.get("rollout.approve"):
        yield fails(
            "new versions of a high-risk system replace the old one with nobody's approval",
            "name the role that approves in rollout.approve",
            "rollout",
        )


RULES = (
    Rule(
        number=57,
        id="life-promotion-gate",
        title="No model is released that has not passed its gates.",
        holds="its versions passed their gates",
        domain=Domain.LIFECYCLE,
        references=("AI Act Art. 15", "AI Act Art. 17(1)(d)", "NIST AI RMF MANAGE 1.1"),
        lowered_below=Stage.SCALE,
        severity=Severity.MEDIUM,
        system=_gated,
        cases=(
            violates("no figures", put(LIMITED, "kpis", [])),
            violates("no limit", cut(LIMITED, "kpis.0.at_least")),
            passes("live facts", facts(live=True)),
            passes("a highest value", facts(live=True), put(LIMITED, "kpis", [{"metric": "loss", "at_most": 1}])),
            spares("no system", without(HIGH_RISK, LIMITED), companions=("*",)),
            cannot_tell("needs --live: the registry"),
            cannot_tell("known later", put(LIMITED, "kpis", UNKNOWN)),
        ),
    ),
    Rule(
        number=58,
        id="life-rollback-target",
        title="Every release can be taken back.",
        holds="there is a version to go back to",
        domain=Domain.LIFECYCLE,
        references=("AI Act Art. 20", "AI Act Art. 15(4)"),
        lowered_below=Stage.SCALE,
        severity=Severity.MEDIUM,
        system=_way_back,
        cases=(
            violates("nothing can", facts(capabilities=frozenset()), companions=("aia-stage-supports-tier",)),
            spares("nothing answers", without("mortgage", "tickets"), companions=("*",)),
            cannot_tell("needs --live: the registry"),
            cannot_tell("needs --live: a program without a stage", facts(stage=None, capabilities=frozenset())),
        ),
    ),
    Rule(
        number=59,
        id="life-retirement-date",
        title="Every system has a day on which somebody decides whether it goes on.",
        holds="a day is set, and it is ahead",
        domain=Domain.LIFECYCLE,
        references=("ISO/IEC 42001 A.6.2", "NIST AI RMF GOVERN 1.7"),
        level=Level.ADVISORY,
        severity=Severity.LOW,
        system=_ends,
        cases=(
            violates("none", put(LIMITED, "retire", {})),
            violates("yesterday", put(LIMITED, "retire.review", "2026-11-20")),
            violates("it should be gone", put(LIMITED, "retire", {"date": "2026-11-20"})),
            passes("today", put(LIMITED, "retire.review", "2026-11-21")),
            passes("an end", put(LIMITED, "retire", {"date": "2027-01-01"})),
            spares("no system", without(HIGH_RISK, LIMITED), companions=("*",)),
            cannot_tell("known later", put(LIMITED, "retire", UNKNOWN)),
        ),
    ),
    Rule(
        number=60,
        id="life-substantial-change-review",
        title="A person approves each new version of a high-risk system.",
        holds="a person decides on each new version",
        domain=Domain.LIFECYCLE,
        references=("AI Act Art. 3(23)", "AI Act Art. 43(4)", "Annex IV 6"),
        tiers=("high",),
        lowered_below=Stage.SCALE,
        severity=Severity.MEDIUM,
        system=_reviewed,
        cases=(
            violates("nobody", cut(HIGH_RISK, "rollout.approve")),
            violates(
                "nobody, in a program without a stage",
                facts(stage=None, capabilities=frozenset()),
                cut(HIGH_RISK, "rollout.approve"),
            ),
            passes("a role"),
            passes("released by hand", put(HIGH_RISK, "rollout", {"strategy": "all_at_once"})),
            passes(
                "nothing rolls out",
                facts(capabilities=frozenset()),
                cut(HIGH_RISK, "rollout.approve"),
                companions=("*",),
            ),
            spares("no high risk", without(HIGH_RISK), companions=("*",)),
            cannot_tell("known later", put(HIGH_RISK, "rollout.approve", UNKNOWN)),
        ),
    ),
)
