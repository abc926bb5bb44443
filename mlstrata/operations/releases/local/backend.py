"""Releases on this machine: a rename of releases.json decides, then the gateway's routes follow."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlstrata.clients.mlflow import Candidate
from mlstrata.clients.mlflow.access import SEAL_FILE
from mlstrata.files import write_private
from mlstrata.operations.releases.backend import Backend
from mlstrata.operations.releases.batch import BatchProcess
from mlstrata.operations.releases.errors import RolloutError
from mlstrata.operations.releases.journal import Kind
from mlstrata.operations.releases.local.copies import AnyCopies, Copies, Process
from mlstrata.operations.releases.local.gateway import Gateway
from mlstrata.operations.releases.local.process import ServingProcess
from mlstrata.services.serving.admission import Admission, RefusedError, admit, digest_of, place
from mlstrata.services.serving.folders import releases_folder, secret_file
from mlstrata.services.serving.releases import FILE, Releases

STEPS = (
    *("registry", "download", "load", "smoke", "decide", "routes", "serve"),
    *("alias", "audit", "settle", "prune"),
)
"""The steps, in order, as `LocalBackend.on_step` is told of them."""


@dataclass(frozen=True, kw_only=True)
class LocalBackend(Backend):
    """One environment on this machine.

    Attributes:
        serving_urls: by system, the loopback address of its prediction process.
        copies: by system, the addresses of more processes that answer the same.
        gateway_url: address of the gateway.
        gateway_timeout_s: longest wait for the gateway to take new routes; it takes them in well under one second.
    """

    serving_urls: Mapping[str, str]
    gateway_url: str
    copies: Mapping[str, Sequence[str]] = field(default_factory=dict)
    gateway_timeout_s: float = 120.0

    def systems(self) -> tuple[str, ...]:
        """Return the systems that answer or score here."""
        return tuple(self.serving_urls)

    def seal_key(self) -> str | None:
        """Return the environment's key.

        Raises:
            RolloutError: its file is not there, or cannot be read.
        """
        path = self.home / SEAL_FILE
        try:
            return path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise RolloutError(f"{path}: {error.strerror}; bring the environment up, which writes it") from None

    def releases(self, system: str) -> Releases:
        """Return what was released of `system`.

        Raises:
            RolloutError: the file is not what a rollout writes.
        """
        try:
            return Releases.read(self.serving_directory(system))
        except ValueError as error:
            raise RolloutError(str(error)) from None

    def answers(self, system: str) -> str | None:
        """Return the version of `system` that answers or scores.

        Raises:
            RolloutError: its record cannot be read.
        """
        return self.releases(system).champion

    def open(self, system: str, kind: Kind) -> LocalRollout:
        """Begin a release or rollback of `system`.

        Raises:
            RolloutError: there is no such system, or its record cannot be read.
        """
        if job := self.batch_jobs.get(system):
            return LocalRollout(self, system, BatchProcess(job, back=kind == "rollback"), kind)
        processes = self.processes(system)
        several = Copies if kind == "release" else AnyCopies
        return LocalRollout(self, system, processes[0] if len(processes) == 1 else several(processes), kind)

    @property
    def gateway(self) -> Gateway:
        """What sends requests to the version that answers."""
        return Gateway(self.gateway_url, self.home / "config" / "gateway", self.gateway_timeout_s)

    def serving_directory(self, system: str) -> Path:
        """The folder the prediction process of `system` reads."""
        return releases_folder(self.home, system)

    def processes(self, system: str) -> list[ServingProcess]:
        """The prediction processes of `system`.

        Raises:
            RolloutError: there is no such system.
        """
        if (url := self.serving_urls.get(system)) is None:
            raise self.unknown(system)
        secret = secret_file(self.home, system)
        return [ServingProcess(system, one, secret) for one in (url, *self.copies.get(system, ()))]


class LocalRollout:
    """The steps of one release or rollback of one system on this machine."""

    alias_decides = False

    def __init__(self, backend: LocalBackend, system: str, process: Process, kind: Kind) -> None:
        self.kind = kind
        self.before = backend.releases(system)
        self.process = process
        self._backend, self._system = backend, system
        self._directory = backend.serving_directory(system)

    def prepare(self, candidate: Candidate) -> Candidate:
        """Have the version's files here, and the version loaded and tried.

        Raises:
            RegistryError: its files are not here and the registry does not give them.
            RolloutError: it may not or cannot be loaded, or does not predict its own input example.
        """
        folder = self._directory / "models" / candidate.version
        self._backend.on_step("download")
        fetched = not folder.is_dir()
        if fetched:
            registry = self._backend.registry
            known = candidate if candidate.files else registry.candidate(self._system, candidate.version)
            registry.download(known, folder)
        candidate = self._admitted(candidate, folder, fetched=fetched)
        self._backend.on_step("load")
        self.process.load(candidate.version)
        self._backend.on_step("smoke")
        self.process.smoke(candidate.version, folder)
        return candidate

    def _admitted(self, candidate: Candidate, folder: Path, *, fetched: bool) -> Candidate:
        """Say beside the models which files of a version may be loaded; see that they may before anything of it runs.

        Raises:
            RolloutError: they may not; what was said of files that were here before is said still.
        """
        said = place(folder)
        before = said.read_bytes() if said.is_file() else None
        try:
            if self.kind == "release":
                candidate = replace(candidate, digest=candidate.digest or digest_of(folder))
            if candidate.digest:
                admission = Admission(digest=candidate.digest, own_code=candidate.own_code)
                write_private(said, admission.model_dump_json())
            admit(folder)
        except RefusedError as error:
            if fetched or (candidate.digest and not _is_whole(folder, candidate.digest)):
                shutil.rmtree(folder, ignore_errors=True)  # the next release fetches it anew
            if before is not None:
                write_private(said, before)
            raise RolloutError(f"version {candidate.version} of {self._system} may not be loaded: {error}") from error
        return candidate

    def commit(self, releases: Releases) -> None:
        """Record a decision by one rename."""
        write_private(self._directory / FILE, releases.to_json())

    def follow(self) -> None:
        """Have the gateway follow.

        Raises:
            RolloutError: it does not.
        """
        self._backend.on_step("routes")
        routes = self._backend.gateway.write(self._backend.releases)
        self._backend.on_step("serve")
        self._backend.gateway.follow(routes)

    def undo(self) -> bool:
        """Have files and routes as they were; routes that cannot be written now are mended by the next rollout."""
        self.commit(self.before)
        with suppress(RolloutError):
            self._backend.gateway.write(self._backend.releases)
        self._prune(self.before)
        return True

    def settle(self, releases: Releases) -> None:
        """Record that the gateway and the alias followed, where they did, and forget what is not needed."""
        if releases.settled:
            self.commit(releases)
        self._backend.on_step("prune")
        self._prune(releases)

    def _prune(self, releases: Releases) -> None:
        """Forget the versions that nobody asks for and nobody goes back to; a failure leaves more than needed."""
        with suppress(RolloutError):
            for version in self.process.loaded():
                if version not in releases.loaded:
                    self.process.unload(version)
        for folder in (self._directory / "models").glob("*"):
            if folder.name not in (*releases.loaded, *releases.held):
                # Renamed first: half a folder must never look like a whole one.
                doomed = folder.with_name(f"{folder.name.removesuffix('.tmp')}.tmp")
                with suppress(OSError):
                    folder.replace(doomed)
                    shutil.rmtree(doomed)
                    place(folder).unlink(missing_ok=True)


def _is_whole(folder: Path, digest: str) -> bool:
    try:
        return digest_of(folder) == digest
    except RefusedError:
        return False
