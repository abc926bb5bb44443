"""Who may ask the registry: one user, whose generated password lies in a file of the environment's home.

MLflow's own clients take user and password from two variables, so every client of ours hands them over the same way:
never in an argument list, an address or a log.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from mlstrata_steps.seal import KEY

USER = "mlstrata"
PASSWORD_FILE = "config/mlflow/password"  # noqa: S105 - where it lies, not what it is
"""The password's place in an environment's home; readable by its owner alone."""
SEAL = "seal"
"""On a cluster, its key in the secret with the password; a cluster without it seals none."""
SEAL_FILE = "config/seal/key"
"""The place of the key that seals the versions which the platform makes (`mlstrata_steps.seal`), the same way."""

QUIET = {
    # A file comes through the registry: the address of its store is one that only the store's clients know.
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
"""Variables of every job that asks the registry by MLflow's own clients."""

PATIENT = {
    "MLSTRATA_REGISTRY_PATIENCE_S": "600",
    # MLflow's own clients: nine tries, the most that it takes, with 1, 2, 4 … 120 s between them are six minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "9",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    **QUIET,
}
"""Variables of what runs in a pod and asks the registry: it restarts within a minute, a job may have taken hours."""


def variables(home: Path) -> dict[str, str]:
    """Return the variables that MLflow's clients take; none where the environment has no password yet."""
    try:
        password = (home / PASSWORD_FILE).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return {}
    return of(password)


def sealing(home: Path) -> dict[str, str]:
    """Return the variable with which a training run seals what it registers; none where there is no key yet."""
    try:
        return {KEY: (home / SEAL_FILE).read_text(encoding="utf-8").strip()}
    except FileNotFoundError:
        return {}


def of(password: str) -> dict[str, str]:
    """Return the variables that MLflow's clients take, for a password at hand."""
    return {"MLFLOW_TRACKING_USERNAME": USER, "MLFLOW_TRACKING_PASSWORD": password}


def header(given: Mapping[str, str]) -> dict[str, str]:
    """Return the HTTP header that says what the variables of MLflow's clients do; none where they are empty."""
    user, password = given.get("MLFLOW_TRACKING_USERNAME"), given.get("MLFLOW_TRACKING_PASSWORD")
    if user and password:
        return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
    token = given.get("MLFLOW_TRACKING_TOKEN")
    return {"Authorization": f"Bearer {token}"} if token else {}


def past_proxies(address: str) -> None:
    """Have clients, in this process and those it starts, reach an address of this machine without a proxy.

    Where people's variables name a proxy, MLflow's client and boto3 ask it for 127.0.0.1 too, which is another machine
    there. Other addresses are asked for as those variables say.
    """
    host = urlsplit(address).hostname or ""
    # The lower-case one wins where both are set, so both say the same.
    known = [one for one in (os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "").split(",") if one]
    if on_this_machine(address) and host not in known:
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join([*known, host])


def on_this_machine(address: str) -> bool:
    """Say whether an address is one of this machine's own, which no proxy reaches."""
    host = urlsplit(address).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
