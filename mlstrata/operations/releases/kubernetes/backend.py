"""Releases on a cluster: one patch of what a system's pods are told to serve.

A decision is one patch: it names the version and records who chose it. Kubernetes then replaces pods one by one and
takes an old one away only when a new one answers, so the version before goes on answering until the new one does, for
as long as that takes and whatever dies meanwhile.

A system that scores has no pods to replace. A version is tried on this machine, the patch records the decision alone,
and the registry's alias, which the next run of its CronJob takes, puts the version in place.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlstrata.clients.kubernetes import Cluster, ClusterError, Outdated
from mlstrata.clients.mlflow import Candidate
from mlstrata.files import write_private
from mlstrata.operations.releases.backend import Backend
from mlstrata.operations.releases.batch import BatchProcess
from mlstrata.operations.releases.errors import RolloutError
from mlstrata.operations.releases.journal import Kind
from mlstrata.operations.releases.kubernetes.pods import await_pods
from mlstrata.operations.releases.kubernetes.served import Place, Served, read, write
from mlstrata.services.serving.admission import Admission, place
from mlstrata.services.serving.releases import Releases

_TRIES = 5


@dataclass(frozen=True, kw_only=True)
class KubernetesBackend(Backend):
    """One environment on a cluster, which refuses the second of two machines that release at once.

    Attributes:
        cluster: asks the cluster.
        namespaces: by system, its namespace.
        ready_timeout_s: longest wait until the pods of a version answer; an image may have to be pulled first.
        poll_s: pause between two looks at them.
        key: seals the versions that are made here; None: it was given none.
    """

    cluster: Cluster
    namespaces: Mapping[str, str]
    ready_timeout_s: float = 600.0
    poll_s: float = 1.0
    key: str | None = None

    def seal_key(self) -> str | None:
        """Return the environment's key; None: it was given none."""
        return self.key

    def systems(self) -> tuple[str, ...]:
        """Return the systems that answer or score here."""
        return tuple(self.namespaces)

    def place(self, system: str) -> Place:
        """Return where the record of a system is.

        Raises:
            RolloutError: it neither answers nor scores here.
        """
        if (namespace := self.namespaces.get(system)) is None:
            raise self.unknown(system)
        return Place(system, namespace, scores=system in self.batch_jobs)

    def releases(self, system: str) -> Releases:
        """Return the releases of `system`, as the cluster records them.

        Raises:
            ClusterError: the cluster cannot be asked.
            RolloutError: there is no such system, or its record is not what a release writes.
        """
        return read(self.cluster, self.place(system)).releases

    def answers(self, system: str) -> str | None:
        """Return the version that answers or scores, whoever saw to that: what pods are told, else the champion.

        Raises:
            ClusterError: the cluster cannot be asked.
            RegistryError: nor can the registry.
        """
        return read(self.cluster, self.place(system)).version or self.registry.champion(system)

    def open(self, system: str, kind: Kind) -> KubernetesRollout:
        """Begin a release or rollback of `system`.

        Raises:
            ClusterError: the cluster cannot be asked.
            RolloutError: there is no such system, or its record is not what a release writes.
        """
        return KubernetesRollout(self, self.place(system), kind)


class KubernetesRollout:
    """The steps of one release or rollback of one system on a cluster."""

    def __init__(self, backend: KubernetesBackend, place: Place, kind: Kind) -> None:
        self._backend, self._place, self._kind = backend, place, kind
        self._seen = read(backend.cluster, place)
        self.before = self._seen.releases
        self._recorded, self._decided = self.before, self.before
        # Without pods the alias is what decides.
        self.alias_decides = place.scores

    def prepare(self, candidate: Candidate) -> Candidate:
        """Have a version that no pod tries before it counts predict its own input example on this machine.

        Raises:
            RegistryError: its files cannot be had.
            RolloutError: it cannot be loaded, has no example, or its prediction is not plausible.
        """
        job = self._backend.batch_jobs.get(self._place.system)
        if job is None or self._kind == "rollback":
            return candidate
        self._backend.on_step("smoke")
        with tempfile.TemporaryDirectory(prefix="mlstrata-smoke-") as scratch:
            folder = Path(scratch) / "models" / candidate.version
            folder.parent.mkdir()
            self._backend.registry.download(candidate, folder)
            admission = Admission(digest=candidate.digest, own_code=candidate.own_code)
            write_private(place(folder), admission.model_dump_json())
            BatchProcess(job).smoke(candidate.version, folder)
        return candidate

    def commit(self, releases: Releases) -> None:
        """Record a decision by one patch, in place of the one recorded last.

        Raises:
            ClusterError: the cluster refuses or does not answer, or somebody else decided meanwhile.
        """
        self._decided = releases
        self._write(releases, self._recorded)
        self._recorded = releases

    def follow(self) -> None:
        """Return once all pods are of the decided version and answer.

        Raises:
            ClusterError: the cluster cannot be asked.
            RolloutError: they do not come in time, or Kubernetes gave up.
        """
        version, backend = self._decided.champion, self._backend
        if self._place.scores or version is None:
            return
        backend.on_step("serve")
        await_pods(backend.cluster, self._place, version, timeout_s=backend.ready_timeout_s, poll_s=backend.poll_s)

    def undo(self) -> bool:
        """Have the record as it was, and say whether it is; nothing is touched that somebody else decided since."""
        try:
            self._seen = read(self._backend.cluster, self._place)
            if _same(self._seen, self._decided) and not _same(self._seen, self.before):
                self._write(self.before, self._decided)
        except (ClusterError, RolloutError):
            return False
        return True

    def settle(self, releases: Releases) -> None:
        """Record that pods and alias followed, where they did.

        Raises:
            ClusterError: the cluster refuses or does not answer.
        """
        if releases.settled:
            self.commit(releases)

    def _write(self, releases: Releases, expected: Releases) -> None:
        """Record `releases` in place of `expected`; that anything else about the object changed does not matter."""
        for _ in range(_TRIES):
            try:
                self._seen = write(self._backend.cluster, self._place, releases, self._seen.mark)
            except Outdated as error:
                refused = error
                self._seen = read(self._backend.cluster, self._place)
                if _same(self._seen, releases):
                    # The first try arrived; only its answer did not.
                    return
                if not _same(self._seen, expected):
                    raise Outdated(
                        f"another user released {self._place.system} meanwhile; see `mlstrata status`, decide again"
                    ) from error
            else:
                return
        raise refused


def _same(seen: Served, releases: Releases) -> bool:
    """Say whether the same decision is the last one of both, and as far."""
    there, here = seen.releases, releases
    last = [one.history[-1].when if one.history else None for one in (there, here)]
    return (there.champion, there.settled, last[0]) == (here.champion, here.settled, last[1])
