"""`Ports`: the loopback ports of one service, wanted or free ones, remembered in the state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, UpdateResult

from mlstrata.components.supervision.common import StatelessProvider, difference
from mlstrata.components.supervision.files import read_json, remove, write
from mlstrata.components.supervision.sockets import foreign_holder, pick
from mlstrata.components.supervision.values import SupervisionError, plain
from mlstrata.files import locked

_REGISTER, _LOCK = "run/ports.json", "run/ports.lock"


def allocate(home: Path, owner: str, wanted: Mapping[str, int], kept: Mapping[str, int]) -> dict[str, int]:
    """Give each name of `wanted` its port and note them, so that no other owner of this home gets the same.

    Args:
        home: The environment's home folder.
        owner: Whose ports these are.
        wanted: Port by name, 0 for any free one.
        kept: Ports that the owner has already and keeps where the wish allows it.

    Raises:
        SupervisionError: A wanted port is in use or belongs to another owner; nothing is noted then.
    """
    with locked(home / _LOCK):
        register = {name: plain(ports) for name, ports in read_json(home / _REGISTER).items()}
        taken = {port: name for name, ports in register.items() if name != owner for port in ports.values()}
        mine = {**register.get(owner, {}), **kept}
        given: dict[str, int] = {}
        for name, want in wanted.items():
            given[name] = _one(home, name, want, mine.get(name, 0), {**taken, **dict.fromkeys(given.values(), owner)})
        write(home / _REGISTER, json.dumps({**register, owner: given}, indent=1, sort_keys=True))
    return given


def _one(home: Path, name: str, want: int, have: int, taken: Mapping[int, str]) -> int:
    if not want:
        return have if have and have not in taken and foreign_holder(have, home) is None else pick(taken)
    if want in taken:
        raise SupervisionError(
            f"port {want} is wanted by {name} and by {taken[want]}; give each its own: target.ports.{name}, 0 for any"
        )
    if user := foreign_holder(want, home):
        raise SupervisionError(
            f"port {want} for {name} is in use by {user}; stop it, or set target.ports.{name} to another port "
            "(0 for any free one)"
        )
    return want


class PortsProvider(StatelessProvider):
    """Allocates on create, keeps on update and releases on delete."""

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare the wishes; another home is another resource."""
        return difference(olds, news, inputs=("wanted",), identity=("home", "owner"))

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Allocate; ports that a dead run noted for this owner are taken over."""
        return CreateResult(f"ports-{props['owner']}", self._allocate(props, {}))

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Allocate what is new and keep what is as wanted."""
        return UpdateResult(self._allocate(news, plain(olds.get("ports") or {})))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return the ports as recorded: the services that use them report their own health."""
        return ReadResult(id_, plain(props))

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Release the ports."""
        home = Path(props["home"])
        if not home.exists():
            return
        with locked(home / _LOCK):
            register = {owner: ports for owner, ports in read_json(home / _REGISTER).items() if owner != props["owner"]}
            if register:
                write(home / _REGISTER, json.dumps(plain(register), indent=1, sort_keys=True))
            else:
                # The last one takes the lock's file along: `down` leaves nothing but data.
                (home / _LOCK).unlink(missing_ok=True)
                remove(home / _REGISTER, home)

    @staticmethod
    def _allocate(props: dict[str, Any], kept: Mapping[str, int]) -> dict[str, Any]:
        inputs = plain(props)
        return {**inputs, "ports": allocate(Path(inputs["home"]), inputs["owner"], inputs["wanted"], kept)}


class Ports(Resource, module="mlstrata", name="Ports"):
    """Loopback ports of one service.

    Attributes:
        ports: Port by name.
    """

    ports: pulumi.Output[dict[str, int]]

    def __init__(
        self,
        name: str,
        *,
        home: Path,
        owner: str,
        wanted: Mapping[str, int],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the ports of `owner`: `wanted` maps a name to a port, 0 for any free one."""
        props = {"home": str(home), "owner": owner, "wanted": dict(wanted), "ports": None}
        super().__init__(PortsProvider(), name, props, opts)

    def port(self, name: str) -> pulumi.Output[int]:
        """Return one of the ports."""
        return self.ports.apply(lambda ports: int(ports[name]))
