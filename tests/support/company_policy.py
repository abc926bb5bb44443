"""A policy of a company's own, as its repository holds it."""

COST_CENTRE = """
from mlstrata.policies import Domain, Rule, fails
from mlstrata.policies.fixtures import LIMITED, cut, passes, violates


def check(system, context):
    if not system.get("cost_centre"):
        yield fails("nobody pays for it", "set cost_centre", "cost_centre")


RULE = Rule(
    id="org-cost-centre",
    title="Every system has a cost centre.",
    holds="somebody pays",
    references=("Finance handbook 4.2",),
    domain=Domain.ORGANISATION,
    system=check,
    cases=(
        passes("one each"),
        violates("none", cut(LIMITED, "cost_centre")),
    ),
)
"""
