"""`mlstrata plan`, `up` and `down`: prints what would be done, and what was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlstrata.cli.console import confirm, out, say, say_json
from mlstrata.cli.progress import WAITING, counts_of, kind_of, resource_as_json, show_step, show_steps
from mlstrata.cli.progress import as_json as step_as_json
from mlstrata.cli.reporter import Terminal
from mlstrata.operations import deploy
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.erasure import left_behind

if TYPE_CHECKING:
    import pulumi_embedded
    from mlstrata.operations.beside.ask import Fit
    from mlstrata.operations.policy_gate import Verdict

PLANNED = {"create": "to create", "update": "to change", "replace": "to replace", "delete": "to delete"}
DONE = {"create": "created", "update": "changed", "replace": "replaced", "delete": "deleted"}


def plan(name: str, *, layer: str = "", as_json: bool) -> None:
    """Show what `up` would do and what drifted; exit 1 on drift, or where the cluster has what is others'."""
    import typer

    deployment = Deployment.open(name, layer)
    found = _planned(deployment, as_json=as_json)
    result = found.result
    if as_json:
        resources = [resource_as_json(one) for one in result.graph]
        say_json(
            {
                **_document(deployment, result),
                "layers": [{"stack": one.stack, "counts": dict(part.counts)} for one, part in found.layers],
                "not_inspected": list(found.not_inspected),
                **({} if found.fit is None else {"cluster": found.fit.document()}),
                "resources": resources,
            }
        )
    else:
        _headline(deployment, "embedded engine")
        for step in result.drift:
            if kind_of(step.type) not in WAITING:
                out().print(" [red]drift[/red]", end="")
                show_step(step)
        _show_layers(found)
        if found.not_inspected:
            say(f" not inspected (created by provider plugins): {', '.join(found.not_inspected)}")
        same = f"{result.counts.get('same', 0)} as they are"
        changes = counts_of(result.counts, PLANNED) or "nothing to do"
        say(f" {changes} · {same} · {len(result.drift)} drifted · {result.seconds:.1f} s")
        if result.drift:
            say(f" `mlstrata up {name}` repairs what drifted")
        if found.fit is not None:
            _show_fit(found.fit)
    if result.drift or (found.fit is not None and found.fit.problems):
        raise typer.Exit(1)


def _show_layers(found: deploy.Planned) -> None:
    """Print the steps, each layer's beneath its name where there are several."""
    for layer, result in found.layers:
        if len(found.layers) > 1:
            what = counts_of(result.counts, PLANNED) or "nothing to do"
            say(f" {layer.layer} · stack {layer.stack} · {what}", style="bold")
        show_steps(result.steps, {})


def _show_fit(fit: Fit) -> None:
    for problem in fit.problems:
        out().print(" [red]refused[/red]", end="")
        say(f" {problem}")
    for one in fit.missing:
        out().print(" [yellow]missing[/yellow]", end="")
        say(f" {one}")
    if fit.unasked:
        say(f" the cluster was not asked whether this fits what it has: {fit.unasked}", style="dim")


def _planned(deployment: Deployment, *, as_json: bool) -> deploy.Planned:
    """Plan; where something protected would go, show the steps before that is refused, as the Pulumi CLI does."""
    import pulumi_embedded

    try:
        return deploy.plan(deployment, Terminal(quiet=as_json))
    except pulumi_embedded.Protected as refused:
        if refused.result is not None and not as_json:
            show_steps(refused.result.steps, {})
        raise


def up(name: str, *, yes: bool, train: bool, layer: str = "", as_json: bool) -> None:
    """Make the environment what its file says, if its policies let it; with `train`, give systems a first version.

    Raises:
        Refused: a policy blocks the plan; nothing was changed.
    """
    from mlstrata.operations.policy_gate import Refused, Verdict

    deployment, reporter = Deployment.open(name, layer), Terminal(quiet=as_json)
    if train:
        deployment.target.here("up --train")

    def agree() -> None:
        confirm(yes, f"Bring {name} up?", as_json)
        if not as_json:
            _headline(deployment, deployment.target.engine(reporter).name)

    try:
        done = deploy.up(deployment, reporter, agree=agree)
    except Refused as refused:
        if as_json:
            say_json({"environment": name, "refused": True, "policies": Verdict.of(refused.report).document})
        raise
    answer = _document(deployment, done.result) | {"policies": done.verdict.document if done.verdict else {}}
    if done.waited is not None:
        answer["waited"] = [one.document() for one in done.waited]
    if not as_json:
        _show_up(done)
        _show_policies(deployment, done.verdict)
    if train:
        from mlstrata.cli.firstrun import first_version

        answer["systems"] = first_version(done.deployment, reporter)
    if as_json:
        say_json(answer)


def down(name: str, *, yes: bool, keep_data: bool, layer: str = "", as_json: bool) -> None:
    """Destroy the environment's resources, then its state; its data too unless they are to be kept."""
    deployment = Deployment.open(name, layer)
    kept = deployment.target.kept(keep_data=keep_data)
    question = f"Take {name} down ({'its data stay' if kept else 'its data go too'})?"
    counts = deploy.down(
        deployment,
        Terminal(quiet=as_json),
        keep_data=keep_data,
        agree=lambda: confirm(yes, question, as_json),
    )
    if as_json:
        say_json({"environment": name, "counts": dict(counts), "kept": bool(kept)})
        return
    what = counts_of(counts, DONE) or "nothing was up"
    say(f" {name}: {what} · {kept or 'nothing left'}")


def _headline(deployment: Deployment, engine: str) -> None:
    kind = deployment.spec.target.kind
    target = "" if kind == deployment.name else f"{kind} · "
    stage = deployment.spec.stage.value
    out().print(f"[bold] mlstrata[/bold]  {deployment.name} · {target}stage {stage} · {engine}")


def _show_up(done: deploy.Deployed) -> None:
    result, deployment = done.result, done.deployment
    show_steps(result.steps, {name: f"ready  {took:.1f} s" for name, took in done.ready_seconds.items()})
    if not result.changes:
        say(f" nothing to do: {result.counts.get('same', 0)} resources are as the file says · {result.seconds:.1f} s")
        return
    where = ""
    if deployment.checkpoint.exists():  # elsewhere where Pulumi's variables or the project name another backend
        where = f" · state {deployment.checkpoint.relative_to(deployment.workspace.root)}"
    say(f" {counts_of(result.counts, DONE)} in {result.seconds:.1f} s{where}")
    for system in left_behind(deployment) if done.waited is None else ():
        say(f" {system} is removed and its data stay: `mlstrata erase {deployment.name} {system}`")


def _show_policies(deployment: Deployment, verdict: Verdict | None) -> None:
    if verdict is not None:
        say(f" policies: {verdict.line} · `mlstrata check {deployment.name}`")


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
