"""`mlstrata status`: how an environment is at this moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlstrata.cli.console import duration, out, say, say_json
from mlstrata.operations.deployment import Deployment

if TYPE_CHECKING:
    from mlstrata.operations.releases.kubernetes import ClusterStatus
    from mlstrata.operations.status import LayerStatus, ServiceStatus, Status
    from mlstrata.operations.troubles.look import Ailing


def status(name: str, *, as_json: bool) -> None:
    """Ask everything at once and say how it is; exit 1 if something is not well."""
    import typer

    deployment = Deployment.open(name)
    found = deployment.target.status()
    stage, target = deployment.spec.stage.value, deployment.spec.target
    cluster = getattr(target, "context", "")
    if as_json:
        said = _of_cluster(found, cluster) if cluster else _of_layers(found) if found.layers else _of_machine(found)
        say_json({"environment": name, "stage": stage, "healthy": found.healthy, **said})
    else:
        where = f"{target.kind} · {cluster}" if cluster else target.kind
        out().print(f"[bold] {name}[/bold]  {where} · stage {stage}")
        for service in found.services:
            out().print("[green] ok        [/green]" if service.healthy else "[red] unhealthy [/red]", end="")
            say(f" {service.name:<28} {service.state:<9} {service.complaint or 'for ' + duration(service.up_seconds)}")
        for one in found.systems:
            version = f"version {one.champion} answers" if one.champion else "no version released yet"
            tried = f" · {one.rollout}" if one.rollout else ""
            ended = f"{'retired' if one.retired else 'stopped'} by {one.stopped}" if one.stopped else ""
            say(f"      {one.name:<28} {ended or version + tried}")
        parts: tuple[LayerStatus | ClusterStatus, ...] = (*found.layers, *found.cluster)
        for part in parts:
            _show(part)
        _show_ailing(found.ailing)
        for label, url in found.urls.items():
            say(f"      {label:<28} {url}")
        if found.gpus is not None:
            say(f"      {'GPUs':<28} {found.gpus.in_words}")
        if found.migrating:
            say(f"      {'storage':<28} moving ({found.migrating}): `mlstrata migrate {name}` resumes it")
        if found.password_file is not None:
            say(f"      {'password of mlflow':<28} user {found.user}, in {found.password_file}")
    if not found.healthy:
        raise typer.Exit(1)


def _of_layers(found: Status) -> dict[str, Any]:
    return {"layers": [vars(one) for one in found.layers]}


def _of_machine(found: Status) -> dict[str, Any]:
    access = {"mlflow": {"user": found.user, "password_file": str(found.password_file)}}
    systems = [{**vars(one), "loaded": list(one.loaded)} for one in found.systems]
    services = [_service(one) for one in found.services]
    gpus = {"found": [vars(one) for one in found.gpus.found], "why_none": found.gpus.why_none} if found.gpus else {}
    return {"services": services, "systems": systems, "urls": dict(found.urls), "access": access, "gpus": gpus}


def _service(one: ServiceStatus) -> dict[str, Any]:
    document = vars(one).copy()
    return {**document, "note": document.pop("complaint") or f"for {duration(one.up_seconds)}"}


def _of_cluster(found: Status, context: str) -> dict[str, Any]:
    ails = found.ailing
    told = {"troubles": [one.document() for one in ails.troubles], "unseen": ails.unseen} if ails else {}
    return {"context": context, "systems": [_document(one) for one in found.cluster], **told}


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


def _show_ailing(found: Ailing | None) -> None:
    if found is None:
        return
    for trouble in found.troubles:
        where = f" in {trouble.namespace}" if trouble.namespace else ""
        out().print("[red] trouble   [/red]", end="")
        say(f" {trouble.kind} {trouble.name}{where}: {trouble.what}")
        say(f"      {trouble.fix}")
    if found.unseen:
        say(f"      {found.unseen}", style="dim")


def _show(one: ClusterStatus | LayerStatus) -> None:
    from mlstrata.operations.status import LayerStatus

    if isinstance(one, LayerStatus):
        out().print("[green] recorded  [/green]" if one.resources else "[red] not up    [/red]", end="")
        say(f" {one.name:<28} stack {one.stack} · {one.resources} resources in its state")
        return
    out().print("[red] unhealthy [/red]" if one.differences else "[green] ok        [/green]", end="")
    released = f"version {one.releases.champion}" if one.releases.champion else "no version released yet"
    how = "scores" if one.batch else f"{one.answering} of {one.wanted} pods answer"
    say(f" {one.system:<28} {released} · {how}")
    if one.releases.history:
        last = one.releases.history[-1]
        say(f"      {last.kind} by {last.who}, {last.when:%Y-%m-%d %H:%M} UTC: {last.why}")
    for difference in one.differences:
        say(f"      {difference}")
