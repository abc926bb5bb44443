"""An environment on a cluster as the commands reach it: over its API, and by the addresses inside."""

from __future__ import annotations

import os
import re
import selectors
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from mlstrata.environments import Capability
from mlstrata.environments.spec.serving import ServingMode
from mlstrata.environments.spec.target import KubernetesTarget
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError

if TYPE_CHECKING:
    from mlstrata.clients.kubernetes import Cluster
    from mlstrata.operations.releases.kubernetes import KubernetesBackend

REGISTRY_URL, PIPELINES_URL = "MLSTRATA_REGISTRY_URL", "MLSTRATA_PIPELINES_URL"
"""Variables with addresses at which this machine reaches registry and pipelines; else kubectl forwards a port."""
_PASSWORD = "MLFLOW_TRACKING_PASSWORD"  # noqa: S105 - the variable's name
_FORWARD_S = 15.0
BUILT = {ServingMode.REALTIME: Capability.SERVING, ServingMode.BATCH: Capability.BATCH}
"""What an environment needs for a system of that kind to be there."""
_FORWARDED = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


def on_cluster(deployment: Deployment, command: str) -> KubernetesTarget:
    """Return the cluster that an environment is on.

    Raises:
        UsageError: it is on none that a kubeconfig's context names.
    """
    target = deployment.spec.target
    if isinstance(target, KubernetesTarget):
        return target
    raise UsageError(
        f"{deployment.workspace.environment_file(deployment.name)}: target.kind: got '{target.kind}'; "
        f"`mlstrata {command}` works on 'local' and 'kubernetes' so far"
    )


def cluster_of(deployment: Deployment) -> Cluster:
    """Return what asks the environment's cluster."""
    from mlstrata.clients.kubernetes import Cluster

    return Cluster(on_cluster(deployment, "status").context)


@contextmanager
def cluster_context(
    deployment: Deployment, decider: str, on_step: Callable[[str], None], *, urgent: bool = False
) -> Iterator[KubernetesBackend]:
    """Give the environment's cluster as a release sees it, with a way to the registry while it is open.

    Args:
        deployment: The environment.
        decider: Who decides, when a command does not say.
        on_step: Told the name of each step.
        urgent: Go on without the registry, where it cannot be reached.

    Raises:
        UsageError: the registry cannot be reached.
        ClusterError: nor can the cluster.
    """
    from mlstrata.clients.kubernetes import ClusterError

    target = on_cluster(deployment, "release")
    inside = f"http://mlflow.{target.namespace}.svc:5000"
    found = replace(bare(deployment), tracking_uri=inside, decider=decider, on_step=on_step)
    asks = found.cluster

    try:
        let_in(asks, target.namespace)
        opened = forwarded(asks, target.namespace, "mlflow", 5000, REGISTRY_URL)
        registry = opened.__enter__()
    except (UsageError, ClusterError):
        if not urgent:
            raise
        # Going back needs no registry: its alias follows by the next rollback, which says so.
        yield found
        return
    try:
        yield replace(found, tracking_uri=registry)
    finally:
        opened.__exit__(None, None, None)


def bare(deployment: Deployment) -> KubernetesBackend:
    """Return the environment's cluster with its systems, those that answer and those that score; without a registry.

    Raises:
        UsageError: a system that scores has nothing to score.
    """
    from mlstrata.cli.batch import declared_job
    from mlstrata.components.namespaces.args import namespace_of
    from mlstrata.operations.releases.kubernetes import KubernetesBackend

    namespace = on_cluster(deployment, "release").namespace
    served = [one for one in deployment.spec.systems if BUILT[one.serving.mode] in deployment.spec.capabilities]
    return KubernetesBackend(
        home=deployment.home,
        cluster=cluster_of(deployment),
        namespaces={one.name: namespace_of(namespace, one.team, one.name) for one in served},
        tracking_uri="",
        decider="",
        batch_jobs={
            one.name: declared_job(deployment, one.name) for one in served if one.serving.mode is ServingMode.BATCH
        },
    )


def let_in(asks: Cluster, namespace: str) -> None:
    """Let this process ask the registry: by MLflow's own variables, else with the password in the cluster's secret.

    Raises:
        UsageError: there are no variables, and the secret is not there or may not be read.
        ClusterError: the cluster cannot be asked.
    """
    from mlstrata.clients.mlflow.access import of

    if not (os.environ.get(_PASSWORD) or os.environ.get("MLFLOW_TRACKING_TOKEN")):
        fix = f"set MLFLOW_TRACKING_USERNAME and {_PASSWORD}, the registry's"
        os.environ.update(of(registry_password(asks, namespace, fix)))


def registry_password(asks: Cluster, namespace: str, fix: str) -> str:
    """Return the registry's password, from the cluster's secret.

    Raises:
        UsageError: the secret is not there or may not be read; the message ends with `fix`.
        ClusterError: the cluster cannot be asked.
    """
    import base64

    from mlstrata.clients.kubernetes import Forbidden, Kind, Missing

    try:
        secret = asks.get(Kind("", "v1", "Secret", "secrets"), "mlflow-access", namespace)
        return base64.b64decode(secret["data"]["password"]).decode()
    except (Forbidden, Missing, KeyError, ValueError) as error:
        raise UsageError(f"no password for the registry ({error}); {fix}") from None


@contextmanager
def forwarded(asks: Cluster, namespace: str, service: str, port: int, variable: str) -> Iterator[str]:
    """Give an address at which this machine reaches a service: the one in `variable`, else a port kubectl forwards.

    Raises:
        UsageError: no port is forwarded; the message names the variable.
    """
    if url := os.environ.get(variable):
        yield url.rstrip("/")
        return
    command = ["kubectl", f"--context={asks.context}", f"--namespace={namespace}", "port-forward"]
    try:
        process = subprocess.Popen(
            [*command, "--address=127.0.0.1", f"service/{service}", f":{port}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )
    except FileNotFoundError:
        raise UsageError(
            "kubectl: no such program; install it or put it on PATH, it forwards a port to what runs inside; or set "
            f"{variable} to an address at which this machine reaches {service}"
        ) from None
    try:
        said = _said(process)
        if (match := _FORWARDED.search(said)) is None:
            reason = said.strip()[-300:] or f"no answer in {_FORWARD_S:g} s"
            raise UsageError(
                f"context {asks.context}: no port of {service} in {namespace} could be forwarded ({reason}); "
                f"set {variable} to an address at which this machine reaches it"
            )
        yield f"http://127.0.0.1:{match[1]}"
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _said(process: subprocess.Popen[str]) -> str:
    """Return what kubectl says until it forwards, ends or is too slow."""
    said, end = "", time.monotonic() + _FORWARD_S
    assert process.stdout is not None  # noqa: S101 - it is piped
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not _FORWARDED.search(said) and time.monotonic() < end:
            if selector.select(timeout=0.2):
                line = process.stdout.readline()
                if not line:
                    break
                said += line
    return said
