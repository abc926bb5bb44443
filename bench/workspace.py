"""A workspace of the bench's own: local.yaml with free ports, so that it runs beside any other environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
COMMAND = Path(sys.executable).with_name("mlstrata")


def make(folder: Path) -> dict[str, str]:
    """Write the workspace into `folder`; return the variables that make the command use it."""
    (folder / "policies").mkdir(parents=True)
    shutil.copy(ROOT / "policies/exemptions.yaml", folder / "policies")
    return _write(folder, _document())


def make_many(folder: Path, systems: int) -> dict[str, str]:
    """Write a workspace whose environment has the shipped system `systems` times, and no exemptions."""
    document = _document()
    (shipped,) = document["systems"]
    document["systems"] = [{**shipped, "name": f"{shipped['name']}-{at}"} for at in range(systems)]
    (folder / "policies").mkdir(parents=True)
    (folder / "policies/exemptions.yaml").write_text("exemptions: []\n", encoding="utf-8")
    return _write(folder, document)


def _document() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "environments/local.yaml").read_text(encoding="utf-8"))
    names = ("gateway", "mlflow", "prometheus", "alertmanager", "runner")
    document["target"] = {"kind": "local", "ports": dict.fromkeys(names, 0)}
    document["systems"] = document["systems"][:1]  # how many there are is what some measurements vary
    # PyYAML reads the key `off` as false (YAML 1.1); the file has to say what it said.
    document["capabilities"] = {
        {False: "off", True: "on"}.get(key, key): value for key, value in (document.get("capabilities") or {}).items()
    }
    return document


def _write(folder: Path, document: dict[str, Any]) -> dict[str, str]:
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


def find_support() -> None:
    """Let the tests' support be imported: some packages install a `tests` of their own, which would be found first."""
    tests = ModuleType("tests")
    tests.__path__ = [str(ROOT / "tests")]
    sys.modules.setdefault("tests", tests)
