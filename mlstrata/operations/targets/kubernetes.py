"""An environment on a cluster, as operations ask it: through kubectl, and by addresses inside that it forwards."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlstrata.environments.spec.serving import ServingMode
from mlstrata.environments.spec.target import KubernetesTarget
from mlstrata.environments.stages import Capability
from mlstrata.operations.cluster_access import (
    MONITOR_URL,
    RECORDER_URL,
    REGISTRY_URL,
    authenticate_registry,
    forward_registry,
    port_forward,
    registry_password,
    seal_key,
    secret_of,
)
from mlstrata.operations.errors import UsageError
from mlstrata.operations.live_facts import BUILT
from mlstrata.operations.state import ClusterOutputs
from mlstrata.operations.targets.elsewhere import Elsewhere
from mlstrata.operations.targets.records import no_recorder

if TYPE_CHECKING:
    from mlstrata.clients.kubernetes import Cluster
    from mlstrata.clients.mlflow import Registry
    from mlstrata.evidence import Decision
    from mlstrata.operations.releases.kubernetes import KubernetesBackend
    from mlstrata.operations.reporting import Reporter
    from mlstrata.operations.status import Status
    from mlstrata.operations.targets.records import Records
    from mlstrata.operations.training import Training
    from mlstrata.services.monitor.verdict import Verdict
    from mlstrata.services.recording.remote import RemoteRecords
    from mlstrata.services.serving.releases import HistoryEntry, Releases

_ASKED_S = 60.0


@dataclass(frozen=True)
class Kubernetes(Elsewhere):
    """A cluster that a kubeconfig's context names."""

    target: KubernetesTarget

    @property
    def urls(self) -> Mapping[str, str]:
        """Return the address inside the cluster by what answers there."""
        return self.deployment.state.outputs(ClusterOutputs).urls

    @property
    def cluster(self) -> Cluster:
        """Return what asks the cluster."""
        from mlstrata.clients.kubernetes import Cluster

        return Cluster(self.target.context)

    def backend(self) -> KubernetesBackend:
        """Return the cluster with its systems, those that answer and those that score; without a registry.

        Raises:
            UsageError: a system that scores has nothing to score.
        """
        from mlstrata.components.naming.forms import namespace_of
        from mlstrata.operations.releases.kubernetes import KubernetesBackend
        from mlstrata.operations.scoring import declared_job

        spec = self.deployment.spec
        served = [one for one in spec.systems if BUILT[one.serving.mode] in spec.capabilities]
        return KubernetesBackend(
            home=self.deployment.home,
            cluster=self.cluster,
            namespaces={one.name: namespace_of(self.target.namespace, one.team, one.name) for one in served},
            tracking_uri="",
            decider="",
            batch_jobs={
                one.name: declared_job(self.deployment, one.name)
                for one in served
                if one.serving.mode is ServingMode.BATCH
            },
        )

    @contextmanager
    def registry(self, *, beside_another: bool = False) -> Iterator[Registry]:
        """Give the environment's registry, by this process's own access or, of two at once, by the cluster's secret."""
        from mlstrata.clients.mlflow import Registry
        from mlstrata.clients.mlflow.access import header, of

        namespace, variable = self.target.namespace, REGISTRY_URL
        if beside_another:
            fix = f"a user who may read the secret mlflow-access in {namespace} promotes"
            access: Mapping[str, str] | None = header(of(registry_password(self.cluster, namespace, fix)))
            # One variable for both would be the wrong one for either.
            variable = f"{REGISTRY_URL}_{self.deployment.name.upper().replace('-', '_')}"
        else:
            authenticate_registry(self.cluster, namespace)
            access = None  # what the variables say
        with forward_registry(self.cluster, namespace, variable) as url:
            yield Registry(url, access)

    @contextmanager
    def recorder(self) -> Iterator[RemoteRecords]:
        """Give what asks the recorder, by a port that kubectl forwards and the token of its secret."""
        from mlstrata.components.recording.names import ACCESS, NAME, PORT
        from mlstrata.services.recording.names import TOKEN
        from mlstrata.services.recording.remote import RemoteRecords

        if Capability.RECORDING not in self.deployment.spec.capabilities:
            raise no_recorder(self.deployment)
        namespace = self.target.namespace
        token = secret_of(self.cluster, namespace, (ACCESS, "token"), TOKEN)
        with port_forward(self.cluster, namespace, f"service/{NAME}", PORT, RECORDER_URL) as url:
            yield RemoteRecords(url, token)

    def subject_key(self) -> str:
        """Return the environment's key of persons' hashes: that of the secret of what predicts."""
        from mlstrata.components.recording.names import APPEND, APPEND_KEYS
        from mlstrata.services.recording.names import SUBJECT_KEY

        return secret_of(self.cluster, self.target.namespace, (APPEND, APPEND_KEYS[1]), SUBJECT_KEY)

    @property
    def audit_file(self) -> Path:
        """Return the log of what was decided from this machine, releases among it."""
        return self.backend().audit_file

    def records(self) -> AbstractContextManager[Records]:
        """Give what reads what is recorded: the recorder itself."""
        return self.recorder()

    def verdict(self, system: str) -> tuple[Verdict | None, str]:
        """Ask the monitor for its last verdict; its report is a page of its own."""
        import httpx

        from mlstrata.components.monitor.names import ACCESS, NAME, PORT
        from mlstrata.services.monitor.names import TOKEN
        from mlstrata.services.monitor.verdict import Verdict

        namespace = self.target.namespace
        headers = {"Authorization": f"Bearer {secret_of(self.cluster, namespace, (ACCESS, 'token'), TOKEN)}"}
        with port_forward(self.cluster, namespace, f"service/{NAME}", PORT, MONITOR_URL) as url:
            try:
                answer = httpx.get(f"{url}/systems/{system}", headers=headers, timeout=_ASKED_S, trust_env=False)
                if answer.status_code == httpx.codes.NOT_FOUND:
                    return None, ""
                answer.raise_for_status()
                return Verdict.model_validate_json(answer.content), ""
            except (httpx.HTTPError, ValueError) as error:
                raise UsageError(f"the monitor at {url} does not answer as it should: {error}") from None

    def seal_key(self) -> str | None:
        """Return the key with which the environment seals the versions that it makes; None: it was given none.

        Raises:
            ClusterError: the cluster cannot be asked.
        """
        return seal_key(self.cluster, self.target.namespace)

    @contextmanager
    def releasing(self, on_step: Callable[[str], None], *, urgent: bool = False) -> Iterator[KubernetesBackend]:
        """Give what releases are carried out on, with a way to the registry while it is open."""
        from mlstrata.clients.kubernetes import ClusterError
        from mlstrata.operations.deciding import deciding_user

        namespace = self.target.namespace
        inside = f"http://mlflow.{namespace}.svc:5000"
        found = replace(self.backend(), tracking_uri=inside, decider=deciding_user(), on_step=on_step)
        try:
            authenticate_registry(found.cluster, namespace)
            opened = forward_registry(found.cluster, namespace)
            registry = opened.__enter__()
        except (UsageError, ClusterError):
            if not urgent:
                raise
            # Going back needs no registry: its alias follows by the next rollback, which says so.
            yield found
            return
        try:
            yield replace(found, tracking_uri=registry, key=None if urgent else self.seal_key())
        finally:
            opened.__exit__(None, None, None)

    def released(self, system: str) -> Releases:
        """Return what was released of a system, as the cluster records it.

        Raises:
            RolloutError: the system or its record cannot be read.
        """
        return self.backend().releases(system)

    def champion(self, system: str) -> str | None:
        """Return the version of a system that answers or scores."""
        with self.releasing(lambda _step: None) as releasing:
            return releasing.answers(system)

    def decisions(self, system: str) -> tuple[tuple[Decision, ...], bool | None]:
        """Return what was decided about a system: a record, and no chain that could be verified."""
        from mlstrata.evidence import Decision

        releases = self.released(system)
        last = len(releases.history)
        found = tuple(
            Decision(
                number=number,
                when=entry.when,
                who=entry.who,
                action=entry.kind,
                version_from=entry.from_ or "",
                version_to=entry.to,
                reason=entry.why,
                outcome="done" if releases.settled or number < last else "under way",
                hash=_digest(entry),
            )
            for number, entry in enumerate(releases.history, 1)
        )
        return found, None

    @contextmanager
    def model(self, registry: Registry, system: str, version: str) -> Iterator[Path]:
        """Give a folder with the files of a version, as the registry has them."""
        with tempfile.TemporaryDirectory(prefix="mlstrata-model-") as scratch:
            model = Path(scratch) / "model"
            registry.download(registry.candidate(system, version), model)
            yield model

    def train(self, system: str, *, if_needed: bool, trials: int | None, reporter: Reporter) -> Training:
        """Run a system's training pipeline in Kubeflow, watched from here."""
        from mlstrata.operations.training.kubernetes import train

        return train(self, self.deployment.system(system), if_needed=if_needed, trials=trials, reporter=reporter)

    def status(self) -> Status:
        """Ask the cluster for every system that answers requests or scores."""
        from mlstrata.operations.status import of_cluster

        return of_cluster(self)


def _digest(entry: HistoryEntry) -> str:
    return hashlib.sha256(entry.model_dump_json(by_alias=True).encode()).hexdigest()
