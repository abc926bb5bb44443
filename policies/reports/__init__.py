"""A report in the forms that people and machines read; each is a pure function of the report."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from mlstrata.policies.core.evaluate import Report
from mlstrata.policies.reports.places import Places

FORMATS = ("text", "json", "sarif", "junit", "markdown", "codequality", "oscal")


def render(reports: list[tuple[Report, Places]], form: str, *, full: bool = False) -> str:
    """Return the reports of all checked environments in one form.

    Args:
        reports: Each report with the places of its environment's file.
        form: One of `FORMATS`.
        full: Every finding in text for people too, not ten of a policy.
    """
    if form == "text":
        from mlstrata.policies.reports import text

        return text.render(reports, full=full)
    write: Callable[[list[tuple[Report, Places]]], str] = import_module(f"mlstrata.policies.reports.{form}").render
    return write(reports)
