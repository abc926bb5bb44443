"""How an environment is at this moment."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mlstrata.operations import gpus
from mlstrata.operations.gpus import Gpus
from mlstrata.operations.migration_journal import under_way

if TYPE_CHECKING:
    from mlstrata.operations.releases.kubernetes import ClusterStatus
    from mlstrata.operations.targets.kubernetes import Kubernetes
    from mlstrata.operations.targets.local import Local
    from mlstrata.operations.troubles.look import Ailing


@dataclass(frozen=True)
class ServiceStatus:
    """One supervised service.

    Attributes:
        name: Its name.
        healthy: Whether it runs and answers as it should.
        state: What its supervisor says: running, starting, stopped, fatal, missing, unknown.
        pid: Its process; 0: none.
        up_seconds: How long that has run, s.
        url: Where its health is asked; empty: nowhere.
        complaint: What is wrong; empty: nothing.
    """

    name: str
    healthy: bool
    state: str
    pid: int = 0
    up_seconds: int = 0
    url: str = ""
    complaint: str = ""


@dataclass(frozen=True)
class SystemStatus:
    """One system on this machine.

    Attributes:
        name: Its name.
        champion: The version that answers; None: none is released.
        loaded: The versions in memory.
        rollout: The rollout under way, in words; empty: none.
        stopped: Who stopped it and why; empty: it answers.
        retired: Whether that was for good.
    """

    name: str
    champion: str | None
    loaded: tuple[str, ...]
    rollout: str = ""
    stopped: str = ""
    retired: bool = False


@dataclass(frozen=True)
class LayerStatus:
    """One layer of an environment in a cloud.

    Attributes:
        name: substrate or platform.
        stack: Its stack.
        resources: How many resources the stack's state records; 0: it is not up.
    """

    name: str
    stack: str
    resources: int


@dataclass(frozen=True)
class Status:
    """An environment.

    Attributes:
        healthy: Whether everything in it is.
        services: On this machine, what its supervisor runs.
        systems: On this machine, its systems.
        cluster: On a cluster, its systems.
        ailing: On a cluster, what ails the environment there.
        layers: In a cloud, what is recorded of its layers.
        urls: Address by what answers there.
        user: Whom the registry asks for.
        password_file: Where that user's password lies; None: on a cluster.
        migrating: The phase of a move of the artifacts that is under way; empty: none is.
        gpus: On this machine, its GPUs; None: on a cluster.
    """

    healthy: bool
    services: tuple[ServiceStatus, ...] = ()
    systems: tuple[SystemStatus, ...] = ()
    cluster: tuple[ClusterStatus, ...] = ()
    ailing: Ailing | None = None
    layers: tuple[LayerStatus, ...] = ()
    urls: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    password_file: Path | None = None
    migrating: str = ""
    gpus: Gpus | None = None


def of_machine(local: Local) -> Status:
    """Ask every service at once.

    Raises:
        UsageError: the environment is not up, or a file of its state is damaged.
    """
    from mlstrata.clients.mlflow.access import PASSWORD_FILE, USER

    deployment = local.deployment
    services = _services(local)
    moving = under_way(deployment)
    return Status(
        healthy=bool(services) and all(service.healthy for service in services),
        services=services,
        systems=tuple(
            SystemStatus(
                system.name,
                releases.champion,
                tuple(releases.loaded),
                releases.rollout.in_words if releases.rollout else "",
                f"{releases.stopped.who}: {releases.stopped.why}" if releases.stopped else "",
                releases.stopped is not None and releases.stopped.retired,
            )
            for system in deployment.spec.systems
            for releases in [local.released(system.name)]
        ),
        urls=local.outputs.urls,
        user=USER,
        password_file=deployment.home / PASSWORD_FILE,
        migrating=moving.phase if moving else "",
        gpus=gpus.of_machine(),
    )


def of_cluster(cluster: Kubernetes) -> Status:
    """Ask the cluster for every system that answers requests or scores, and for what ails the environment.

    Raises:
        ClusterError: it cannot be asked.
    """
    from mlstrata.operations.releases.kubernetes import status
    from mlstrata.operations.troubles.look import ailing

    asked = cluster.backend()
    found = tuple(status(asked, name) for name in asked.systems())
    ails = ailing(cluster.deployment, asked.cluster)
    return Status(healthy=not ails.troubles and all(not one.differences for one in found), cluster=found, ailing=ails)


def _services(local: Local) -> tuple[ServiceStatus, ...]:
    from mlstrata.components.supervision.client import SupervisorClient
    from mlstrata.components.supervision.health import Check
    from mlstrata.components.supervision.values import SupervisionError

    state, client = local.deployment.state, SupervisorClient(local.outputs.socket)

    def look(check: Check) -> ServiceStatus:
        try:
            info = client.info(check.service)
        except SupervisionError:
            return ServiceStatus(
                check.service, healthy=False, state="stopped", url=check.url, complaint="its supervisor does not answer"
            )
        known = info.state.lower() if info else "missing"
        complaint = check.complaint() or ""
        return ServiceStatus(
            check.service,
            # What answers as it should is well, though its supervisor still counts its first seconds.
            healthy=known in ("running", "starting") and not complaint,
            state=known,
            pid=info.pid if info else 0,
            up_seconds=info.seconds if info else 0,
            url=check.url,
            complaint=complaint,
        )

    checks = Check.all_of(state.waited[0])
    watched = {check.service for check in checks}
    begun = [str(one.outputs.get("name", one.name)) for one in state.of("Service")]
    left = "the last `up` did not get so far; run it again"
    with ThreadPoolExecutor(max(1, len(checks))) as pool:
        asked = list(pool.map(look, checks))
    unfinished = [ServiceStatus(name, healthy=False, state="unknown", complaint=left) for name in begun]
    return (*asked, *(one for one in unfinished if one.name not in watched))
