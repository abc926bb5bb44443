"""Commands for Kubernetes environments that do not contact the cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlstrata.cli.commands.options import AsJson, Env

app = typer.Typer()
PANEL = "Kubernetes"


@app.command(rich_help_panel=PANEL)
def render(
    env: Env,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="DIR", help="An empty folder, or an earlier render.")
    ],
    charts: Annotated[bool, typer.Option("--charts", help="Render the charts in ENV's mirror too, with helm.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write ENV as plain Kubernetes manifests by component, for Argo CD or Flux. The cluster is not touched."""
    from mlstrata.cli.render import render as run

    run(env, output, charts=charts, as_json=as_json)


@app.command(rich_help_panel=PANEL)
def images(
    env: Env,
    as_json: AsJson = False,
    copy_to: Annotated[
        Path | None,
        typer.Option("--copy-to", help="Copy it to a mirror: manifests to this folder, images to the registry."),
    ] = None,
    registry: Annotated[
        str | None, typer.Option("--registry", help="The registry to copy to; the one of `mirror:` by default.")
    ] = None,
    resolve: Annotated[
        bool, typer.Option("--resolve", help="Resolve each image's digest at its registry and write the lock.")
    ] = False,
) -> None:
    """List ENV's upstream software: versions, licences, images, for an air-gapped site. Changes nothing."""
    from mlstrata.cli.images import images as run

    run(env, as_json=as_json, copy_to=copy_to, registry=registry, resolve=resolve)
