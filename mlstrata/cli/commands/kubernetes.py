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
    deploys: Annotated[
        str | None,
        typer.Option("--for", metavar="argocd|flux", help="Write what Argo CD or Flux deploys the folder by, too."),
    ] = None,
    repo: Annotated[
        str | None,
        typer.Option("--repo", help="Git repository with the folder; Flux takes the one of its bootstrap by default."),
    ] = None,
    revision: Annotated[str, typer.Option("--revision", help="Its branch.")] = "main",
    path: Annotated[
        str | None,
        typer.Option("--path", help="The folder in it; by default as DIR is in the git repository that it is in."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write ENV as Kubernetes manifests by component. The cluster is not touched.

    Plain: each folder, and all of them, is a kustomization; components.yaml has the order, charts.yaml the charts.

    --for argocd: an Application for each component and chart, in sync waves, and one of them all, argocd.yaml.

    --for flux: a Kustomization for each, by what it depends on, a HelmRelease for each chart, and all in flux.yaml.

    mlstrata render dev -o clusters/dev --for argocd --repo https://git.example.com/ml/environments.git
    """
    from mlstrata.cli.render import render as run

    run(env, output, charts=charts, deploys=deploys, repo=repo, revision=revision, path=path, as_json=as_json)


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


@app.command(rich_help_panel=PANEL)
def secrets(
    env: Env,
    as_script: Annotated[
        bool, typer.Option("--script", help="Print a shell script that makes what is missing, by kubectl.")
    ] = False,
    keeper: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="external-secrets|sealed-secrets",
            help="Print ExternalSecrets, or a script that prints SealedSecrets.",
        ),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option("--store", help="With --for external-secrets: the ClusterSecretStore. Default: mlstrata."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the secrets that ENV expects: where, which keys, what for, who makes them. Holds no value.

    --script: generates passwords, asks for the rest without echo, and leaves what is there as it is.

    --for external-secrets: objects that take each from ENV/NAME of a store.

    --for sealed-secrets: the same script, sealed by kubeseal: sh secrets.sh > sealed.yaml, which may be committed.

    mlstrata secrets dev --script > secrets.sh && sh secrets.sh
    """
    from mlstrata.cli.secrets import secrets as run

    run(env, as_json=as_json, as_script=as_script, keeper=keeper, store=store)
