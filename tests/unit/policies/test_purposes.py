"""Purposes with their answers in four languages: no wrong tier passes, and nothing harmless is blocked."""

from pathlib import Path

import pytest
import yaml

from mlstrata.policies.core.dates import Enforcement
from mlstrata.policies.core.rule import Outcome
from mlstrata.policies.fixtures.case import passes
from mlstrata.policies.fixtures.compliant_world import LIMITED, compliant
from mlstrata.policies.fixtures.trial import report_on
from mlstrata.policies.fixtures.world import facts
from mlstrata.policies.rules import RULES
from mlstrata.policies.views.purpose import topics_of

TABLE = yaml.safe_load(Path(__file__).with_name("purposes.yaml").read_text(encoding="utf-8"))
UNION = yaml.safe_load(Path(__file__).with_name("purposes_of_the_union.yaml").read_text(encoding="utf-8"))
PURPOSES = [(answer, purpose) for answer, purposes in TABLE.items() for purpose in purposes]
JUDGED = [
    rule
    for rule in RULES
    if rule.id
    in {
        *("aia-tier-consistent", "aia-prohibited-practice", "aia-risk-answered", "aia-classification-doubts"),
        "aia-interaction-disclosure",
    }
]
ASKS = {"practice": "aia-prohibited-practice", "contact": "aia-interaction-disclosure"}
"""Question to the policy that asks for its answer today; aia-risk-answered for the others, by their day."""
NOTHING = {
    "tier": "minimal",
    "role": ["deployer"],
    "practice": "none",
    "annex_iii": "none",
    "annex_i": False,
    "profiling": False,
    "contact": False,
}


def judged(purpose, answers):
    """What the policies on the tier say of a system at minimal risk: blocking, and failing in any way."""

    def edit(world):
        world.resources[LIMITED].inputs.update(purpose=purpose, risk=answers)

    report = report_on(passes("", edit, facts(enforcement=Enforcement.NOW)), JUDGED)
    failed = [one for one in report.results if one.outcome is Outcome.FAIL and one.subject == LIMITED]
    return {one.rule.id for one in failed if one.blocking}, {one.rule.id for one in failed}


def test_the_table_is_large_enough_and_its_world_is_there():
    assert len(PURPOSES) >= 150
    assert LIMITED in compliant().resources


@pytest.mark.parametrize("answer", UNION)
def test_words_of_the_act_are_known_in_every_official_language(answer):
    assert len(UNION[answer]) == 24
    value = answer.partition("=")[2]
    unread = [tongue for tongue, said in UNION[answer].items() if value not in {one.value for one in topics_of(said)}]
    assert unread == []


@pytest.mark.parametrize(("answer", "purpose"), PURPOSES, ids=[purpose for _, purpose in PURPOSES])
def test_a_purpose_with_its_answer(answer, purpose):
    if answer == "harmless":
        blocking, _ = judged(purpose, NOTHING)
        assert blocking == set()
        unanswered = {key: value for key, value in NOTHING.items() if key in {"tier", "role"}}
        asked = {"aia-risk-answered", *ASKS.values()}  # the open questions, whatever the purpose
        assert judged(purpose, unanswered)[0] == asked, "words accuse a neighbour"
        return
    question, _, value = answer.partition("=")
    given = NOTHING | {question: yaml.safe_load(value) if question not in {"annex_iii", "practice"} else value}
    assert "aia-tier-consistent" in judged(purpose, given)[0], "a tier below its answers passed"
    # A false answer is doubted, a missing one blocks and is asked for by the words.
    assert "aia-classification-doubts" in judged(purpose, NOTHING)[1], "a false answer was not doubted"
    if question != "generates":  # the model's task answers it
        missing = {key: one for key, one in NOTHING.items() if key != question}
        asks = {"aia-tier-consistent", ASKS.get(question, "aia-risk-answered")}
        assert asks <= judged(purpose, missing)[0], "the words did not ask for the missing answer"


@pytest.mark.parametrize("purpose", [purpose for _, purpose in PURPOSES[::7]])
def test_words_never_change_what_blocks_a_system_whose_answers_are_given(purpose):
    assert judged(purpose, NOTHING)[0] == judged("Sort parcels by size.", NOTHING)[0] == set()


def test_an_accent_or_a_capital_hides_nothing():
    assert topics_of("EVALUER LA SOLVABILITE DES EMPRUNTEURS POUR UN CREDIT") == topics_of(
        "évaluer la solvabilité des emprunteurs pour un crédit"
    )


@pytest.mark.parametrize(
    ("purpose", "value"),
    [
        ("Valutare l'idoneità dei candidati e filtrare le domande di lavoro.", "4a"),
        ("Bedömning av elevers studieresultat vid universitet.", "3b"),
        ("Ocena zdolności kredytowej osób fizycznych przy udzielaniu pożyczek.", "5b"),
        ("Beoordeling van asielaanvragen door de immigratiedienst.", "7c"),
    ],
)
def test_what_nobody_copied_from_the_act_is_doubted_too(purpose, value):
    assert value in {one.value for one in topics_of(purpose)}
