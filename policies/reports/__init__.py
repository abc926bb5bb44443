"""A report in the forms that people and machines read; each is a pure function of the report."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from policies.evaluate import Report
from policies.reports.places import Places

FORMATS = ("text", "json", "sarif", "junit", "markdown", "codequality")


def render(reports: list[tuple[Report, Places]], form: str) -> str:
    """Return the reports of all checked environments in one form.

    Args:
        reports: Each report with the places of its environment's file.
        form: One of `FORMATS`.
    """
    write: Callable[[list[tuple[Report, Places]]], str] = import_module(f"policies.reports.{form}_").render
    return write(reports)
