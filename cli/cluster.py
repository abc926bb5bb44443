"""An environment on a cluster as the commands reach it: through kubectl, and by the addresses inside."""

from __future__ import annotations

import os
import re
import selectors
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cli.console import UsageError
from cli.context import Context
from environments import Capability
from environments.spec.serving import ServingMode
from environments.spec.target import KubernetesTarget

if TYPE_CHECKING:
    from services.rollout.cluster import ClusterContext, Kubectl

REGISTRY_URL, PIPELINES_URL = "MLSTRATA_REGISTRY_URL", "MLSTRATA_PIPELINES_URL"
"""Variables with addresses at which this machine reaches registry and pipelines; else kubectl forwards a port."""
_PASSWORD = "MLFLOW_TRACKING_PASSWORD"  # noqa: S105 - the variable's name
_FORWARD_S = 15.0
_FORWARDED = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


def on_cluster(context: Context, command: str) -> KubernetesTarget:
    """Return the cluster that an environment is on.

    Raises:
        UsageError: it is on none that a kubeconfig's context names.
    """
    target = context.spec.target
    if isinstance(target, KubernetesTarget):
        return target
    raise UsageError(
        f"{context.workspace.environment_file(context.name)}: target.kind: got '{target.kind}'; "
        f"`mlstrata {command}` works on 'local' and 'kubernetes' so far"
    )


def kubectl(context: Context) -> Kubectl:
    """Return what asks the environment's cluster."""
    from services.rollout.cluster import Kubectl

    return Kubectl(on_cluster(context, "status").context)


@contextmanager
def cluster_context(
    context: Context, decider: str, on_step: Callable[[str], None], *, urgent: bool = False
) -> Iterator[ClusterContext]:
    """Give the environment's cluster as a release sees it, with a way to the registry while it is open.

    Args:
        context: The environment.
        decider: Who decides, when a command does not say.
        on_step: Told the name of each step.
        urgent: Go on without the registry, where it cannot be reached.

    Raises:
        UsageError: the registry cannot be reached.
        ClusterError: nor can the cluster.
    """
    from services.rollout.cluster import ClusterContext, ClusterError

    target = on_cluster(context, "release")
    asks = kubectl(context)
    inside = f"http://mlflow.{target.namespace}.svc:5000"
    spaces = served_in(context)

    def found(registry: str) -> ClusterContext:
        return ClusterContext(context.home, asks, spaces, registry, decider, on_step=on_step)

    try:
        let_in(asks, target.namespace)
        opened = forwarded(asks, target.namespace, "mlflow", 5000, REGISTRY_URL)
        registry = opened.__enter__()
    except (UsageError, ClusterError):
        if not urgent:
            raise
        # Going back needs no registry: its alias follows by the next rollback, which says so.
        yield found(inside)
        return
    try:
        yield found(registry)
    finally:
        opened.__exit__(None, None, None)


def served_in(context: Context) -> dict[str, str]:
    """Return the namespace of each system of an environment that answers requests."""
    from components.teams.args import space_of

    namespace = on_cluster(context, "release").namespace
    return {
        system.name: space_of(namespace, system.team, system.name)
        for system in context.spec.systems
        if system.serving.mode is ServingMode.REALTIME and Capability.SERVING in context.spec.capabilities
    }


def let_in(asks: Kubectl, namespace: str) -> None:
    """Let this process ask the registry: by MLflow's own variables, else with the password in the cluster's secret.

    Raises:
        UsageError: there are no variables, and the secret is not there or may not be read.
        ClusterError: the cluster cannot be asked.
    """
    from services.registry.access import of

    if not (os.environ.get(_PASSWORD) or os.environ.get("MLFLOW_TRACKING_TOKEN")):
        fix = f"set MLFLOW_TRACKING_USERNAME and {_PASSWORD}, the registry's"
        os.environ.update(of(registry_password(asks, namespace, fix)))


def registry_password(asks: Kubectl, namespace: str, fix: str) -> str:
    """Return the registry's password, from the cluster's secret.

    Raises:
        UsageError: the secret is not there or may not be read; the message ends with `fix`.
        ClusterError: the cluster cannot be asked.
    """
    import base64

    from services.rollout.cluster import Forbidden, Missing

    try:
        secret = asks.get("secrets", "mlflow-access", namespace)
        return base64.b64decode(secret["data"]["password"]).decode()
    except (Forbidden, Missing, KeyError, ValueError) as error:
        raise UsageError(f"no password for the registry ({error}); {fix}") from None


@contextmanager
def forwarded(asks: Kubectl, namespace: str, service: str, port: int, variable: str) -> Iterator[str]:
    """Give an address at which this machine reaches a service: the one in `variable`, else a port kubectl forwards.

    Raises:
        UsageError: no port is forwarded; the message names the variable.
    """
    if url := os.environ.get(variable):
        yield url.rstrip("/")
        return
    command = [asks.program, f"--context={asks.context}", f"--namespace={namespace}", "port-forward"]
    try:
        process = subprocess.Popen(
            [*command, "--address=127.0.0.1", f"service/{service}", f":{port}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )
    except FileNotFoundError:
        raise UsageError(f"{asks.program}: no such program; install kubectl, or put it on PATH") from None
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
