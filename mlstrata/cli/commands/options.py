"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Env = Annotated[str, typer.Argument(metavar="ENV", help="The environment: environments/ENV.yaml.", show_default=False)]
System = Annotated[str, typer.Argument(metavar="SYSTEM", help="A system that the environment declares.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Skip confirmation.")]
Reason = Annotated[str, typer.Option("--reason", help="Reason; recorded with the release and in the audit log.")]
Decider = Annotated[str, typer.Option("--decider", help="Person who decides; recorded likewise. Default: you.")]
Layer = Annotated[
    str,
    typer.Option("--layer", metavar="LAYER", help="Of an environment in a cloud, substrate or platform alone."),
]
