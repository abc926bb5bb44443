"""What the policies say about an environment's resources, before anything is deployed."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from mlstrata.environments import days
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError

if TYPE_CHECKING:
    import pulumi_embedded
    from mlstrata.operations.reporting import Reporter
    from mlstrata.policies.core.evaluate import Report
    from mlstrata.policies.core.live import Live
    from mlstrata.policies.reports.places import Places


@dataclass(frozen=True)
class Checked:
    """What the policies say of one environment, or of a folder of manifests.

    Attributes:
        report: Every verdict.
        places: Where in a file what they speak of stands.
    """

    report: Report
    places: Places


def check(
    names: Sequence[str],
    reporter: Reporter,
    *,
    as_of: date | None = None,
    duties_on: date | None = None,
    live: bool = False,
    layer: str = "",
) -> tuple[Checked, ...]:
    """Check environments, each planned as new, beside its state.

    Args:
        names: The environments.
        reporter: Told what takes a while.
        as_of: Day that everything is asked about: duties, exemptions, freshness; None: today.
        duties_on: Day that duties alone are asked about; None: `as_of`.
        live: Ask the running platform too.
        layer: One layer of environments in a cloud, as a policy pack sees it; empty: all of them, judged together.

    Raises:
        UsageError: there is no such environment, it cannot be planned, or the exemptions are malformed.
    """
    found = []
    with collecting_seldom():
        for name in dict.fromkeys(names):
            deployment, known = Deployment.open(name, layer), None
            if live:
                from mlstrata.operations.live_facts import gather

                known = gather(deployment, reporter)
            report = report_on(deployment, planned(deployment), as_of=as_of, live=known, duties_on=duties_on)
            found.append(Checked(report, places_of(deployment)))
    return tuple(found)


def places_of(deployment: Deployment) -> Places:
    """Return where in an environment's file what policies speak of stands."""
    from mlstrata.policies.reports.places import Places

    names = tuple(system.name for system in deployment.spec.systems)
    return Places(deployment.loaded.file, deployment.loaded.place, names)


def check_manifests(
    folder: Path,
    *,
    as_of: date | None = None,
    duties_on: date | None = None,
    registries: Sequence[str] = (),
    settings: Path | None = None,
    accept: bool = False,
) -> Checked:
    """Check a folder of Kubernetes YAML, by the policies of the workspace where there is one.

    Args:
        folder: The folder.
        as_of: Day that everything is asked about: duties, exemptions, freshness; None: today.
        duties_on: Day that duties alone are asked about; None: `as_of`.
        registries: Registries of one's own that images may come from, each as far as it is to be trusted.
        settings: File of registries, the standard of pods, exemptions and findings that are known; None without one.
        accept: Write what blocks into the settings' file of known findings first.

    Raises:
        UsageError: it is no folder of manifests, a registry is not one, or the settings, levels or a policy of the
            workspace are malformed.
    """
    from mlstrata.policies.adapters.kubernetes_yaml import ManifestError, read
    from mlstrata.policies.core import known, manifest_settings
    from mlstrata.policies.core.dates import Calendar
    from mlstrata.policies.core.evaluate import evaluate
    from mlstrata.policies.core.facts import Environment
    from mlstrata.policies.core.files import PolicyErrors
    from mlstrata.policies.judge import rules_here
    from mlstrata.policies.reports.places import Places

    name = folder.resolve().name
    calendar = Calendar.on(days.today(), as_of=as_of, duties_on=duties_on)
    try:
        found, rules = read(folder), rules_here()
        held = manifest_settings.ManifestSettings()
        if settings is not None:
            held = manifest_settings.read(settings, name, frozenset(rule.id for rule in rules), calendar.today)
        own = (*held.registries, *map(_registry, registries))
        environment = Environment(name, production=False, target="kubernetes", registries=own, pods=held.pods)
        report = evaluate(found, environment, calendar, rules=rules, exemptions=held.exemptions)
        if accept and held.known is None:
            raise UsageError(f"{settings}: names no file of known findings for --accept; add `known: FILE` to it")
        if held.known is not None:
            if accept:
                known.accept(report, held.known)
            report = known.let_known_pass(report, held.known)
    except (ManifestError, PolicyErrors) as error:
        raise UsageError(str(error)) from None
    return Checked(report, Places(found[0].file))


def _registry(given: str) -> str:
    from mlstrata.policies.core.manifest_settings import REGISTRY, registry

    own = registry(given)
    if own is None:
        raise UsageError(f"--registry: got {given!r}; allowed {REGISTRY}")
    return own


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Look for garbage seldom: a plan keeps nearly all it makes, and searching that again and again is quadratic."""
    before = gc.get_threshold()
    gc.set_threshold(500_000, 20, 1000)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def report_on(
    deployment: Deployment,
    result: pulumi_embedded.Result,
    today: date | None = None,
    *,
    as_of: date | None = None,
    live: Live | None = None,
    duties_on: date | None = None,
) -> Report:
    """Return what the policies say about an engine's plan, and of the running platform where its facts are given.

    Raises:
        UsageError: exemptions, levels or a policy of the workspace are malformed.
    """
    from mlstrata.policies.adapters.embedded_graph import records
    from mlstrata.policies.core.files import PolicyErrors
    from mlstrata.policies.judge import judge

    try:
        found = records(result.graph)
        return judge(found, deployment.workspace, deployment.name, today, as_of=as_of, duties_on=duties_on, live=live)
    except PolicyErrors as error:
        raise UsageError(str(error)) from None


def planned(deployment: Deployment) -> pulumi_embedded.Result:
    """Plan the environment as new, beside its state: neither secrets nor a running platform are needed.

    In a cloud the plan is of all its layers, since what one lays the other stands on.
    """
    return together(tuple(_planned(layer) for layer in deployment.layers))


def together(layers: tuple[pulumi_embedded.Result, ...]) -> pulumi_embedded.Result:
    """Return what was done, or would be, in all layers of an environment; its outputs are the last one's."""
    return replace(
        layers[-1],
        steps=tuple(step for one in layers for step in one.steps),
        drift=tuple(step for one in layers for step in one.drift),
        graph=tuple(resource for one in layers for resource in one.graph),
        diagnostics=tuple(said for one in layers for said in one.diagnostics),
        seconds=sum(one.seconds for one in layers),
    )


def _planned(deployment: Deployment) -> pulumi_embedded.Result:
    import pulumi_embedded

    with tempfile.TemporaryDirectory(prefix="mlstrata-check-") as folder:
        program = pulumi_embedded.Program(
            project=deployment.program.project,
            stack=deployment.stack,
            main=deployment.program.main,
            settings=Path(folder) / f"Pulumi.{deployment.stack}.yaml",
        )
        options = pulumi_embedded.Options(passphrase=pulumi_embedded.Passphrase("no secret is kept"))
        return pulumi_embedded.preview(program, pulumi_embedded.Backend(Path(folder)), options)
