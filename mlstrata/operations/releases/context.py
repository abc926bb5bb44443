"""Where the parts are that a release moves."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlstrata.clients.errors import RolloutError
from mlstrata.services.batch.settings import ScoringJob
from mlstrata.services.gateway.settings import CA_FILE, ROLLOUT_LOCK
from mlstrata.services.serving.releases import Releases

# The steps, in order, as `RolloutContext.on_step` is told of them.
STEPS = ("registry", "download", "load", "smoke", "decide", "alias", "routes", "serve", "audit", "settle", "prune")

AUDIT_FILE = "data/audit/audit.jsonl"
"""The audit log's place in an environment's home."""


def _ignore(_: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class RolloutContext:
    """One environment, as the rollout sees it.

    Attributes:
        home: the environment's folder, `.mlstrata/<environment>`.
        tracking_uri: address of MLflow.
        serving_urls: by system, the loopback address of its prediction process.
        copies: by system, the addresses of more processes that answer the same.
        gateway_url: address of the gateway.
        decider: who decides, when a call does not say.
        batch_jobs: by system that answers nobody, how it scores; its versions are tried by a job.
        gateway_timeout_s: longest wait for the gateway to take new routes; it takes them in well under one second.
        on_step: told the name of each step as it begins, for progress.
    """

    home: Path
    tracking_uri: str
    serving_urls: Mapping[str, str]
    gateway_url: str
    decider: str
    batch_jobs: Mapping[str, ScoringJob] = field(default_factory=dict)
    copies: Mapping[str, Sequence[str]] = field(default_factory=dict)
    gateway_timeout_s: float = 10.0
    on_step: Callable[[str], None] = field(default=_ignore)

    @property
    def gateway_directory(self) -> Path:
        """The folder Envoy watches."""
        return self.home / "config" / "gateway"

    def gateway_trust(self) -> ssl.SSLContext | bool:
        """Return what the gateway's certificate is checked against: the environment's own authority.

        Raises:
            RolloutError: its file is not there.
        """
        if not self.gateway_url.startswith("https:"):
            return True
        try:
            return ssl.create_default_context(cafile=str(self.gateway_directory / CA_FILE))
        except OSError as error:
            raise RolloutError(f"{self.gateway_directory / CA_FILE}: {error}; bring the environment up") from error

    @property
    def lock_file(self) -> Path:
        """Held by the one rollout that may run."""
        return self.home / ROLLOUT_LOCK

    @property
    def audit_file(self) -> Path:
        """The log of who decided what, and why."""
        return self.home / AUDIT_FILE

    def serving_directory(self, system: str) -> Path:
        """The folder the prediction process of `system` reads."""
        return self.home / "data" / "serving" / system

    def releases(self, system: str) -> Releases:
        """Return the releases of `system`.

        Raises:
            RolloutError: the file is not what a rollout writes.
        """
        try:
            return Releases.read(self.serving_directory(system))
        except ValueError as error:
            raise RolloutError(str(error)) from None

    def serving_addresses(self, system: str) -> list[str]:
        """The addresses of the prediction processes of `system`.

        Raises:
            RolloutError: there is no such system.
        """
        if (url := self.serving_urls.get(system)) is not None:
            return [url, *self.copies.get(system, ())]
        known = ", ".join(sorted(self.serving_urls)) or "none"
        raise RolloutError(f"system: got {system!r}; this environment serves {known}")
