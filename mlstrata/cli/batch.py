"""`mlstrata score`: a file or table scored as a job, with the model and checks of a system's API."""

from __future__ import annotations

from pathlib import Path

from mlstrata.cli.console import say, say_json
from mlstrata.cli.reporter import Terminal
from mlstrata.operations import scoring
from mlstrata.operations.deployment import Deployment

_SHOWN_REASONS = 5


def score(
    name: str,
    system: str,
    *,
    given: str | None,
    output: str | None,
    version: str | None,
    key: str | None,
    as_json: bool,
) -> None:
    """Score every row once; go on where a run that was cut off stopped."""
    answer = scoring.score(
        Deployment.open(name),
        system,
        Terminal(quiet=as_json),
        given=given,
        output=Path(output).absolute() if output else None,
        version=version,
        key=key,
    )
    if as_json:
        say_json(answer)
        return
    manifest = answer["manifest"]
    say(f" {system}: {manifest['scored']} of {manifest['rows']} rows scored by version {manifest['version']}")
    for reason, count in list(manifest["reasons"].items())[:_SHOWN_REASONS]:
        say(f"   {count} refused: {reason}; the output says why for each", style="yellow")
    say(f"   {answer['output']} · sha256 {manifest['output_sha256'][:12]}")
