"""`mlstrata render`: an environment as plain Kubernetes manifests, for whoever deploys with Argo CD or Flux."""

from __future__ import annotations

from pathlib import Path

from mlstrata.cli.console import say, say_json
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.render import manifests


def render(name: str, folder: str, *, as_json: bool, charts: bool = False) -> None:
    """Write an environment's manifests into a folder, and say what is in it."""
    into = Path(folder)
    rendered, secrets = manifests.render(Deployment.open(name), into, charts=charts)
    if as_json:
        document = {"environment": name, "folder": str(into), "objects": rendered.objects, "charts": rendered.charts}
        say_json({**document, "files": sorted(rendered.files), "left_out": list(secrets)})
        return
    apart = f"{rendered.charts} charts and kustomizations in {manifests.CHARTS}"
    say(f" {name}: {rendered.objects} objects in {into} · {apart}")
    for one in secrets:
        say(f" left out: a Secret with data, which has no place in a file: {one}", style="yellow")
    order = f"the order of the folders: {manifests.COMPONENTS}"
    say(f" secrets that must be in the cluster: {manifests.SECRETS}; {order}")
