"""`mlstrata dossier`: writes a system's evidence."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mlstrata.cli.console import say, say_json
from mlstrata.cli.reporter import Terminal
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.dossier.gather import dossier as write_dossier
from mlstrata.operations.dossier.questionnaire import questionnaire
from mlstrata.operations.errors import UsageError

if TYPE_CHECKING:
    from mlstrata.operations.dossier.gather import Dossier

EPOCH = "SOURCE_DATE_EPOCH"


def dossier(
    name: str,
    system: str,
    output: str,
    *,
    as_of: str | None,
    since: str | None,
    language: str,
    require_complete: bool,
    as_json: bool,
) -> None:
    """Write the dossier of a system into a folder; exit 1 with `require_complete` where anything is missing.

    Args:
        name: The environment.
        system: The system.
        output: An empty folder, a new one, or an earlier dossier, which is replaced.
        as_of: Day (YYYY-MM-DD) it speaks of; None: `SOURCE_DATE_EPOCH`, else the day of the newest fact.
        since: Folder of an earlier dossier to say the differences from; None: none.
        language: What it speaks: en or de.
        require_complete: Exit 1 where it is not complete.
        as_json: One JSON document on standard output.

    Raises:
        UsageError: environment, system, day or language are none, or the folder holds other files.
    """
    import typer

    deployment, day = Deployment.open(name), _day(as_of)
    if not output:
        raise UsageError("-o: got nothing; name the folder to write to, or ask for the --questions alone")
    earlier = Path(since) if since else None
    folder, reporter = Path(output), Terminal(quiet=as_json)
    done = write_dossier(deployment, system, folder, reporter, as_of=day, since=earlier, language=language)
    if as_json:
        document = {"environment": name, "system": system, "folder": output, "complete": done.complete}
        missing, unreadable = dict(done.missing), list(done.unreadable)
        say_json(
            {
                **document,
                "files": list(done.files),
                "missing": missing,
                "unreadable": unreadable,
                "worst": list(done.worst),
            }
        )
    else:
        _show(done)
    if require_complete and not done.complete:
        raise typer.Exit(1)


def questions(name: str, system: str, *, language: str, as_json: bool) -> None:
    """Write the answer files of a system that are not there yet.

    Args:
        name: The environment.
        system: The system.
        language: What they are asked in: en or de.
        as_json: One JSON document on standard output.

    Raises:
        UsageError: environment, system or language are none, or the files cannot be written.
    """
    done = questionnaire(Deployment.open(name), system, Terminal(quiet=as_json), language)
    if as_json:
        refused = {key: list(why) for key, why in done.refused.items()}
        say_json({"folder": done.folder, "written": list(done.written), "answered": list(done.answered),
                  "refused": refused})  # fmt: skip
        return
    for question, why in done.refused.items():
        say(f" does not count: {done.folder}/{question}.md: {'; '.join(why)}", style="yellow")
    counts = f"{len(done.written)} questions written, {len(done.answered)} answered, {len(done.refused)} do not count"
    say(f" {done.folder} · {counts}")


def _day(text: str | None) -> date | None:
    if text:
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise UsageError(f"--as-of: got '{text}'; allowed a day, YYYY-MM-DD, such as 2027-12-02") from None
    if seconds := os.environ.get(EPOCH):
        try:
            return datetime.fromtimestamp(int(seconds), tz=UTC).date()
        except (ValueError, OverflowError, OSError):
            raise UsageError(f"{EPOCH}: got '{seconds}'; allowed whole seconds since 1970-01-01") from None
    return None


def _show(done: Dossier) -> None:
    for document, sections in done.missing.items():
        say(f" incomplete: {document}", style="yellow")
        for title, needs in sections.items():
            say(f"   {title}: {'; '.join(needs)}")
    for number, fact in enumerate(done.worst, start=1):
        say(f" {number}. {fact}")
    state = "complete" if done.complete else "DRAFT - incomplete"
    say(f" {len(done.files)} files in {done.folder} · {state}")
