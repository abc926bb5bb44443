"""`ConfigFile`: a file that one component contributes to a service of another, such as a scrape target."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, UpdateResult

from mlstrata.components.supervision.client import UP, SupervisorClient
from mlstrata.components.supervision.common import StatelessProvider, difference
from mlstrata.components.supervision.condition import identity
from mlstrata.components.supervision.files import inside, read, remove, write
from mlstrata.components.supervision.values import plain

_INPUTS = ("content", "service", "signal")


class ConfigFileProvider(StatelessProvider):
    """Keeps a file as declared and tells the service that reads it."""

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare the contents; an edited or missing file is drift."""
        return difference(olds, news, inputs=_INPUTS, identity=("home", "socket", "path"), healthy="as written")

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Write it."""
        return CreateResult(f"file-{props['path']}", self._apply(props))

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Write it anew."""
        return UpdateResult(self._apply(news))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Say in `state` whether the file is as written."""
        found = read(inside(Path(props["home"]), props["path"]))
        state = (
            "as written"
            if found == props["content"]
            else f"{'missing' if found is None else 'edited'}: {props['path']}"
        )
        return ReadResult(id_, {**plain(props), "state": state})

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Remove it."""
        home = Path(props["home"])
        remove(inside(home, props["path"]), home)
        self._tell(props)

    @classmethod
    def _apply(cls, props: dict[str, Any]) -> dict[str, Any]:
        if write(inside(Path(props["home"]), props["path"]), props["content"]):
            cls._tell(props)
        return {**plain(props), "state": "as written"}

    @staticmethod
    def _tell(props: dict[str, Any]) -> None:
        """Signal the service if it runs: one that does not will read the file when it starts."""
        if not props.get("signal"):
            return
        client = SupervisorClient(props["socket"])
        if client.identity() != identity(Path(props["home"])):
            return
        info = client.info(props["service"])
        if info is not None and info.state in UP:
            client.signal(props["service"], props["signal"])


class ConfigFile(Resource, module="mlstrata", name="ConfigFile"):
    """A file in an environment's home.

    Attributes:
        state: `as written`, or what is wrong.
    """

    state: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        home: Path,
        socket: Path,
        path: str,
        content: pulumi.Input[str],
        signals: tuple[str, str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare a file; `signals` names a service and the signal that makes it read the file again."""
        service, number = signals or ("", "")
        props = {
            "home": str(home),
            "socket": str(socket),
            "path": path,
            "content": content,
            "service": service,
            "signal": number,
            "state": None,
        }
        super().__init__(ConfigFileProvider(), name, props, opts)
