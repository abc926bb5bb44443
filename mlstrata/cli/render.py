"""`mlstrata render`: an environment as plain Kubernetes manifests, for whoever deploys with Argo CD or Flux."""

from __future__ import annotations

from pathlib import Path

from mlstrata.cli.console import say, say_json
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError, one_of
from mlstrata.operations.render import argocd, flux, manifests, tools

ROOTS = (argocd.ROOT, flux.ROOT)


def render(
    name: str,
    folder: str,
    *,
    as_json: bool,
    charts: bool = False,
    deploys: str | None = None,
    repo: str | None = None,
    revision: str = "main",
    path: str | None = None,
) -> None:
    """Write an environment's manifests into a folder, and say what is in it.

    Raises:
        UsageError: options that do not go together, or as `tool` and `manifests.render`.
    """
    into = Path(folder)
    if deploys is None and (repo or path):
        raise UsageError("--repo and --path: tell a tool where the folder is; name it with --for argocd or flux")
    tool = None
    if deploys is not None:
        tool = tools.tool(one_of("--for", deploys, tools.Deploys), into, repo=repo, revision=revision, path=path)
    if charts and tool is not None:
        raise UsageError("--charts: does not go with --for, by which the tool installs the charts; leave one out")
    rendered, secrets = manifests.render(Deployment.open(name), into, charts=charts, tool=tool)
    if as_json:
        document = {"environment": name, "folder": str(into), "objects": rendered.objects, "charts": rendered.charts}
        say_json({**document, "files": sorted(rendered.files), "left_out": list(secrets)})
        return
    apart = f"{rendered.charts} charts and kustomizations in {manifests.CHARTS}"
    say(f" {name}: {rendered.objects} objects in {into} · {apart}")
    for one in secrets:
        say(f" left out: a Secret with data, which has no place in a file: {one}", style="yellow")
    if root := next((one for one in ROOTS if one in rendered.files), ""):
        say(f" apply once, after committing the folder: kubectl apply -f {into / root}")
    order = f"the order of the folders: {manifests.COMPONENTS}"
    say(f" secrets that must be in the cluster: {manifests.SECRETS}; {order}")
