"""`mlstrata check`: prints what the policies say."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from mlstrata.cli.console import say
from mlstrata.cli.reporter import Terminal
from mlstrata.environments.spec.base import choice
from mlstrata.operations import policy_check
from mlstrata.operations.errors import UsageError

_STYLES = {"FAIL": "red", "WARN": "yellow"}


def check(
    names: list[str],
    *,
    as_of: str | None,
    duties_on: str | None = None,
    output: str,
    manifests: str | None,
    registries: Sequence[str] = (),
    settings: str | None = None,
    accept: bool = False,
    live: bool = False,
    layer: str = "",
    full: bool = False,
) -> None:
    """Check environments, or a folder of manifests, and print one report; exit 1 when something would be blocked.

    Args:
        names: The environments.
        as_of: Day (YYYY-MM-DD) that everything is asked about; None: today.
        duties_on: Day that duties alone are asked about; None: `as_of`.
        output: text, json, sarif, junit, markdown, codequality or oscal.
        manifests: A folder of Kubernetes YAML to check in place of environments.
        registries: Registries that images of manifests may come from, beside those that are known.
        settings: A file of what manifests are judged by.
        accept: Write what blocks in manifests as known into the file that the settings name.
        live: Ask the running platform too.
        layer: One layer of environments in a cloud; empty: all of them.
        full: Print every finding as text, not the ten worst of a policy.

    Raises:
        UsageError: a name, day, format or folder is not one, an environment cannot be planned, or the exemptions are
            malformed.
    """
    import typer

    from mlstrata.policies.reports import FORMATS, render

    if output not in FORMATS:
        raise UsageError(f"--format: got '{output}'; {choice(output, FORMATS)}")
    if bool(names) == bool(manifests):
        raise UsageError("name the environments to check, or a folder with --manifests: one of the two")
    day, duties = _day(as_of), _day(duties_on, "--duties-on")
    if manifests and live:
        raise UsageError("--live asks a running environment, and --manifests names none: one of the two")
    if registries and not manifests:
        raise UsageError("--registry is for --manifests; an environment's own registry is its mirror.registry")
    if settings and not manifests:
        raise UsageError("--settings is for --manifests; an environment's own are in policies/")
    if accept and not settings:
        raise UsageError("--accept writes known findings of --manifests; name the file of --settings too")
    if manifests:
        found: tuple[policy_check.Checked, ...] = (
            policy_check.check_manifests(
                Path(manifests),
                as_of=day,
                duties_on=duties,
                registries=registries,
                settings=Path(settings) if settings else None,
                accept=accept,
            ),
        )
    else:
        found = policy_check.check(names, Terminal(), as_of=day, duties_on=duties, live=live, layer=layer)
    text = render([(one.report, one.places) for one in found], output, full=full)
    if output == "text":
        _show(text)
    else:
        sys.stdout.write(text)
    if not all(one.report.passed for one in found):
        raise typer.Exit(1)


def _show(text: str) -> None:
    """Print a report for people: what blocks and what warns stands out on a terminal."""
    for line in text.splitlines():
        say(line, style=_STYLES.get(line[:5].strip()))


def _day(text: str | None, flag: str = "--as-of") -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{flag}: got '{text}'; allowed a day, YYYY-MM-DD, such as 2027-12-02") from None
