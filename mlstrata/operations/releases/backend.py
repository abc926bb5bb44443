"""What releases are carried out on: the parts of an environment that one decision moves together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mlstrata.clients.mlflow import Candidate, Registry
from mlstrata.operations.releases.errors import RolloutError
from mlstrata.operations.releases.journal import Kind
from mlstrata.services.batch.settings import ScoringJob
from mlstrata.services.gateway.settings import ROLLOUT_LOCK
from mlstrata.services.serving.releases import Releases

AUDIT_FILE = "data/audit/audit.jsonl"
"""The audit log's place in an environment's home."""


class Rollout(Protocol):
    """One release or rollback of one system, while the lock is held.

    Attributes:
        before: What was decided before.
        alias_decides: Whether the registry's alias is what puts a version in place, so that nothing is done before it
            has moved.
    """

    before: Releases
    alias_decides: bool

    def prepare(self, candidate: Candidate) -> Candidate:
        """Have a version ready to answer, and try it; nobody is served by it yet. Return it with its files' digest."""

    def commit(self, releases: Releases) -> None:
        """Record a decision, in one step that is done or not: from here on it is what should serve."""

    def follow(self) -> None:
        """Have what serves follow what was committed, and return once it does."""

    def undo(self) -> bool:
        """Have everything as it was before; say whether it is."""

    def settle(self, releases: Releases) -> None:
        """Record that everything followed, where it did, and remove what nobody asks for or goes back to."""


def ignore(_: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True, kw_only=True)
class Backend(ABC):
    """One environment, as releases see it.

    Attributes:
        home: the environment's folder on this machine, `.mlstrata/<environment>`: the audit log and the lock are there.
        tracking_uri: address of MLflow, as this machine reaches it.
        decider: who decides, when a call does not say.
        batch_jobs: by system that answers nobody, how it scores; its versions are tried by a job.
        on_step: told the name of each step as it begins, for progress.
    """

    home: Path
    tracking_uri: str
    decider: str
    batch_jobs: Mapping[str, ScoringJob] = field(default_factory=dict)
    on_step: Callable[[str], None] = field(default=ignore)

    @property
    def lock_file(self) -> Path:
        """Held by the one rollout that may run on this machine."""
        return self.home / ROLLOUT_LOCK

    @property
    def audit_file(self) -> Path:
        """The log of who decided what, and why."""
        return self.home / AUDIT_FILE

    @property
    def registry(self) -> Registry:
        """Where versions are registered."""
        return Registry(self.tracking_uri)

    def seal_key(self) -> str | None:
        """Return the key with which this environment seals what it makes; None: it has none.

        Raises:
            RolloutError: it should have one, and it cannot be read.
        """
        return None

    @abstractmethod
    def systems(self) -> tuple[str, ...]:
        """Return the systems that answer or score here."""

    @abstractmethod
    def releases(self, system: str) -> Releases:
        """Return what was released of `system`.

        Raises:
            RolloutError: there is no such system, or its record cannot be read.
        """

    @abstractmethod
    def answers(self, system: str) -> str | None:
        """Return the version of `system` that answers or scores.

        Raises:
            RolloutError: nothing says.
        """

    @abstractmethod
    def open(self, system: str, kind: Kind) -> Rollout:
        """Begin a release or rollback of `system`.

        Raises:
            RolloutError: there is no such system, or its record cannot be read.
        """

    def unknown(self, system: str) -> RolloutError:
        """Return the refusal of a system that is not here."""
        known = ", ".join(sorted(self.systems())) or "none"
        return RolloutError(f"system: got {system!r}; this environment serves {known}")
