"""`mlstrata release` and `rollback`: which version of a system answers."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

from cli.console import err, say, say_json
from cli.context import Context
from cli.predict import find_system
from cli.recorded import exports, recorded

if TYPE_CHECKING:
    from services.rollout import Release, RolloutContext


def release(name: str, system: str, *, version: str | None, reason: str, decider: str | None, as_json: bool) -> None:
    """Release a version, the newest by default, and say what it replaced."""
    context = Context.open(name)
    context.require_local("release")
    find_system(context, system)
    done = release_version(context, system, version, reason=reason, decider=decider)
    _show("released", done, as_json=as_json)


def rollback(name: str, system: str, *, reason: str, decider: str | None, as_json: bool) -> None:
    """Put the previous version back and say which."""
    from services.rollout import rollback as go_back

    context = Context.open(name)
    context.require_local("rollback")
    find_system(context, system)
    with err().status("rolling back …"):
        done = go_back(rollout_context(context), system, reason=reason, decider=decider)
    _show("rolled back to", done, as_json=as_json)


def release_version(
    context: Context, system: str, version: str | None, *, reason: str, decider: str | None = None
) -> Release:
    """Release through the rollout service, with its steps shown on a terminal.

    Raises:
        RolloutError: the version does not answer; the one before goes on answering.
    """
    from services.rollout import release as go

    with err().status("releasing …") as status:
        rollout = rollout_context(context, on_step=lambda step: status.update(f"releasing · {step}"))
        return go(rollout, system, version, reason=reason, decider=decider)


def rollout_context(context: Context, on_step: Callable[[str], None] | None = None) -> RolloutContext:
    """Return where the environment's parts are, from what its state records.

    Raises:
        UsageError: the environment is not up.
    """
    from services.rollout import RolloutContext

    urls = exports(context)["urls"]
    serving = {
        port.outputs["owner"].removeprefix("serving-"): f"http://127.0.0.1:{int(port.outputs['ports']['http'])}"
        for port in recorded(context, "Ports")
        if port.outputs["owner"].startswith("serving-")
    }
    return RolloutContext(
        home=context.home,
        tracking_uri=urls["mlflow"],
        serving_urls=serving,
        gateway_url=urls["gateway"],
        decider=getpass.getuser(),
        on_step=on_step or (lambda _step: None),
    )


def _show(verb: str, done: Release, *, as_json: bool) -> None:
    if as_json:
        say_json(asdict(done))
        return
    before = f"before: version {done.previous}" if done.previous else "the first"
    what = f"{verb} version {done.version} ({before})" if done.changed else f"version {done.version} answers already"
    say(f" {done.system}: {what} · {done.seconds:.1f} s")
    for warning in done.warnings:
        say(f"  {warning}")
