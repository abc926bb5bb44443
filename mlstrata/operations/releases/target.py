"""One way to release, whatever the environment runs on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mlstrata.environments import SystemSpec
from mlstrata.operations.releases import rollout as local
from mlstrata.operations.releases.context import RolloutContext
from mlstrata.operations.releases.decision import Release
from mlstrata.operations.releases.kubernetes import ClusterContext, overview
from mlstrata.operations.releases.kubernetes import rollout as cluster
from mlstrata.services.serving.releases import Releases


class Target(Protocol):
    """What releases are carried out on."""

    @property
    def tracking_uri(self) -> str:
        """Address of MLflow."""

    def releases(self, system: str) -> Releases:
        """Return what was released of `system`."""

    def answers(self, system: str) -> str | None:
        """Return the version of `system` that answers or scores."""

    def release(
        self, system: str, version: str | None, *, reason: str, decider: str | None, limits: SystemSpec | None
    ) -> Release:
        """Have `version` of `system`, or its latest, answer."""

    def rollback(self, system: str, *, reason: str, decider: str | None) -> Release:
        """Have the version before the champion answer."""


@dataclass(frozen=True)
class LocalTarget:
    """This machine."""

    context: RolloutContext

    @property
    def tracking_uri(self) -> str:
        """Address of MLflow."""
        return self.context.tracking_uri

    def releases(self, system: str) -> Releases:
        """Return what was released of `system`."""
        return self.context.releases(system)

    def answers(self, system: str) -> str | None:
        """Return the version of `system` that answers or scores."""
        return self.context.releases(system).champion

    def release(
        self, system: str, version: str | None, *, reason: str, decider: str | None, limits: SystemSpec | None
    ) -> Release:
        """Have `version` of `system`, or its latest, answer."""
        return local.release(self.context, system, version, reason=reason, decider=decider, limits=limits)

    def rollback(self, system: str, *, reason: str, decider: str | None) -> Release:
        """Have the version before the champion answer."""
        return local.rollback(self.context, system, reason=reason, decider=decider)


@dataclass(frozen=True)
class ClusterTarget:
    """A cluster."""

    context: ClusterContext

    @property
    def tracking_uri(self) -> str:
        """Address of MLflow."""
        return self.context.tracking_uri

    def releases(self, system: str) -> Releases:
        """Return what was released of `system`."""
        return self.context.releases(system)

    def answers(self, system: str) -> str | None:
        """Return the version of `system` that answers or scores."""
        return overview.answers(self.context, system)

    def release(
        self, system: str, version: str | None, *, reason: str, decider: str | None, limits: SystemSpec | None
    ) -> Release:
        """Have `version` of `system`, or its latest, answer."""
        return cluster.release(self.context, system, version, reason=reason, decider=decider, limits=limits)

    def rollback(self, system: str, *, reason: str, decider: str | None) -> Release:
        """Have the version before the champion answer."""
        return cluster.rollback(self.context, system, reason=reason, decider=decider)
