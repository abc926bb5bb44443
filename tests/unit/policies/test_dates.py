"""Duties have their days; `--as-of` ages everything, `--duties-on` duties alone."""

import json
from datetime import date, datetime, timedelta

import pytest

from mlstrata.environments import Workspace, days
from mlstrata.policies.core.dates import APPLIES, Calendar, Duty, Enforcement, effective, said
from mlstrata.policies.core.evaluate import evaluate
from mlstrata.policies.core.exemptions import Exemption
from mlstrata.policies.core.facts import Document
from mlstrata.policies.core.graph import Record
from mlstrata.policies.core.rule import Outcome
from mlstrata.policies.fixtures.compliant_world import HIGH_RISK, TODAY, compliant
from mlstrata.policies.fixtures.world import cut, documented, facts
from mlstrata.policies.judge import judge
from mlstrata.policies.rules import RULES

DAY = timedelta(days=1)


def report(*edits, as_of=None, duties_on=None, enforcement=Enforcement.BY_DATE, exemptions=(), today=TODAY):
    world = compliant()
    for edit in edits:
        edit(world)
    calendar = Calendar.on(today, enforcement, as_of, duties_on)
    return evaluate(world.resources.values(), world.environment, calendar, rules=RULES, exemptions=exemptions)


def of(found, policy):
    return [result for result in found.results if result.rule.id == policy]


@pytest.mark.parametrize(("offset", "blocks"), [(-1, False), (0, True), (1, True)])
def test_a_duty_blocks_from_its_day_on(offset, blocks):
    day = APPLIES[Duty.HIGH_RISK] + offset * DAY
    found = report(cut(HIGH_RISK, "documents.fria"), as_of=day)
    (result,) = of(found, "aia-fria-present")
    assert (result.outcome, result.blocking, found.passed) == (Outcome.FAIL, blocks, not blocks)
    assert result.warning is not blocks


@pytest.mark.parametrize(
    ("placed", "day"), [(date(2025, 8, 1), date(2027, 8, 2)), (date(2025, 8, 2), date(2025, 8, 2))]
)
def test_a_general_purpose_model_that_was_placed_before_has_two_years_more(placed, day):
    assert effective(Duty.GENERAL_PURPOSE, placed=placed) == day


def test_enforced_now_blocks_before_the_day():
    found = report(cut(HIGH_RISK, "documents.fria"), enforcement=Enforcement.NOW)
    (result,) = of(found, "aia-fria-present")
    assert result.blocking
    assert result.when == "applies 2027-12-02; enforced now"


def test_products_under_annex_i_alone_have_until_2028():
    assert effective(Duty.HIGH_RISK, annex_i_only=True) == date(2028, 8, 2)

    def product(world):
        del world.resources[HIGH_RISK].inputs["risk"]["annex_iii"]
        world.resources[HIGH_RISK].inputs["risk"]["annex_i"] = True

    edits = (product, cut(HIGH_RISK, "documents.instructions"))
    assert not of(report(*edits, as_of=date(2028, 8, 1)), "aia-ifu-published")[0].blocking
    assert of(report(*edits, as_of=date(2028, 8, 2)), "aia-ifu-published")[0].blocking


def test_advice_never_blocks():
    found = report(cut(HIGH_RISK, "documents.literacy"), enforcement=Enforcement.NOW)
    assert of(found, "aia-literacy-record")[0].warning
    assert found.passed


def test_as_of_ages_everything_and_duties_on_duties_alone():
    stale = documented("docs/risk.md", Document(exists=True, reviewed=TODAY - 100 * DAY))
    later = TODAY + 400 * DAY  # the duties of high risk apply by then
    assert of(report(stale, as_of=later), "aia-risk-register-fresh")[0].outcome is Outcome.FAIL
    alone = report(stale, duties_on=later)
    assert of(alone, "aia-risk-register-fresh")[0].outcome is Outcome.PASS
    for expires, outcome in ((later, Outcome.EXEMPT), (later - DAY, Outcome.FAIL)):
        found = report(cut(HIGH_RISK, "documents.fria"), as_of=later, exemptions=[exemption(expires=expires)])
        assert of(found, "aia-fria-present")[0].outcome is outcome
    kept = report(cut(HIGH_RISK, "documents.fria"), duties_on=later, exemptions=[exemption(expires=TODAY)])
    assert of(kept, "aia-fria-present")[0].outcome is Outcome.EXEMPT
    earlier = report(cut(HIGH_RISK, "documents.fria"), as_of=TODAY - DAY, exemptions=[exemption(expires=TODAY - DAY)])
    assert of(earlier, "aia-fria-present")[0].outcome is Outcome.FAIL, "it has ended by today"


@pytest.mark.parametrize(("left", "warned"), [(0, True), (29, True), (30, False)])
def test_the_end_of_an_exemption_is_told_thirty_days_before(left, warned):
    given = [exemption(expires=TODAY + left * DAY)]
    found = report(cut(HIGH_RISK, "documents.fria"), enforcement=Enforcement.NOW, exemptions=given)
    assert any(f"ends on {TODAY + left * DAY}" in one for one in found.warnings) is warned
    assert found.passed


def test_rules_on_the_whole_environment_wait_for_the_earliest_duty_of_its_systems():
    def product(world):
        world.resources[HIGH_RISK].inputs["risk"] |= {"annex_iii": "none", "annex_i": True}

    short = facts(retention={"predictions": 90.0, "logs": 200.0, "documents": 365.0})
    for policy in ("aia-docs-retention-10y", "aia-log-retention-6m"):
        assert not any(one.blocking for one in of(report(product, short, as_of=date(2028, 8, 1)), policy))
        assert any(one.blocking for one in of(report(product, short, as_of=date(2028, 8, 2)), policy))
        assert any(one.blocking for one in of(report(short, as_of=date(2027, 12, 2)), policy))


@pytest.mark.parametrize(
    ("duty", "fields", "day"),
    [
        (Duty.HIGH_RISK, {"placed": date(2027, 1, 1), "of_an_authority": True}, date(2030, 8, 2)),
        (Duty.HIGH_RISK, {"placed": date(2027, 12, 2), "of_an_authority": True}, date(2027, 12, 2)),
        (Duty.HIGH_RISK, {"placed": date(2027, 1, 1)}, date(2027, 12, 2)),
        (Duty.MARKING, {"placed": date(2026, 8, 1)}, date(2026, 12, 2)),
        (Duty.MARKING, {"placed": date(2026, 8, 2)}, date(2026, 8, 2)),
        (Duty.GENERAL, {"placed": date(2020, 1, 1), "of_an_authority": True}, date(2026, 8, 2)),
    ],
)
def test_what_was_placed_before_its_duty_has_the_grace_that_the_act_gives(duty, fields, day):
    assert effective(duty, **fields) == day


def test_the_day_of_placing_is_read_from_the_declaration():
    def placed(world):
        world.resources[HIGH_RISK].inputs["risk"] |= {"placed": "2027-01-01", "public_body": True}

    gone = cut(HIGH_RISK, "documents.fria")
    assert not of(report(placed, gone, as_of=date(2030, 8, 1)), "aia-fria-present")[0].blocking
    assert of(report(placed, gone, as_of=date(2030, 8, 2)), "aia-fria-present")[0].blocking


@pytest.mark.parametrize(
    ("as_of", "words"),
    [(TODAY, "will block from 2027-12-02"), (date(2027, 12, 2), "applies since 2027-12-02")],
)
def test_a_warning_says_when_it_will_block(as_of, words):
    assert said(date(2027, 12, 2), Calendar.on(TODAY, as_of=as_of)) == words
    assert said(date.min, Calendar.on(TODAY)) == ""


def exemption(**fields):
    given = {
        "policy": "aia-fria-present",
        "environments": ("prod",),
        "match": HIGH_RISK,
        "reason": "it is being written",
        "approver": "cto",
        "ticket": "ML-1",
        "expires": TODAY + DAY,
    }
    return Exemption(**{**given, **fields})


def test_an_exemption_lets_a_violation_pass_until_its_last_day():
    broken = cut(HIGH_RISK, "documents.fria")
    found = report(broken, enforcement=Enforcement.NOW, exemptions=[exemption(expires=TODAY)])
    assert found.passed
    assert of(found, "aia-fria-present")[0].exemption.ticket == "ML-1"
    expired = report(broken, enforcement=Enforcement.NOW, exemptions=[exemption(expires=TODAY - DAY)])
    assert not expired.passed
    assert of(expired, "aia-fria-present")[0].blocking
    assert "expired on 2026-11-20" in expired.errors[0]


def test_an_exemption_that_covers_nothing_is_a_warning_where_it_is_named_and_blocks_nothing():
    found = report(exemptions=[exemption()])
    assert "covers nothing in prod: delete it" in found.warnings[0]
    assert found.passed
    assert not report(exemptions=[exemption(environments=("staging",))]).warnings


def test_an_expired_exemption_fails_also_where_it_covers_nothing():
    found = report(exemptions=[exemption(expires=TODAY - DAY)])
    assert "expired on 2026-11-20" in found.errors[0]
    assert not found.passed
    assert not found.warnings


@pytest.mark.parametrize(
    "fields",
    [{"match": "other-*"}, {"match": ["a", "b"]}, {"environments": ("staging",)}, {"policy": "aia-ifu-published"}],
)
def test_an_exemption_covers_only_what_it_names(fields):
    found = report(cut(HIGH_RISK, "documents.fria"), enforcement=Enforcement.NOW, exemptions=[exemption(**fields)])
    assert of(found, "aia-fria-present")[0].blocking


def test_a_stage_lowers_lifecycle_and_cost_rules_and_no_others():
    from mlstrata.environments import Stage
    from mlstrata.policies.core.rule import Domain, Level

    for rule in RULES:
        levels = {rule.level_at(stage) for stage in (*Stage, None)}
        if rule.domain not in {Domain.LIFECYCLE, Domain.GPU_COST}:
            assert levels == {rule.level}, rule.id
        assert rule.level_at(None) is rule.level
    lowered = {rule.id for rule in RULES if rule.level_at(Stage.PREREQUISITES) is not rule.level}
    assert lowered == {
        "gpu-limits-set",
        "gpu-pool-bounded",
        "gpu-quota-per-namespace",
        "cost-owner-tags",
        "life-promotion-gate",
        "life-rollback-target",
        "life-substantial-change-review",
    }
    assert next(r for r in RULES if r.id == "cost-owner-tags").level_at(Stage.FOUNDATION) is Level.ADVISORY
    assert next(r for r in RULES if r.id == "cost-owner-tags").level_at(Stage.SCALE) is Level.MANDATORY


def test_a_foundation_environment_is_only_advised_on_costs():
    from mlstrata.environments import Stage

    found = report(
        facts(stage=Stage.FOUNDATION), cut("metadata", "tags.mlstrata~io/owner"), enforcement=Enforcement.NOW
    )
    (wrong,) = (result for result in of(found, "cost-owner-tags") if result.outcome is Outcome.FAIL)
    assert not wrong.blocking


@pytest.mark.parametrize(
    ("moment", "zone", "day"),
    [
        ("2027-12-01T22:59:59+00:00", "Europe/Berlin", date(2027, 12, 1)),
        ("2027-12-01T23:00:00+00:00", "Europe/Berlin", date(2027, 12, 2)),
        ("2027-12-01T23:00:00+00:00", "UTC", date(2027, 12, 1)),
        ("2027-12-01T22:00:00+00:00", "Europe/Helsinki", date(2027, 12, 2)),
        ("2027-12-02T04:59:59+00:00", "America/New_York", date(2027, 12, 1)),
    ],
)
def test_duties_and_exemptions_go_by_the_day_of_the_environments_zone(monkeypatch, tmp_path, moment, zone, day):
    """At one moment it is another day elsewhere: what holds until midnight, and from then on, hangs on the zone."""
    world = compliant()
    cut(HIGH_RISK, "documents.fria")(world)
    stated = {
        "name": "prod",
        "target": "aws",
        "region": "eu-central-1",
        "owner": "",
        "enforce": "by_date",
        "retention": {},
        "gpu_pools": {},
        "timezone": zone,
    }
    urn = "urn:pulumi:prod::p::mlstrata:governance:Environment::prod"
    records = [*world.resources.values(), Record(urn, "mlstrata:governance:Environment", "prod", "", stated)]
    (tmp_path / "policies").mkdir()
    (tmp_path / "docs").mkdir()
    entry = {"policy": "aia-ifu-published", "environments": ["prod"], "match": ["*"], "reason": "Being written.",
             "approver": "a", "ticket": "T-1", "expires": "2027-12-01"}  # fmt: skip
    (tmp_path / "policies/exemptions.yaml").write_text(json.dumps({"exemptions": [entry]}))
    monkeypatch.setattr(days, "now", lambda: datetime.fromisoformat(moment))
    found = judge(records, Workspace(tmp_path), "prod")
    begun = day == date(2027, 12, 2)
    assert found.calendar.today == day
    assert of(found, "aia-fria-present")[0].blocking is begun, "a duty begins"
    assert bool(found.errors) is begun, "an exemption ends"
