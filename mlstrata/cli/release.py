"""`mlstrata release` and `rollback`: which version of a system answers."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mlstrata.cli.batch import declared_job
from mlstrata.cli.comparison import as_document, show_comparison
from mlstrata.cli.console import confirm, err, say, say_json
from mlstrata.cli.predict import find_system
from mlstrata.environments import Stage
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError
from mlstrata.operations.stack_state import address, loopback, recorded, registry_address

if TYPE_CHECKING:
    from mlstrata.operations.releases import Backend, Comparison, LocalBackend, Release


def release(
    name: str,
    system: str,
    *,
    version: str | None,
    reason: str,
    decider: str | None,
    without_gates: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Show a version, the newest by default, beside the champion; release it once that is confirmed."""
    from mlstrata.operations.releases import compare

    deployment = Deployment.open(name)
    declared = find_system(deployment, system)
    steps = Steps()
    with release_backend(deployment, steps) as target:
        with err().status("comparing …"):
            comparison = compare(target, declared, version)
        if not as_json:
            show_comparison(comparison)
        if comparison.champion:
            _require_reason(reason, f"version {comparison.champion} answers already; say why it should be replaced")
        if without_gates:
            _require_reason(reason, "nothing says what the version passed; say why it should answer all the same")
        if comparison.candidate != comparison.champion:
            confirm(yes, _question(comparison), as_json)
        # The version that was shown: a newer one may have been registered while a person thought about it.
        chosen = comparison.candidate
        done = _release(
            deployment,
            target,
            steps,
            system,
            chosen,
            reason=reason.strip(),
            decider=decider,
            without_gates=without_gates,
        )
    _show("released", done, as_json=as_json, comparison=as_document(comparison))


def rollback(name: str, system: str, *, reason: str, decider: str | None, as_json: bool) -> None:
    """Put the previous version back and say which."""
    from mlstrata.operations.releases import rollback as roll_back

    deployment = Deployment.open(name)
    find_system(deployment, system)
    _require_reason(reason, "say why the version that answers should not")
    steps = Steps()
    with err().status("rolling back …") as status, release_backend(deployment, steps, urgent=True) as target:
        steps.tell = lambda step: status.update(f"rolling back · {step}")
        done = roll_back(target, system, reason=reason.strip(), decider=decider)
    _show("rolled back to", done, as_json=as_json)


def release_version(
    deployment: Deployment, system: str, version: str | None, *, reason: str, decider: str | None = None
) -> Release:
    """Release through the rollout service, with its steps shown on a terminal.

    Raises:
        RolloutError: the version does not answer; the one before goes on answering.
    """
    steps = Steps()
    with release_backend(deployment, steps) as target:
        return _release(deployment, target, steps, system, version, reason=reason, decider=decider)


def _release(
    deployment: Deployment,
    target: Backend,
    steps: Steps,
    system: str,
    version: str | None,
    *,
    reason: str,
    decider: str | None,
    without_gates: bool = False,
) -> Release:
    """Release a version.

    Below stage scale a person judges a version's figures; from there on what is declared is a limit for everyone.
    """
    from mlstrata.operations.releases import release as carry_out

    limits = find_system(deployment, system) if Stage.SCALE in deployment.spec.stage.reached else None
    with err().status("releasing …") as status:
        steps.tell = lambda step: status.update(f"releasing · {step}")
        return carry_out(
            target, system, version, reason=reason, decider=decider, limits=limits, without_gates=without_gates
        )


class Steps:
    """Passes on the name of each step of a rollout, to whoever shows it at that moment."""

    tell: Callable[[str], None] | None = None

    def __call__(self, step: str) -> None:
        """Pass on a step."""
        if self.tell:
            self.tell(step)


@contextmanager
def release_backend(
    deployment: Deployment, on_step: Callable[[str], None], *, urgent: bool = False
) -> Iterator[Backend]:
    """Give what releases of the environment are carried out on.

    Args:
        deployment: The environment.
        on_step: Told the name of each step.
        urgent: Go on without a registry that cannot be reached.

    Raises:
        UsageError: the environment is not up, or cannot be reached.
    """
    if deployment.spec.target.kind == "local":
        yield local_backend(deployment, on_step)
        return
    from mlstrata.operations.cluster_access import cluster_context

    with cluster_context(deployment, deciding_user(), on_step, urgent=urgent) as cluster:
        yield cluster


def local_backend(deployment: Deployment, on_step: Callable[[str], None]) -> LocalBackend:
    """Return where the environment's parts are, from what its state records.

    Raises:
        UsageError: the environment is not up.
    """
    from mlstrata.operations.releases import LocalBackend

    addresses = {
        ports.outputs["owner"]: loopback(deployment, ports, "http")
        for ports in recorded(deployment, "Ports")
        if ports.outputs["owner"].startswith("serving-")
    }
    serving, copies = _by_system(addresses)
    return LocalBackend(
        home=deployment.home,
        tracking_uri=registry_address(deployment),
        serving_urls=serving,
        copies=copies,
        gateway_url=address(deployment, "gateway"),
        decider=deciding_user(),
        batch_jobs={
            system.name: declared_job(deployment, system.name)
            for system in deployment.spec.systems
            if system.serving.mode == "batch"
        },
        on_step=on_step,
    )


def _by_system(addresses: Mapping[str, str]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return the address of the first process of each system, and those of the others, from theirs by service."""
    found: dict[str, dict[int, str]] = {}
    for service, url in addresses.items():
        # serving-SYSTEM is the first, serving-NUMBER-SYSTEM another: a system's name begins with a letter.
        number, _, system = service.removeprefix("serving-").partition("-")
        if number.isdecimal():
            found.setdefault(system, {})[int(number)] = url
        else:
            found.setdefault(service.removeprefix("serving-"), {})[1] = url
    first = {system: urls[1] for system, urls in found.items() if 1 in urls}
    return first, {system: [urls[number] for number in sorted(urls)[1:]] for system, urls in found.items()}


def deciding_user() -> str:
    """Return who decides when a call does not say: the one who runs it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user often has no name.
        return f"uid {os.getuid()}"


def _require_reason(reason: str, why: str) -> None:
    if not reason.strip():
        raise UsageError(f'--reason: got nothing; {why}: --reason "…"')


def _question(comparison: Comparison) -> str:
    question = f"Release version {comparison.candidate} of {comparison.system}"
    question += f" in place of {comparison.champion}" if comparison.champion else ""
    doubts = [f"outside of its limits: {', '.join(comparison.objections)}"] if comparison.objections else []
    if comparison.fields:
        doubts.append(f"consumers must send other fields: {', '.join(map(str, comparison.fields))}")
    return question + (f" although {'; '.join(doubts)}?" if doubts else "?")


def _show(verb: str, done: Release, *, as_json: bool, **more: dict[str, Any]) -> None:
    if as_json:
        say_json({**asdict(done), **more})
        return
    before = f"before: version {done.previous}" if done.previous else "the first"
    what = f"{verb} version {done.version} ({before})" if done.changed else f"version {done.version} answers already"
    say(f" {done.system}: {what} · {done.seconds:.1f} s")
    if done.audit:
        say("   audit entry {} · sha256 {}".format(*done.audit.split(":")))
    for warning in done.warnings:
        say(f"  {warning}")
