"""How this machine reaches what runs in a cluster: by a forwarded port, and with the registry's password."""

from __future__ import annotations

import os
import re
import selectors
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlstrata.clients.mlflow.access import SEAL
from mlstrata.components.registry.names import ACCESS, POD, PORT
from mlstrata.operations.errors import UsageError
from mlstrata_steps.seal import key

if TYPE_CHECKING:
    from mlstrata.clients.kubernetes import Cluster

REGISTRY_URL, PIPELINES_URL = "MLSTRATA_REGISTRY_URL", "MLSTRATA_PIPELINES_URL"
"""Variables with addresses at which this machine reaches registry and pipelines; else kubectl forwards a port."""
RECORDER_URL, MONITOR_URL = "MLSTRATA_RECORDER_URL", "MLSTRATA_MONITOR_URL"
"""The same of recorder and monitor."""
_PASSWORD = "MLFLOW_TRACKING_PASSWORD"  # noqa: S105 - the variable's name
_FORWARD_S = 60.0
_FORWARDED = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


def authenticate_registry(asks: Cluster, namespace: str) -> None:
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
    return _from_secret(asks, namespace, (ACCESS, "password"), f"no password for the registry ({{}}); {fix}")


def secret_of(asks: Cluster, namespace: str, entry: tuple[str, str], variable: str) -> str:
    """Return a token or key: the one in `variable`, else what a secret of the cluster has under a key.

    Raises:
        UsageError: there is no variable, and the secret is not there or may not be read.
        ClusterError: the cluster cannot be asked.
    """
    given = os.environ.get(variable, "").strip()
    return given or _from_secret(asks, namespace, entry, f"no {entry[1]} of {entry[0]} ({{}}); set {variable}")


def _from_secret(asks: Cluster, namespace: str, entry: tuple[str, str], refusal: str) -> str:
    import base64

    from mlstrata.clients.kubernetes import Forbidden, Kind, Missing

    name, key_ = entry
    try:
        secret = asks.get(Kind("", "v1", "Secret", "secrets"), name, namespace)
        return base64.b64decode(secret["data"][key_]).decode().strip()
    except (Forbidden, Missing, KeyError, ValueError) as error:
        raise UsageError(refusal.format(error)) from None


def seal_key(asks: Cluster, namespace: str) -> str | None:
    """Return the key that seals versions: of the variable, else of the registry's secret; None where neither has one.

    Raises:
        ClusterError: the cluster cannot be asked.
    """
    import base64

    from mlstrata.clients.kubernetes import Forbidden, Kind, Missing

    given: str = key()
    if given:
        return given
    try:
        secret = asks.get(Kind("", "v1", "Secret", "secrets"), ACCESS, namespace)
        return base64.b64decode(secret["data"][SEAL]).decode().strip() or None
    except (Forbidden, Missing, KeyError, ValueError):
        return None


@contextmanager
def forward_registry(asks: Cluster, namespace: str, variable: str = REGISTRY_URL) -> Iterator[str]:
    """Give an address at which this machine reaches the registry of a platform's namespace.

    Raises:
        UsageError: no port is forwarded; the message names the variable.
    """
    # By its pod's name, which is always the same: the Role of its callers names it, and nothing else there.
    with port_forward(asks, namespace, f"pod/{POD}", PORT, variable) as url:
        yield url


@contextmanager
def port_forward(asks: Cluster, namespace: str, to: str, port: int, variable: str) -> Iterator[str]:
    """Give an address at which this machine reaches a port: the one in `variable`, else one that kubectl forwards.

    Args:
        asks: The cluster.
        namespace: Where what is reached is.
        to: What is reached, as kubectl names it: `pod/NAME`, `service/NAME`.
        port: Its port.
        variable: Variable that may hold an address.

    Raises:
        UsageError: no port is forwarded; the message names the variable.
    """
    if url := os.environ.get(variable):
        yield url.rstrip("/")
        return
    command = ["kubectl", f"--context={asks.context}", f"--namespace={namespace}", "port-forward"]
    try:
        process = subprocess.Popen(
            [*command, "--address=127.0.0.1", to, f":{port}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )
    except FileNotFoundError:
        raise UsageError(
            "kubectl: no such program; install it or put it on PATH, it forwards a port to what runs inside; or set "
            f"{variable} to an address at which this machine reaches {to}"
        ) from None
    try:
        said = _said(process)
        if (match := _FORWARDED.search(said)) is None:
            reason = said.strip()[-300:] or f"no answer in {_FORWARD_S:g} s"
            raise UsageError(
                f"context {asks.context}: no port of {to} in {namespace} could be forwarded ({reason}); "
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
