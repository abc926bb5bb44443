"""A policy of our own: somebody pays for every system. Its fixtures are tried each time it is loaded."""

from mlstrata.policies import Context, Domain, Rule, System, Verdicts, fails
from mlstrata.policies.fixtures import LIMITED, cut, passes, violates


def check(system: System, _context: Context) -> Verdicts:
    """Yield a violation where a system names no cost centre."""
    if not system.get("cost_centre"):
        yield fails("nobody pays for it", "name a cost_centre", "cost_centre")


RULE = Rule(
    id="org-cost-centre",
    title="Every system has a cost centre.",
    holds="somebody pays for it",
    references=("our handbook of finance, 4.2",),
    domain=Domain.ORGANISATION,
    system=check,
    cases=(
        passes("each has one"),
        violates("a system has none", cut(LIMITED, "cost_centre")),
    ),
)
