"""`Service`: one supervised process with its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, UpdateResult

from mlstrata.components.supervision.client import UP, SupervisorClient
from mlstrata.components.supervision.common import StatelessProvider, difference
from mlstrata.components.supervision.condition import condition, identity
from mlstrata.components.supervision.definition import Definition
from mlstrata.components.supervision.leftovers import end_marked
from mlstrata.components.supervision.sockets import foreign_holder, is_free
from mlstrata.components.supervision.values import SupervisionError, plain
from mlstrata.files import private_folder
from mlstrata.waiting import until

_INPUTS = ("command", "environment", "ports", "files", "seeds", "folders", "directory", "stop_seconds", "code")
_SETTLE_SECONDS = 60.0
_PORT_SECONDS = 60.0


def apply(wanted: Definition) -> str:
    """Make a service as declared, whatever a dead run left of it, and restart it only where that is needed.

    Returns:
        When the process that now runs was started (seconds since 1970, as text).

    Raises:
        SupervisionError: No supervisor answers, or one of its ports is in use by someone else.
    """
    client = SupervisorClient(wanted.socket)
    if client.identity() != identity(wanted.home):
        raise SupervisionError(f"{wanted.name} cannot start: no supervisor answers for {wanted.home}")
    info = client.info(wanted.name)
    stamp = wanted.stamp()
    running = info is not None and info.state in UP
    if running and stamp.get("digest") == wanted.digest and not wanted.edited_for_restart():
        wanted.write()
        return str(stamp["started"])
    # Without the stamp a run that dies between here and the start leaves a service that the next run starts anew.
    wanted.stamp_path.unlink(missing_ok=True)
    client.remove(wanted.name, wanted.stop_seconds + _SETTLE_SECONDS)
    end_marked(wanted.home, service=wanted.name, seconds=wanted.stop_seconds)
    _check_ports(wanted)
    private_folder(wanted.log.parent)
    wanted.write()
    client.add(wanted.name)
    return wanted.note_start()


def _check_ports(wanted: Definition) -> None:
    """Wait for ports that its own last process is about to let go; refuse those that someone else holds."""
    for name, port in wanted.ports.items():

        def decided(port: int = port) -> object:
            return is_free(port) or foreign_holder(port, wanted.home)

        until(decided, _PORT_SECONDS, 0.05)
        if not is_free(port):
            user = foreign_holder(port, wanted.home) or "another service"
            raise SupervisionError(
                f"port {port} for {name} of {wanted.name} is in use by {user}; stop it, or set target.ports.{name} to "
                "another port (0 for any free one)"
            )


class ServiceProvider(StatelessProvider):
    """Configures, starts, repairs and removes a supervised process."""

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare the definitions; anything but running is drift."""
        return difference(olds, news, inputs=_INPUTS, identity=("home", "socket", "name"), healthy="running")

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Write its files and start it, without waiting until it is ready (`Ready` does)."""
        return CreateResult(f"service-{props['name']}", self._outputs(props, apply(Definition.of(props))))

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Rewrite what changed and restart it if that needs a restart, or if it does not run."""
        wanted = Definition.of(news)
        started = apply(wanted)
        Definition.of(olds).forget(but=wanted)
        return UpdateResult(self._outputs(news, started))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Say in `state` whether it runs, from the files as written."""
        recorded = Definition.of(props)
        started = str(recorded.stamp().get("started") or props.get("started") or "")
        state = condition(
            recorded.home,
            recorded.socket,
            recorded.name,
            edited=recorded.edited,
            is_current=lambda: recorded.stamp().get("digest") == recorded.digest,
        )
        return ReadResult(id_, {**plain(props), "state": state, "started": started})

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Stop it and remove its files and logs; its data stays."""
        recorded = Definition.of(props)
        client = SupervisorClient(recorded.socket)
        if client.identity() == identity(recorded.home):
            client.remove(recorded.name, recorded.stop_seconds + _SETTLE_SECONDS)
        end_marked(recorded.home, service=recorded.name, seconds=recorded.stop_seconds)
        recorded.forget()

    @staticmethod
    def _outputs(props: dict[str, Any], started: str) -> dict[str, Any]:
        return {**plain(props), "state": "running", "started": started}


@dataclass(frozen=True)
class File:
    """A file of a service: text, or a secret output of it.

    Attributes:
        content: Its text.
        mode: Its permissions.
        restart: Whether a change restarts the service; false for files that it watches itself.
    """

    content: pulumi.Input[str]
    mode: int = 0o600
    restart: bool = True


@dataclass(frozen=True)
class ServiceArgs:
    """What a service runs.

    Attributes:
        home: The environment's home folder.
        socket: The supervisor's unix socket.
        command: Program and arguments; no secrets: anyone on the machine can list them.
        environment: Variables; may hold secrets (they reach the process through a file of its owner's).
        ports: Port by name, all on the loopback interface.
        files: Path relative to the home folder -> file that must be as declared.
        seeds: The same, written only when absent and then left to the service.
        folders: Paths relative to the home folder of folders that must exist.
        directory: Its working directory, relative to the home folder.
        stop_seconds: How long it may take to end before it is killed.
        code: The version of our code that it runs; another one is a reason to restart it.
    """

    home: Path
    socket: Path
    command: Sequence[pulumi.Input[str]]
    environment: pulumi.Input[Mapping[str, pulumi.Input[str]]] = field(default_factory=dict)
    ports: Mapping[str, pulumi.Input[int]] = field(default_factory=dict)
    files: Mapping[str, File] = field(default_factory=dict)
    seeds: Mapping[str, File] = field(default_factory=dict)
    folders: Sequence[str] = ()
    directory: str = ""
    stop_seconds: int = 10
    code: str = ""


class Service(Resource, module="mlstrata", name="Service"):
    """One supervised process.

    Attributes:
        state: `running`, or what is wrong.
        started: When it was last started on purpose (seconds since 1970, as text).
    """

    state: pulumi.Output[str]
    started: pulumi.Output[str]

    def __init__(self, resource: str, name: str, args: ServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare a service; `resource` is its logical name in Pulumi, `name` the one its files and logs carry."""
        self.service = name
        props: dict[str, Any] = {
            "home": str(args.home),
            "socket": str(args.socket),
            "name": name,
            "command": list(args.command),
            "environment": args.environment,
            "ports": dict(args.ports),
            "files": {path: _props(file) for path, file in args.files.items()},
            "seeds": {path: _props(file) for path, file in args.seeds.items()},
            "folders": list(args.folders),
            "directory": args.directory,
            "stop_seconds": args.stop_seconds,
            "code": args.code,
            "state": None,
            "started": None,
        }
        super().__init__(ServiceProvider(), resource, props, opts)


def _props(file: File) -> dict[str, Any]:
    return {"content": file.content, "mode": file.mode, "restart": file.restart}
