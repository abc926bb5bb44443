"""`mlstrata check`: what the policies say about an environment's resources, before anything is deployed."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError

if TYPE_CHECKING:
    import pulumi_embedded
    from mlstrata.policies.core.evaluate import Report
    from mlstrata.policies.core.live import Live
    from mlstrata.policies.reports.places import Places


def check(names: list[str], *, as_of: str | None, output: str, manifests: str | None, live: bool = False) -> None:
    """Check environments, or a folder of manifests, and print one report; exit 1 when something would be blocked.

    Args:
        names: The environments.
        as_of: Day (YYYY-MM-DD) that duties are asked about; None: today.
        output: text, json, sarif, junit, markdown or codequality.
        manifests: A folder of Kubernetes YAML to check in place of environments.
        live: Ask the running platform too.

    Raises:
        UsageError: a name, day, format or folder is not one, an environment cannot be planned, or the exemptions are
            malformed.
    """
    import typer

    from mlstrata.policies.reports import FORMATS, render

    if output not in FORMATS:
        raise UsageError(f"--format: got '{output}'; allowed {', '.join(FORMATS)}")
    if bool(names) == bool(manifests):
        raise UsageError("name the environments to check, or a folder with --manifests: one of the two")
    today = datetime.now(tz=UTC).date()
    day = _day(as_of)
    if manifests and live:
        raise UsageError("--live asks a running environment, and --manifests names none: one of the two")
    with _collecting_seldom():
        if manifests:
            reports = [_manifests(Path(manifests), today, day)]
        else:
            reports = [_environment(name, today, day, live=live) for name in dict.fromkeys(names)]
    sys.stdout.write(render(reports, output))
    if not all(report.passed for report, _ in reports):
        raise typer.Exit(1)


@contextmanager
def _collecting_seldom() -> Iterator[None]:
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
    today: date,
    as_of: date | None = None,
    live: Live | None = None,
) -> Report:
    """Return what the policies say about an engine's plan, and of the running platform where its facts are given.

    Raises:
        UsageError: exemptions, levels or a policy of the workspace are malformed.
    """
    from mlstrata.policies.adapters.embedded_graph import records
    from mlstrata.policies.core.files import PolicyErrors
    from mlstrata.policies.judge import judge

    try:
        return judge(records(result.graph), deployment.workspace, deployment.name, today, as_of=as_of, live=live)
    except PolicyErrors as error:
        raise UsageError(str(error)) from None


def _environment(name: str, today: date, as_of: date | None, *, live: bool) -> tuple[Report, Places]:
    from mlstrata.policies.reports.places import Places

    deployment = Deployment.open(name)
    known = None
    if live:
        from mlstrata.operations.live_facts import gather

        known = gather(deployment)
    report = report_on(deployment, planned(deployment), today, as_of, known)
    return report, Places(deployment.loaded.file, deployment.loaded.place)


def _manifests(folder: Path, today: date, as_of: date | None) -> tuple[Report, Places]:
    from mlstrata.policies.adapters.kubernetes_yaml import ManifestError, read
    from mlstrata.policies.core.dates import Calendar
    from mlstrata.policies.core.evaluate import evaluate
    from mlstrata.policies.core.facts import Environment
    from mlstrata.policies.reports.places import Places
    from mlstrata.policies.rules import RULES

    try:
        found = read(folder)
    except ManifestError as error:
        raise UsageError(str(error)) from None
    environment = Environment(name=folder.resolve().name, target="kubernetes")
    return evaluate(found, environment, Calendar.on(today, as_of=as_of), rules=RULES), Places()


def planned(deployment: Deployment) -> pulumi_embedded.Result:
    """Plan the environment as new, beside its state: neither secrets nor a running platform are needed."""
    import tempfile

    import pulumi_embedded

    with tempfile.TemporaryDirectory(prefix="mlstrata-check-") as folder:
        program = pulumi_embedded.Program(
            project=deployment.program.project,
            stack=deployment.name,
            main=deployment.program.main,
            settings=Path(folder) / f"Pulumi.{deployment.name}.yaml",
        )
        options = pulumi_embedded.Options(passphrase=pulumi_embedded.Passphrase("no secret is kept"))
        return pulumi_embedded.preview(program, pulumi_embedded.Backend(Path(folder)), options)


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--as-of: got '{text}'; allowed a day, YYYY-MM-DD, such as 2027-12-02") from None
