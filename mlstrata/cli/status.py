"""`mlstrata status`: how an environment is at this moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mlstrata.cli.console import out, say, say_json
from mlstrata.clients.mlflow.access import PASSWORD_FILE, USER
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.stack_state import exports, recorded, released, under_way


def status(name: str, *, as_json: bool) -> None:
    """Ask every service at once and say how each is; exit 1 if one is not well."""
    import typer

    deployment = Deployment.open(name)
    if deployment.spec.target.kind != "local":
        from mlstrata.cli.clusterstatus import status as of_cluster

        of_cluster(deployment, as_json=as_json)
        return
    exported = exports(deployment)
    services = _services(deployment, Path(exported["socket"]))
    systems = [_system(deployment, system.name) for system in deployment.spec.systems]
    healthy = bool(services) and all(service["healthy"] for service in services)
    if as_json:
        document = {"environment": name, "stage": deployment.spec.stage.value, "healthy": healthy}
        access = {"mlflow": {"user": USER, "password_file": str(deployment.home / PASSWORD_FILE)}}
        say_json({**document, "services": services, "systems": systems, "urls": exported["urls"], "access": access})
    else:
        out().print(f"[bold] {name}[/bold]  {deployment.spec.target.kind} · stage {deployment.spec.stage.value}")
        for service in services:
            sign = "[green]ok  [/green]" if service["healthy"] else "[red]ill [/red]"
            out().print(f" {sign}", end="")
            say(f" {service['name']:<28} {service['state']:<9} {service['note']}")
        for system in systems:
            version = f"version {system['champion']} answers" if system["champion"] else "no version released yet"
            say(f"      {system['name']:<28} {version}")
        for label, url in exported["urls"].items():
            say(f"      {label:<28} {url}")
        if (moving := under_way(deployment)) is not None:
            say(f"      {'storage':<28} moving ({moving.phase}): `mlstrata migrate {name}` goes on with it")
        say(f"      {'password of mlflow':<28} user {USER}, in {deployment.home / PASSWORD_FILE}")
    if not healthy:
        raise typer.Exit(1)


def ready_seconds(deployment: Deployment) -> dict[str, float]:
    """Return the seconds that each service took from its start to healthy when it was last started."""
    return {
        service: float(seconds)
        for ready in recorded(deployment, "Ready")
        for service, seconds in (ready.outputs.get("took") or {}).items()
    }


def _services(deployment: Deployment, socket: Path) -> list[dict[str, Any]]:
    from mlstrata.components.supervision.client import SupervisorClient
    from mlstrata.components.supervision.common import SupervisionError
    from mlstrata.components.supervision.health import Check

    client = SupervisorClient(socket)

    def look(check: Check) -> dict[str, Any]:
        try:
            info = client.info(check.service)
        except SupervisionError:
            state, pid, seconds, complaint = "stopped", 0, 0, "its supervisor does not answer"
        else:
            state = info.state.lower() if info else "missing"
            pid, seconds = (info.pid, info.seconds) if info else (0, 0)
            complaint = check.complaint() or ""
        return {
            "name": check.service,
            # What answers as it should is well, though its supervisor still counts its first seconds.
            "healthy": state in ("running", "starting") and not complaint,
            "state": state,
            "pid": pid,
            "up_seconds": seconds,
            "url": check.url,
            "note": complaint or f"for {seconds} s",
        }

    checks = [check for ready in recorded(deployment, "Ready") for check in Check.all_of(ready.outputs["checks"])]
    watched = {check.service for check in checks}
    begun = [str(one.outputs.get("name", one.name)) for one in recorded(deployment, "Service")]
    with ThreadPoolExecutor(max(1, len(checks))) as pool:
        return list(pool.map(look, checks)) + [_unfinished(name) for name in begun if name not in watched]


def _unfinished(service: str) -> dict[str, Any]:
    """Return what is known of a service that was started and never became healthy."""
    note = "the last `up` did not get so far; run it again"
    return {
        "name": service,
        "healthy": False,
        "state": "unknown",
        "pid": 0,
        "up_seconds": 0,
        "url": "",
        "note": note,
    }


def _system(deployment: Deployment, system: str) -> dict[str, Any]:
    releases = released(deployment, system)
    return {"name": system, "champion": releases.champion, "loaded": list(releases.loaded)}
