"""`mlstrata plan`, `up` and `down`: what `pulumi preview --refresh`, `up` and `destroy` do, with the same state."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from mlstrata.cli.console import confirm, out, say, say_json
from mlstrata.cli.progress import WAITING, counts_of, kind_of, progress, show_step, show_steps
from mlstrata.cli.progress import as_json as step_as_json
from mlstrata.operations import disk_reserve as reserve
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError
from mlstrata.operations.stack_state import recorded

if TYPE_CHECKING:
    import pulumi_embedded
    from mlstrata.operations.policy_gate import Gate

PLANNED = {"create": "to create", "update": "to change", "replace": "to replace", "delete": "to delete"}
DONE = {"create": "created", "update": "changed", "replace": "replaced", "delete": "deleted"}

LEAST_FREE_BYTES = 64 * 2**20  # logs of a service turn at 10 MB; the registry and one model take some MB


def plan(name: str, *, as_json: bool) -> None:
    """Show what `up` would do and what drifted; exit 1 on drift."""
    import typer

    import pulumi_embedded

    deployment = Deployment.open(name)
    refuse_immutable_changes(deployment)
    with progress("planning") as listen:
        result = pulumi_embedded.preview(
            deployment.program, deployment.backend, deployment.options(refresh=True, on_event=listen)
        )
    if as_json:
        say_json(_document(deployment, result) | {"not_inspected": _not_inspected(deployment, result)})
    else:
        _headline(deployment)
        for step in result.drift:
            if kind_of(step.type) not in WAITING:
                out().print(" [red]drift[/red]", end="")
                show_step(step)
        show_steps(result.steps, {})
        if hidden := _not_inspected(deployment, result):
            say(f" not inspected, as plugins of Pulumi make what is in them: {', '.join(hidden)}")
        same = f"{result.counts.get('same', 0)} as they are"
        changes = counts_of(result.counts, PLANNED) or "nothing to do"
        say(f" {changes} · {same} · {len(result.drift)} drifted · {result.seconds:.1f} s")
        if result.drift:
            say(f" `mlstrata up {name}` repairs what drifted")
    if result.drift:
        raise typer.Exit(1)


def up(name: str, *, yes: bool, train: bool, as_json: bool) -> None:
    """Make the environment what its file says, if its policies let it; with `train`, give systems a first version.

    Raises:
        Refused: a policy blocks the plan; nothing was changed.
    """
    import pulumi_embedded
    from mlstrata.operations.policy_gate import Gate, Refused, leaving_nothing

    deployment = Deployment.open(name)
    deployment.require_local("up")
    refuse_immutable_changes(deployment)
    _refuse_full_disk(deployment)
    confirm(yes, f"Bring {name} up?", as_json)
    if not as_json:
        _headline(deployment)
    gate = Gate(deployment)
    try:
        with leaving_nothing(deployment), progress("starting") as listen:
            refresh = deployment.checkpoint.exists()
            options = deployment.options(create=True, refresh=refresh, on_event=listen, approve=gate.approve)
            result = pulumi_embedded.up(deployment.program, deployment.backend, options)
    except Refused:
        if as_json:
            say_json({"environment": name, "refused": True, "policies": gate.document()})
        raise
    reserve.keep(deployment.home)
    document = _document(deployment, result) | {"policies": gate.document()}
    if not as_json:
        _show_up(deployment, result)
        _show_policies(deployment, gate)
    if train:
        from mlstrata.cli.firstrun import first_version

        document["systems"] = first_version(deployment, quiet=as_json)
    if as_json:
        say_json(document)


def down(name: str, *, yes: bool, keep_data: bool, as_json: bool) -> None:
    """Destroy the environment's resources, then its state; its data too unless they are to be kept."""
    import pulumi_embedded

    deployment = Deployment.open(name)
    deployment.require_local("down")
    counts: dict[str, int] = {}
    if deployment.checkpoint.exists():
        kept = "its data stay" if keep_data else "its data go too"
        confirm(yes, f"Take {name} down ({kept})?", as_json)
        reserve.give_back(deployment.home)
        with progress("stopping") as listen:
            result = pulumi_embedded.destroy(
                deployment.program, deployment.backend, deployment.options(on_event=listen)
            )
        counts = result.counts
    _forget(deployment, keep_data=keep_data)
    if as_json:
        say_json({"environment": name, "counts": counts, "kept": keep_data})
        return
    what = counts_of(counts, DONE) or "nothing was up"
    say(f" {name}: {what}" + (f" · data kept in {deployment.home / 'data'}" if keep_data else " · nothing left"))


def refuse_immutable_changes(deployment: Deployment) -> None:
    """Refuse a file whose fixed fields differ from what is deployed, before anything runs.

    Raises:
        SpecErrors: a field that cannot change in place has changed; each message names the migration.
    """
    deployed = {**next((one.inputs["spec"] for one in recorded(deployment, "Platform")), {})}
    if not deployed:
        return
    from mlstrata.environments.changes import refuse_immutable

    deployed["systems"] = [system.inputs for system in recorded(deployment, "AISystem")]
    refuse_immutable(deployed, deployment.loaded)


def _refuse_full_disk(deployment: Deployment) -> None:
    """Refuse to start on a disk that is all but full, where every service would fail in its own way.

    Raises:
        UsageError: less than LEAST_FREE_BYTES are free.
    """
    free = shutil.disk_usage(deployment.workspace.root).free
    if free < LEAST_FREE_BYTES:
        raise UsageError(
            f"{deployment.workspace.root}: {free / 2**20:.1f} MiB are free on its disk; a local environment needs at "
            f"least {LEAST_FREE_BYTES // 2**20} MiB for its state, registry and logs; free some space, then run again"
        )


def _forget(deployment: Deployment, *, keep_data: bool) -> None:
    """Remove what the engine's destroy leaves: the empty state, its settings file and the environment's folder."""
    stack = deployment.name
    pulumi = deployment.workspace.root / ".pulumi"
    for path in (
        deployment.checkpoint,
        deployment.checkpoint.with_suffix(".json.bak"),
        deployment.checkpoint.with_suffix(".json.attrs"),
        deployment.settings,
    ):
        path.unlink(missing_ok=True)
    for folder in ("history", "backups", "locks/organization"):
        shutil.rmtree(pulumi / folder / deployment.workspace.project / stack, ignore_errors=True)
    if not deployment.home.exists():
        return
    if not keep_data:
        shutil.rmtree(deployment.home)
        return
    for path in deployment.home.iterdir():
        if path.name not in ("data", "logs"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _headline(deployment: Deployment) -> None:
    kind = deployment.spec.target.kind
    target = "" if kind == deployment.name else f"{kind} · "
    out().print(
        f"[bold] mlstrata[/bold]  {deployment.name} · {target}stage {deployment.spec.stage.value} · embedded engine"
    )


def _show_up(deployment: Deployment, result: pulumi_embedded.Result) -> None:
    from mlstrata.cli.status import ready_seconds

    seconds = ready_seconds(deployment)
    show_steps(result.steps, {name: f"ready  {took:.1f} s" for name, took in seconds.items()})
    where = deployment.checkpoint.relative_to(deployment.workspace.root)
    if not result.changes:
        say(f" nothing to do: {result.counts.get('same', 0)} resources are as the file says · {result.seconds:.1f} s")
        return
    say(f" {counts_of(result.counts, DONE)} in {result.seconds:.1f} s · state {where}")


def _show_policies(deployment: Deployment, gate: Gate) -> None:
    from mlstrata.policies.reports.text import summary

    if gate.report is not None:
        say(f" policies: {summary(gate.report)} · `mlstrata check {deployment.name}`")


def _not_inspected(deployment: Deployment, result: pulumi_embedded.Result) -> list[str]:
    """Name the charts and bundles whose objects no plan of ours shows, as `check` does."""
    if deployment.spec.target.kind == "local":
        return []  # known to hold none, and a plan of this machine is to take a moment
    from mlstrata.policies.adapters.embedded_graph import records
    from mlstrata.policies.core.graph import Graph

    return [one.name for one in Graph(records(result.graph)).not_inspected]


def _document(deployment: Deployment, result: pulumi_embedded.Result) -> dict[str, Any]:
    return {
        "environment": deployment.name,
        "target": deployment.spec.target.kind,
        "stage": deployment.spec.stage.value,
        "steps": [step_as_json(step) for step in result.steps if step.op != "same"],
        "counts": dict(result.counts),
        "drift": [step_as_json(step) for step in result.drift],
        "seconds": round(result.seconds, 3),
    }
