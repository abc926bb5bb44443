"""Models in a platform's registry without a training run: what a test of something else needs."""

import os
import subprocess

from mlstrata.clients.mlflow.access import sealing, variables
from tests.support.command import ROOT, Platform


def registered(platform: Platform, *systems: str) -> None:
    """Register versions 1, 2 and 3 of each system, as the environment's own user."""
    script = [str(ROOT / ".venv/bin/python"), str(ROOT / "tests/local/hmda_model.py")]
    # A training run of the platform is given its key, too: what it registers is sealed by it.
    given = variables(platform.home) | sealing(platform.home)
    environment = os.environ | given | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    url = platform.exports()["urls"]["mlflow"]
    done = subprocess.run(
        [*script, url, *systems], env=environment, cwd=platform.root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
