"""`Supervisor`: the one supervisord of an environment."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, UpdateResult

from mlstrata.components.supervision.client import SupervisorClient
from mlstrata.components.supervision.common import StatelessProvider, difference
from mlstrata.components.supervision.condition import identity
from mlstrata.components.supervision.definition import renew_starts
from mlstrata.components.supervision.files import digest, read, remove, tail, write
from mlstrata.components.supervision.leftovers import end_marked
from mlstrata.components.supervision.values import SupervisionError, plain
from mlstrata.environments.installation import interpreter
from mlstrata.files import locked, private_folder
from mlstrata.services.exporter.processes import HOME_MARK, SERVICE_MARK, marked_processes
from mlstrata.waiting import until

NAME = "supervisor"
CONFIG = "config/supervisord.conf"
"""Its configuration's place in an environment's home."""
_STAMP, _PROGRAMS, _LOG = (
    "run/supervisord.stamp",
    "config/supervisor.d",
    "logs/supervisord.log",
)
_START_SECONDS, _STOP_SECONDS = 120.0, 120.0
# Services get no more of the caller's variables than these: no passphrase, no cloud credentials.
_INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TMPDIR", "TZ")


def check_home(home: Path) -> None:
    """Refuse a home folder whose path the supervisor's configuration cannot hold."""
    if any(sign in str(home) for sign in ("\n", " ;", " #", '"', ",", "%", "[", "*", "?")):
        raise SupervisionError(
            f"{home}: the path must not hold a quote, a comma, %, [, *, ?, ' ;' or ' #'; move the checkout"
        )


def render_config(home: Path, socket: Path) -> str:
    """Return supervisord's configuration: one unix socket for its owner alone, no port.

    What it includes is named from its own folder: supervisord takes a space for the start of another pattern.
    """
    here, there = (str(path).replace("%", "%%") for path in (home, socket))
    return f"""\
[supervisord]
identifier={identity(home).replace("%", "%%")}
directory={here}
logfile={here}/{_LOG}
logfile_maxbytes=10MB
logfile_backups=1
pidfile={here}/run/supervisord.pid
childlogdir={here}/logs
umask=077

[unix_http_server]
file={there}
chmod=0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{there}

[include]
files={_PROGRAMS.removeprefix("config/")}/*.conf
"""


class SupervisorProvider(StatelessProvider):
    """Starts, adopts, repairs and stops the supervisord of a home."""

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Anything but running is drift; another home or socket is another supervisor."""
        return difference(olds, news, inputs=(), identity=("home", "socket"), healthy="running")

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Start it, or take over the one that a dead run started."""
        return CreateResult(f"supervisor-{digest({'home': props['home']})}", self._apply(props))

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Bring it back; a live one whose configuration is as wanted is left alone."""
        return UpdateResult(self._apply(news))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Say in `state` whether it runs and its configuration is as written."""
        home, socket = Path(props["home"]), Path(props["socket"])
        state = "running"
        if SupervisorClient(socket).identity() != identity(home):
            state = "dead"
        elif read(home / CONFIG) != render_config(home, socket):
            state = f"edited: {CONFIG}"
        return ReadResult(id_, {**plain(props), "state": state})

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Stop everything and return when no process of the environment is left."""
        home, socket = Path(props["home"]), Path(props["socket"])
        _stop(home, socket)
        with contextlib.suppress(OSError):
            for program in (home / _PROGRAMS).glob("*.conf"):
                remove(program, home)
        for left in (
            CONFIG,
            _STAMP,
            _LOG,
            f"{_LOG}.1",
            "run/supervisord.pid",
            "run/supervisor.lock",
        ):
            remove(home / left, home)
        socket.unlink(missing_ok=True)

    @staticmethod
    def _apply(props: dict[str, Any]) -> dict[str, Any]:
        home, socket = Path(props["home"]), Path(props["socket"])
        check_home(home)
        config = render_config(home, socket)
        stamp = digest({"config": config})
        with locked(home / "run/supervisor.lock"):
            alive = SupervisorClient(socket).identity() == identity(home)
            if not alive or read(home / _STAMP) != stamp:
                _stop(home, socket)
                _start(home, socket, config)
                write(home / _STAMP, stamp)
                renew_starts(home)
            write(home / CONFIG, config)
        return {**plain(props), "state": "running"}


def _start(home: Path, socket: Path, config: str) -> None:
    for part in ("config", _PROGRAMS, "run", "logs", "data"):
        private_folder(home / part)
    private_folder(socket.parent)
    # Logs and data of services are nobody else's, whoever made the folder and with whatever mask.
    home.chmod(0o700)
    write(home / CONFIG, config)
    environment = {key: os.environ[key] for key in _INHERITED if key in os.environ}
    environment |= {HOME_MARK: str(home), SERVICE_MARK: NAME, "PYTHONUNBUFFERED": "1"}
    started = subprocess.run(
        [str(interpreter()), "-m", "supervisor.supervisord", "-c", str(home / CONFIG)],
        env=environment,
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_START_SECONDS,
        start_new_session=True,
    )
    client = SupervisorClient(socket)
    if started.returncode == 0 and until(lambda: client.identity() == identity(home), _START_SECONDS, 0.02):
        return
    reason = (started.stderr or started.stdout).strip() or tail(home / _LOG)
    raise SupervisionError(f"the supervisor of {home} did not start: {reason}")


def _stop(home: Path, socket: Path) -> None:
    """Stop the supervisor with its services, then whatever else carries the mark of this home."""
    client = SupervisorClient(socket)
    if client.identity() == identity(home):
        pid = client.pid()
        with contextlib.suppress(SupervisionError):
            client.shutdown()
        # It ends when its services have, each within its own limit; only then is force in order.
        until(lambda: all(process.pid != pid for process in marked_processes(home)), _STOP_SECONDS, 0.05)
    end_marked(home)
    socket.unlink(missing_ok=True)


class Supervisor(Resource, module="mlstrata", name="Supervisor"):
    """One supervisord.

    Attributes:
        state: `running`, or what is wrong.
    """

    state: pulumi.Output[str]

    def __init__(self, name: str, *, home: Path, socket: Path, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the supervisor of a home folder, answering on a unix socket."""
        props = {"home": str(home), "socket": str(socket), "state": None}
        super().__init__(SupervisorProvider(), name, props, opts)
