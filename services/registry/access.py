"""Who may ask the registry: one user, whose generated password lies in a file of the environment's home.

MLflow's own clients take user and password from two variables, so every client of ours hands them over the same way:
never in an argument list, an address or a log.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

USER = "mlstrata"
PASSWORD_FILE = "config/mlflow/password"  # noqa: S105 - where it lies, not what it is
"""The password's place in an environment's home; readable by its owner alone."""


def variables(home: Path) -> dict[str, str]:
    """Return the variables that MLflow's clients take; none where the environment has no password yet."""
    try:
        password = (home / PASSWORD_FILE).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return {}
    return of(password)


def of(password: str) -> dict[str, str]:
    """Return the variables that MLflow's clients take, for a password at hand."""
    return {"MLFLOW_TRACKING_USERNAME": USER, "MLFLOW_TRACKING_PASSWORD": password}


def header(given: Mapping[str, str]) -> dict[str, str]:
    """Return the HTTP header that says what `variables` do; none where they are empty."""
    user, password = given.get("MLFLOW_TRACKING_USERNAME"), given.get("MLFLOW_TRACKING_PASSWORD")
    if not user or not password:
        return {}
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
