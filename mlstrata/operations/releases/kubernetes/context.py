"""Where the parts of an environment on a cluster are, as a release sees them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlstrata.clients.errors import RolloutError
from mlstrata.clients.kubectl import Kubectl
from mlstrata.operations.releases.context import AUDIT_FILE
from mlstrata.services.batch.settings import ScoringJob
from mlstrata.services.gateway.settings import ROLLOUT_LOCK
from mlstrata.services.serving.releases import Releases

# The steps, in order, as `ClusterContext.on_step` is told of them.
STEPS = ("registry", "smoke", "decide", "serve", "alias", "audit", "settle")


def _ignore(_: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class ClusterContext:
    """One environment on a cluster.

    Attributes:
        home: the environment's folder on this machine: the audit log of what is decided here, and the lock.
        kubectl: asks the cluster.
        namespaces: by system, its namespace.
        tracking_uri: address of MLflow, as this machine reaches it.
        decider: who decides, when a call does not say.
        batch_jobs: by system that answers nobody, how it scores; its CronJob takes the registry's champion.
        ready_timeout_s: longest wait until the pods of a version answer; an image may have to be pulled first.
        poll_s: pause between two looks at them.
        on_step: told the name of each step as it begins, for progress.
    """

    home: Path
    kubectl: Kubectl
    namespaces: Mapping[str, str]
    tracking_uri: str
    decider: str
    batch_jobs: Mapping[str, ScoringJob] = field(default_factory=dict)
    ready_timeout_s: float = 600.0
    poll_s: float = 1.0
    on_step: Callable[[str], None] = field(default=_ignore)

    @property
    def lock_file(self) -> Path:
        """Held by the one rollout that may run on this machine; the cluster refuses the second of two machines."""
        return self.home / ROLLOUT_LOCK

    @property
    def audit_file(self) -> Path:
        """The log of who decided what, and why."""
        return self.home / AUDIT_FILE

    def namespace(self, system: str) -> str:
        """Return where a system is.

        Raises:
            RolloutError: it neither answers nor scores here.
        """
        if (found := self.namespaces.get(system)) is not None:
            return found
        known = ", ".join(sorted(self.namespaces)) or "none"
        raise RolloutError(f"system: got {system!r}; this environment serves {known}")

    def releases(self, system: str) -> Releases:
        """Return the releases of `system`, as the cluster records them.

        Raises:
            RolloutError: the system or its record cannot be read.
        """
        from mlstrata.operations.releases.kubernetes.served import read

        return read(self, system).releases
