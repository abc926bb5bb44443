"""A workspace of the bench's own: local.yaml with free ports, so that it runs beside any other environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

from environments import Workspace

COMMAND = Path(sys.executable).with_name("mlstrata")


def make(folder: Path) -> dict[str, str]:
    """Write the workspace into `folder`; return the variables that make the command use it."""
    document = yaml.safe_load((Workspace.code / "environments/local.yaml").read_text(encoding="utf-8"))
    names = ("gateway", "mlflow", "prometheus", "alertmanager", "runner")
    document["target"] = {"kind": "local", "ports": dict.fromkeys(names, 0)}
    # PyYAML reads the key `off` as false (YAML 1.1); the file has to say what it said.
    document["capabilities"] = {
        {False: "off", True: "on"}.get(key, key): value for key, value in (document.get("capabilities") or {}).items()
    }
    environments = folder / "environments"
    environments.mkdir(parents=True)
    (environments / "local.yaml").write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return {**os.environ, "MLSTRATA_WORKSPACE": str(folder)}


def run(environment: dict[str, str], *arguments: str) -> str:
    """Run `mlstrata` with `arguments`; return what it printed.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    done = subprocess.run(
        [COMMAND, *arguments], env=environment, check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )
    return done.stdout
