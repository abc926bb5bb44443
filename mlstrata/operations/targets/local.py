"""An environment on this machine, as operations ask it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import count, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from mlstrata.operations.errors import UsageError
from mlstrata.operations.state import LocalOutputs
from mlstrata.operations.targets.records import local_recorder, local_records, secret

if TYPE_CHECKING:
    import pulumi_embedded
    from mlstrata.clients.mlflow import Registry
    from mlstrata.evidence import Decision
    from mlstrata.operations.deploy import Deployed
    from mlstrata.operations.deployment import Deployment
    from mlstrata.operations.engines import Engine
    from mlstrata.operations.releases import LocalBackend
    from mlstrata.operations.reporting import Reporter
    from mlstrata.operations.status import Status
    from mlstrata.operations.targets.records import Records
    from mlstrata.operations.tokens.rotated import Rotated
    from mlstrata.operations.training import Training
    from mlstrata.services.monitor.verdict import Verdict
    from mlstrata.services.recording.remote import RemoteRecords
    from mlstrata.services.serving.releases import Releases


@dataclass(frozen=True)
class Local:
    """This machine."""

    deployment: Deployment

    def here(self, _command: str) -> Local:
        """Return itself: every command works here."""
        return self

    def engine(self, _reporter: Reporter) -> Engine:
        """Return the embedded engine."""
        from mlstrata.operations.engines import Embedded

        return Embedded(self.deployment)

    def refuse_to_begin(self) -> None:
        """Refuse to start on a disk that is all but full."""
        from mlstrata.operations.deploy.local import refuse_full_disk

        refuse_full_disk(self.deployment)

    def prepare(self, reporter: Reporter) -> None:
        """Build the environments that systems of this machine have of their own."""
        from mlstrata.operations.deploy.local import build_environments

        build_environments(self.deployment, reporter)

    def make(self, run: Callable[[], Deployed]) -> Deployed:
        """Make the environment, unless the last `up` left it as it is to be."""
        from mlstrata.operations.deploy.local import make

        return make(self.deployment, run)

    def unmake(
        self, run: Callable[[], Mapping[str, int]], *, agree: Callable[[], None], keep_data: bool
    ) -> Mapping[str, int]:
        """Destroy the environment and its state, and its data unless they are to be kept."""
        from mlstrata.operations.deploy.local import unmake

        return unmake(self.deployment, run, agree=agree, keep_data=keep_data)

    def kept(self, *, keep_data: bool) -> str:
        """Say where the data are once the environment is gone; empty: they are gone too."""
        return f"data kept in {self.deployment.home / 'data'}" if keep_data else ""

    def not_inspected(self, _result: pulumi_embedded.Result) -> tuple[str, ...]:
        """Name nothing: a local plan is known to hold no charts, and is to take a moment."""
        return ()

    def fit(self, _result: pulumi_embedded.Result) -> None:
        """Return nothing: what others have on this machine is told by ports and paths."""

    def objects(self) -> NoReturn:
        """Refuse: services of this machine are no objects of a cluster.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            f"{self.deployment.file}: target.kind: got 'local', which has no manifests; "
            "allowed environments on a cluster"
        )

    @cached_property
    def outputs(self) -> LocalOutputs:
        """Return what the environment's stack exports.

        Raises:
            UsageError: the environment is not up, or its state is damaged.
        """
        return self.deployment.state.outputs(LocalOutputs)

    def address(self, service: str) -> str:
        """Return the address of a service that every environment has.

        Raises:
            UsageError: the environment is not up, or its state is damaged.
        """
        if (found := self.outputs.urls.get(service)) is not None:
            return found
        raise self.deployment.state.damaged(f"the stack's outputs: urls: {service}", None)

    @property
    def urls(self) -> Mapping[str, str]:
        """Return the address on this machine by what answers there."""
        return self.outputs.urls

    def recorder(self) -> AbstractContextManager[RemoteRecords]:
        """Give what asks the recorder."""
        return local_recorder(self.deployment)

    def subject_key(self) -> str:
        """Return the environment's key of persons' hashes."""
        from mlstrata.services.recording.names import KEY_FILE

        return secret(self.deployment, KEY_FILE)

    def records(self) -> AbstractContextManager[Records]:
        """Give the store, to read from."""
        return local_records(self.deployment)

    def verdict(self, system: str) -> tuple[Verdict | None, str]:
        """Return the last verdict about a system as its file has it, and where the report lies."""
        from mlstrata.services.monitor.verdict import folder, read_verdict

        home = self.deployment.home
        try:
            found = read_verdict(home, system)
        except (OSError, ValueError):
            return None, ""  # the monitor's next round writes it anew
        page = folder(home, system) / "report.html"
        return found, str(page) if found is not None and page.exists() else ""

    def seal_key(self) -> str:
        """Return the key with which the environment seals the versions that it makes.

        Raises:
            UsageError: its file is not there, or cannot be read.
        """
        from mlstrata.clients.mlflow.access import SEAL_FILE

        path = self.deployment.home / SEAL_FILE
        try:
            return path.read_text(encoding="utf-8").strip()
        except OSError as error:
            up = f"`mlstrata up {self.deployment.name}` writes it"
            raise UsageError(f"{path}: {error.strerror}; {up}") from None

    def access(self) -> None:
        """Let this process, and what it starts, ask the registry as the environment's user."""
        from mlstrata.clients.mlflow.access import variables

        os.environ.update(variables(self.deployment.home))

    @contextmanager
    def registry(self, *, beside_another: bool = False) -> Iterator[Registry]:
        """Give the environment's registry."""
        from mlstrata.clients.mlflow import Registry
        from mlstrata.clients.mlflow.access import header, variables

        if not beside_another:
            self.access()
        yield Registry(self.address("mlflow"), header(variables(self.deployment.home)))

    @contextmanager
    def releasing(self, on_step: Callable[[str], None], *, urgent: bool = False) -> Iterator[LocalBackend]:  # noqa: ARG002 - here the registry is as far as the rest
        """Give what releases are carried out on."""
        yield self.rollout(on_step)

    def rollout(self, on_step: Callable[[str], None] = lambda _step: None) -> LocalBackend:
        """Return where the parts are that a release moves, from what the state records."""
        from mlstrata.components.serving.outputs import serving_name
        from mlstrata.operations.deciding import deciding_user
        from mlstrata.operations.releases import LocalBackend
        from mlstrata.operations.scoring import declared_job

        deployment = self.deployment
        processes = {}
        for system in deployment.spec.systems:
            every = (self.outputs.loopback(serving_name(system.name, number)) for number in count(1))
            processes[system.name] = list(takewhile(bool, every))
        self.access()
        return LocalBackend(
            home=deployment.home,
            tracking_uri=self.address("mlflow"),
            serving_urls={system: urls[0] for system, urls in processes.items() if urls},
            copies={system: urls[1:] for system, urls in processes.items() if urls},
            gateway_url=self.address("gateway"),
            decider=deciding_user(),
            batch_jobs={
                system.name: declared_job(deployment, system.name)
                for system in deployment.spec.systems
                if system.serving.mode == "batch"
            },
            on_step=on_step,
        )

    def released(self, system: str) -> Releases:
        """Return what was released of a system.

        Raises:
            UsageError: the file is not what a release writes.
        """
        from mlstrata.services.serving.releases import Releases

        try:
            return Releases.read(self.deployment.home / "data/serving" / system)
        except ValueError as error:
            raise UsageError(str(error)) from None

    def champion(self, system: str) -> str | None:
        """Return the version of a system that answers."""
        return self.released(system).champion

    @property
    def audit_file(self) -> Path:
        """Return the log of who decided what."""
        from mlstrata.operations.releases import AUDIT_FILE

        return self.deployment.home / AUDIT_FILE

    def decisions(self, system: str) -> tuple[tuple[Decision, ...], bool | None]:
        """Return what was decided about a system, and whether the log of it is whole."""
        from mlstrata.audit import read, verify
        from mlstrata.evidence import Decision

        found = tuple(
            Decision(
                number=record.number,
                when=datetime.fromisoformat(record.entry["when"]),
                who=record.entry["who"],
                action=record.entry["action"],
                version_from=record.entry["version_from"] or "",
                version_to=record.entry["version_to"],
                reason=record.entry["reason"],
                outcome=record.entry["outcome"],
                hash=record.hash,
            )
            for record in read(self.audit_file)
            if record.entry["system"] == system
        )
        return found, verify(self.audit_file).ok

    @contextmanager
    def model(self, _registry: Registry, system: str, version: str) -> Iterator[Path]:
        """Give the folder with the files of a version that was released."""
        yield self.deployment.home / "data/serving" / system / "models" / version

    def train(self, system: str, *, if_needed: bool, trials: int | None, reporter: Reporter) -> Training:
        """Run a system's training pipeline, by the runner or as a job."""
        from mlstrata.operations.training.local import train

        return train(self, self.deployment.system(system), if_needed=if_needed, trials=trials, reporter=reporter)

    def status(self) -> Status:
        """Ask every service at once how it is."""
        from mlstrata.operations.status import of_machine

        return of_machine(self)

    def mint(self, consumer: str, systems: list[str], ttl: timedelta) -> str:
        """Sign a token with the environment's own key, which only its state holds."""
        from mlstrata.operations.tokens.local import mint

        return mint(self.deployment, consumer, systems, ttl)

    def keys(self, _reporter: Reporter) -> NoReturn:
        """Refuse: here nobody tells the gateway whose tokens to accept.

        Raises:
            UsageError: always.
        """
        name = self.deployment.name
        raise UsageError(f"--keys: {name} is on this machine, where `mlstrata up {name}` makes the keys of its gateway")

    def rotate(self, reporter: Reporter) -> Rotated:
        """Have the gateway accept a new key, then sign with it."""
        from mlstrata.operations.tokens.local_rotation import rotate

        return rotate(self, reporter)

    def retire(self, reporter: Reporter, *, at_once: bool) -> Rotated:
        """Have the gateway accept the signing key alone."""
        from mlstrata.operations.tokens.local_rotation import retire

        return retire(self, reporter, at_once=at_once)
