"""Where an environment runs, as operations ask it: one adapter a kind of target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    import pulumi_embedded
    from mlstrata.clients.mlflow import Registry
    from mlstrata.evidence import Decision
    from mlstrata.operations.beside.ask import Fit
    from mlstrata.operations.deploy import Deployed
    from mlstrata.operations.deployment import Deployment
    from mlstrata.operations.engines import Engine
    from mlstrata.operations.releases import Backend
    from mlstrata.operations.reporting import Reporter
    from mlstrata.operations.status import Status
    from mlstrata.operations.targets.local import Local
    from mlstrata.operations.targets.records import Records
    from mlstrata.operations.tokens.rotated import Keys, Rotated
    from mlstrata.operations.training import Training
    from mlstrata.services.monitor.verdict import Verdict
    from mlstrata.services.recording.remote import RemoteRecords
    from mlstrata.services.serving.releases import Releases


class Target(Protocol):
    """Carries operations out on one environment.

    Raises:
        UsageError: by everything in here, where the environment is not up or cannot be reached.
        ClusterError: likewise, where a cluster refuses.
    """

    def here(self, command: str) -> Local:
        """Return this machine, for a command that works on its own environments only."""

    def engine(self, reporter: Reporter) -> Engine:
        """Return what makes the environment; `reporter` is told at once what waits in a cluster."""

    def refuse_to_begin(self) -> None:
        """Refuse what could not end well on this machine."""

    def prepare(self, reporter: Reporter) -> None:
        """Have on this machine what the environment's services cannot get for themselves."""

    def make(self, run: Callable[[], Deployed]) -> Deployed:
        """Make the environment by `run`, unless it is known to be made."""

    def unmake(
        self, run: Callable[[], Mapping[str, int]], *, agree: Callable[[], None], keep_data: bool
    ) -> Mapping[str, int]:
        """Destroy the environment by `run`, once it is agreed; return the number of steps by operation."""

    def kept(self, *, keep_data: bool) -> str:
        """Say where the data are once the environment is gone; empty: they are gone too."""

    def not_inspected(self, result: pulumi_embedded.Result) -> tuple[str, ...]:
        """Name what is in a plan and holds objects that the plan does not show."""

    def fit(self, result: pulumi_embedded.Result) -> Fit | None:
        """Ask whether a plan fits what is there already; None: nothing there is anybody else's."""

    def objects(self) -> pulumi_embedded.Result:
        """Plan the environment's objects as new, for whoever deploys them with other tools."""

    @property
    def urls(self) -> Mapping[str, str]:
        """Return the address by what answers there."""

    def registry(self, *, beside_another: bool = False) -> AbstractContextManager[Registry]:
        """Give the environment's registry; `beside_another` of another environment, each with its own access."""

    def seal_key(self) -> str | None:
        """Return the key with which the environment seals the versions that it makes; None: it was given none."""

    def releasing(self, on_step: Callable[[str], None], *, urgent: bool = False) -> AbstractContextManager[Backend]:
        """Give what releases are carried out on; `urgent` goes on without a registry that cannot be reached."""

    def released(self, system: str) -> Releases:
        """Return what was released of a system."""

    def champion(self, system: str) -> str | None:
        """Return the version of a system that answers or scores."""

    def decisions(self, system: str) -> tuple[tuple[Decision, ...], bool | None]:
        """Return what was decided about a system, and whether the log of it is whole; None: it is no chain."""

    def model(self, registry: Registry, system: str, version: str) -> AbstractContextManager[Path]:
        """Give a folder with the files of a version."""

    def train(self, system: str, *, if_needed: bool, trials: int | None, reporter: Reporter) -> Training:
        """Run a system's training pipeline."""

    def recorder(self) -> AbstractContextManager[RemoteRecords]:
        """Give what asks the environment's recorder."""

    def subject_key(self) -> str:
        """Return the environment's key of persons' hashes."""

    @property
    def audit_file(self) -> Path:
        """Return the log of what was decided from this machine."""

    def records(self) -> AbstractContextManager[Records]:
        """Give what reads what is recorded."""

    def verdict(self, system: str) -> tuple[Verdict | None, str]:
        """Return the monitor's last verdict about a system, and where its report lies; None, empty: there is none."""

    def status(self) -> Status:
        """Ask everything how it is."""

    def mint(self, consumer: str, systems: list[str], ttl: timedelta) -> str:
        """Sign a token."""

    def keys(self, reporter: Reporter) -> Keys:
        """Return what tells a cluster's gateway whose tokens to accept."""

    def rotate(self, reporter: Reporter) -> Rotated:
        """Sign with a new key from now on; the old one stays accepted."""

    def retire(self, reporter: Reporter, *, at_once: bool) -> Rotated:
        """Accept the old key no longer."""


def target_of(deployment: Deployment) -> Target:
    """Return the adapter for where an environment runs."""
    from mlstrata.environments.spec.target import KubernetesTarget, LocalTarget

    target = deployment.spec.target
    if isinstance(target, LocalTarget):
        from mlstrata.operations.targets.local import Local

        return Local(deployment)
    if isinstance(target, KubernetesTarget):
        from mlstrata.operations.targets.kubernetes import Kubernetes

        return Kubernetes(deployment, target)
    from mlstrata.operations.targets.aws import Aws

    return cast("Target", Aws(deployment))
