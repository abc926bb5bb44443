"""The next decision about a rollout, from its plan and from what its versions did."""

from __future__ import annotations

from mlstrata.environments.spec.rollout import Strategy
from mlstrata.services.rollout import bandit
from mlstrata.services.rollout.disagreement import disagreement
from mlstrata.services.rollout.evidence import Evidence
from mlstrata.services.rollout.judgement import Finding, findings
from mlstrata.services.rollout.plan import Action, Decision, Plan
from mlstrata.services.rollout.sequence import FEWEST

_SURE = 0.99
"""Probability from which a bandit takes one version for the better one."""


def decide(plan: Plan, evidence: Evidence, now: float) -> Decision:
    """Return what happens next.

    A candidate that is worse is taken back as soon as that is certain, whatever the step. A step ends once it has
    lasted and has its sample. The last one ends when, besides, so much was seen that questions are asked, each of them
    is answered with "surely not worse", and a person has approved where the file asks for one.

    Args:
        plan: The rollout.
        evidence: What both versions did since this step began.
        now: Seconds since 1970.
    """
    found = list(findings(plan, evidence))
    if worse := [one for one in found if one.worse]:
        return Decision(Action.ROLL_BACK, f"worse: {_words(worse)}; {_seen(plan, evidence)}")
    lasted, seen = now - plan.since, evidence.candidate.requests
    if lasted < plan.step_time:
        left = f"{plan.step_time - lasted:.0f} s of this step are left"
        return Decision(Action.WAIT, f"{left}; {_seen(plan, evidence)}")
    # Of fewer nothing is asked, and what is not asked has no bad answer.
    least = max(plan.min_sample, FEWEST) if plan.is_last else plan.min_sample
    if seen < least:
        return Decision(Action.WAIT, f"{least - seen} more requests are needed; {_seen(plan, evidence)}")
    if not plan.is_last:
        return Decision(Action.ADVANCE, f"{_words(found)}; {_seen(plan, evidence)}", plan.next_share)
    if plan.strategy is Strategy.BANDIT:
        return _balanced(plan, evidence, found)
    return _last(plan, evidence, found)


def _last(plan: Plan, evidence: Evidence, found: list[Finding]) -> Decision:
    ours, theirs = evidence.candidate.value.count, evidence.champion.value.count
    figures = f"{_words(found)}; {_seen(plan, evidence)}"
    if plan.strategy is Strategy.AB and min(ours, theirs) < FEWEST and not plan.approved_by:
        what = f"truth or reward is known of {ours} and {theirs} answers, {FEWEST} of each are needed"
        return Decision(Action.WAIT, f"{what}; {figures}")
    if unsure := [one for one in found if not one.fine]:
        return Decision(Action.WAIT, f"not yet surely as good: {_words(unsure)}; {_seen(plan, evidence)}")
    if plan.strategy is Strategy.SHADOW and not plan.approved_by:
        said = disagreement(evidence)
        return Decision(Action.NEEDS_APPROVAL, f"nobody was answered by it; {said}; {figures}")
    return _promoted(plan, figures)


def _promoted(plan: Plan, figures: str) -> Decision:
    if plan.approve and not plan.approved_by:
        return Decision(Action.NEEDS_APPROVAL, f"role {plan.approve} approves the promotion; {figures}")
    return Decision(Action.PROMOTE, f"approved by {plan.approved_by}; {figures}" if plan.approved_by else figures)


def _balanced(plan: Plan, evidence: Evidence, found: list[Finding]) -> Decision:
    ours, theirs = evidence.candidate.value, evidence.champion.value
    if min(ours.count, theirs.count) < FEWEST:
        known = f"a reward is known of {ours.count} and {theirs.count} answers, {FEWEST} of each are needed"
        return Decision(Action.WAIT, f"{known}; {_seen(plan, evidence)}")
    probability = bandit.better(ours, theirs)
    figures = f"better with probability {probability:.3f}: {_words(found)}; {_seen(plan, evidence)}"
    if probability >= _SURE:
        return _promoted(plan, figures)
    if probability <= 1 - _SURE:
        return Decision(Action.ROLL_BACK, figures)
    share = bandit.share(probability, plan.exploration)
    if share == plan.share:
        return Decision(Action.WAIT, figures)
    return Decision(Action.ADVANCE, f"{share} % of the traffic; {figures}", share)


def _words(found: list[Finding]) -> str:
    return "; ".join(one.words for one in found) or "nothing to compare yet"


def _seen(plan: Plan, evidence: Evidence) -> str:
    where = "copies" if plan.share == 0 else f"{plan.share} %"
    step = f"step {plan.step + 1} of {len(plan.shares)} ({where})"
    return f"{step}, {evidence.candidate.requests} requests of it and {evidence.champion.requests} of the champion"
