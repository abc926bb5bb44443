"""Becomes the program that a launch file describes: `python launch.py FILE`.

The file (JSON: command, environment, directory) is readable by its owner alone, so a secret in the environment of a
service is neither in an argument list nor in the supervisor's configuration. Only the standard library and one module
of ours that needs no more: it runs before every start of every service, isolated from any site-packages.

A service whose main process died may leave children that hold its port and data: they end first.
"""

import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path

# The folder that holds `mlstrata`: the checkout, or site-packages.
sys.path.insert(0, str(next(folder for folder in Path(__file__).resolve().parents if (folder / "mlstrata").is_dir())))
from mlstrata.services.exporter.processes import HOME_MARK, SERVICE_MARK, marked_processes

_POLITE_SECONDS, _FORCED_SECONDS = 2.0, 60.0


def main() -> None:
    """Read the launch file and exec: the process id stays the one that the supervisor knows."""
    launch = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    os.chdir(launch["directory"])
    os.umask(0o077)
    command = launch["command"]
    environment = {**os.environ, **launch["environment"]}
    _end_orphans(Path(environment[HOME_MARK]), environment[SERVICE_MARK])
    try:
        os.execvpe(command[0], command, environment)  # noqa: S606 - becoming it is the point; no shell is involved
    except OSError as error:
        sys.exit(f"cannot start {command[0]}: {error.strerror}")


def _end_orphans(home: Path, service: str) -> None:
    """End what an earlier run of the service left: politely, then by force; the supervisor starts one at a time."""
    asked = time.monotonic()
    while orphans := [p.pid for p in marked_processes(home) if p.service == service and p.pid != os.getpid()]:
        waited = time.monotonic() - asked
        if waited > _FORCED_SECONDS:
            sys.exit(f"{service}: processes of its last run do not end: {orphans}; end them by hand")
        number = signal.SIGTERM if waited < _POLITE_SECONDS else signal.SIGKILL
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        time.sleep(0.05)


if __name__ == "__main__":
    main()
