"""`mlstrata status` of an environment on a cluster: what answers for its systems, and who decided that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlstrata.cli.console import out, say, say_json
from mlstrata.operations.cluster_access import bare, on_cluster
from mlstrata.operations.deployment import Deployment

if TYPE_CHECKING:
    from mlstrata.operations.releases.kubernetes import ClusterStatus


def status(deployment: Deployment, *, as_json: bool) -> None:
    """Ask the cluster for every system that answers requests or scores; exit 1 if one is not well."""
    import typer

    from mlstrata.operations.releases.kubernetes import status as of_system

    target = on_cluster(deployment, "status")
    cluster = bare(deployment)
    found = [of_system(cluster, name) for name in cluster.systems()]
    healthy = all(not one.differences for one in found)
    if as_json:
        document = {"environment": deployment.name, "stage": deployment.spec.stage.value, "healthy": healthy}
        say_json({**document, "context": target.context, "systems": [_document(one) for one in found]})
    else:
        out().print(
            f"[bold] {deployment.name}[/bold]  {target.kind} · {target.context} · stage {deployment.spec.stage.value}"
        )
        for one in found:
            _show(one)
    if not healthy:
        raise typer.Exit(1)


def _document(one: ClusterStatus) -> dict[str, Any]:
    last = one.releases.history[-1] if one.releases.history else None
    return {
        "name": one.system,
        "namespace": one.namespace,
        "healthy": not one.differences,
        "champion": one.releases.champion,
        "state": one.state,
        "pods": None if one.batch else {"answer": one.answering, "wanted": one.wanted},
        "last": last.model_dump(mode="json", by_alias=True) if last else None,
        "differences": list(one.differences),
    }


def _show(one: ClusterStatus) -> None:
    out().print("[red] ill [/red]" if one.differences else "[green] ok  [/green]", end="")
    released = f"version {one.releases.champion}" if one.releases.champion else "no version released yet"
    how = "scores" if one.batch else f"{one.answering} of {one.wanted} pods answer"
    say(f" {one.system:<28} {released} · {how}")
    if one.releases.history:
        last = one.releases.history[-1]
        say(f"      {last.kind} by {last.who}, {last.when:%Y-%m-%d %H:%M} UTC: {last.why}")
    for difference in one.differences:
        say(f"      {difference}")
