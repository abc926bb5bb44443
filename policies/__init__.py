"""Policies on the resources of a program, and what a policy of one's own is written with (docs/your-policies.md)."""

from mlstrata.policies.core.dates import Duty
from mlstrata.policies.core.graph import Graph, Resource, System
from mlstrata.policies.core.rule import Context, Domain, Level, Rule, Severity, Verdicts, fails, not_applicable, unknown

__all__ = [
    "Context",
    "Domain",
    "Duty",
    "Graph",
    "Level",
    "Resource",
    "Rule",
    "Severity",
    "System",
    "Verdicts",
    "fails",
    "not_applicable",
    "unknown",
]
