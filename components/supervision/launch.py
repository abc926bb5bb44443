"""Becomes the program that a launch file describes: `python launch.py FILE`.

The file (JSON: command, environment, directory) is readable by its owner alone, so a secret in the environment of a
service is neither in an argument list nor in the supervisor's configuration. Only the standard library: it runs
before every start of every service, isolated from any site-packages.
"""

import json
import os
import sys
from pathlib import Path


def main() -> None:
    """Read the launch file and exec: the process id stays the one that the supervisor knows."""
    launch = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    os.chdir(launch["directory"])
    os.umask(0o077)
    command = launch["command"]
    environment = {**os.environ, **launch["environment"]}
    try:
        os.execvpe(command[0], command, environment)  # noqa: S606 - becoming it is the point; no shell is involved
    except OSError as error:
        sys.exit(f"cannot start {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
