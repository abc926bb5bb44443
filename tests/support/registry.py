"""MLflow as a cluster runs it, on this machine: started, waited for, and ended."""

import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.patience import PATIENCE, eventually
from tests.support.ports import free_port

PASSWORD = "one that was generated"
NAMES = "mlflow,mlflow.mlstrata,mlflow.mlstrata.svc,mlflow.mlstrata.svc.cluster.local"


def get(url: str, host: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    """Ask as somebody who knows the server by a name; (0, "") where nobody listens."""
    request = urllib.request.Request(url, headers={**(headers or {}), "Host": host})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
    except OSError:
        return 0, ""


@contextmanager
def serving(folder: Path, names: str = NAMES, python: str = sys.executable, database: str = "") -> Iterator[str]:
    """Have MLflow answer over a database and artifacts in a folder, behind `PASSWORD`; yields its address.

    Args:
        folder: Where all of it lies; its tables are made in `mlflow.db` where they are not.
        names: The hosts by which it lets itself be asked.
        python: The interpreter of the environment that has it.
        database: Address of its tables; by default a file in the folder.
    """
    port = free_port()
    # What Postgres does with its tables the drill of the backup shows; who is let in is the same over any database.
    tables = database or f"sqlite:///{folder}/mlflow.db"
    told = {"MLFLOW_BACKEND_STORE_URI": tables, "MLFLOW_TRACKING_PASSWORD": PASSWORD}
    (folder / "metrics").mkdir()
    arguments = [f"--port={port}", f"--artifacts-destination={folder}/artifacts", f"--hosts={names}"]
    command = [python, "-m", "mlstrata.services.registry.cluster", *arguments, f"--metrics={folder}/metrics"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env={**os.environ, **told}, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"

        def answers() -> bool:
            assert process.poll() is None, (folder / "log").read_text()
            # As a probe asks: by the pod's address.
            return get(f"{url}/health", f"10.1.2.3:{port}")[0] == 200

        eventually(answers)
        yield url
    finally:
        process.terminate()
        process.wait(PATIENCE)
