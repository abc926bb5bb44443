"""A local environment's place on this machine, and what each of its components does the same way there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi

from mlstrata.components.base import Component
from mlstrata.components.code_version import version
from mlstrata.components.programs import Binaries
from mlstrata.components.supervision.ready import Ready
from mlstrata.components.supervision.service import Service, ServiceArgs


@dataclass(frozen=True)
class Host:
    """Where a local environment lives.

    Attributes:
        home: The folder of everything that it owns.
        socket: Its supervisor's unix socket.
        supervisor: What every service waits for.
        binaries: The programs that its services run.
        owner: Who is told when a part of the platform is not well.
        contributions: The files that its components give to the monitoring, filled as they are made.
    """

    home: Path
    socket: Path
    supervisor: pulumi.Resource
    binaries: Binaries
    owner: str
    contributions: list[pulumi.Resource] = field(default_factory=list, compare=False)


class LocalComponent(Component):
    """A component that runs services on this machine.

    Attributes:
        ready: That its services are healthy, in the order they were declared.
    """

    def __init__(
        self, module: str, name: str, host: Host, opts: pulumi.ResourceOptions | None, **inputs: object
    ) -> None:
        super().__init__(module, name, inputs, opts)
        self.host = host
        self.ready: list[Ready] = []

    def run(
        self,
        name: str,
        *,
        health: pulumi.Input[str],
        after: Sequence[pulumi.Resource] = (),
        resource: str = "",
        authority: str | None = None,
        **args: Any,
    ) -> Service:
        """Declare a service, and that it becomes healthy: `health` is the address that then answers 200.

        `authority` is the file, from the home, of who signed its certificate, where it speaks HTTPS.
        """
        at = resource or name
        home, socket = self.host.home, self.host.socket
        opts = self.child(after=[self.host.supervisor, *after])
        running = version(str(args["command"][0]))
        service = Service(at, name, ServiceArgs(home=home, socket=socket, code=running, **args), opts)
        ready = Ready(
            f"{at}-ready",
            home=home,
            socket=socket,
            services=[service],
            checks={name: health},
            authorities={name: home / authority} if authority else {},
            opts=self.child(after=[service]),
        )
        self.ready.append(ready)
        return service


def loopback(port: pulumi.Input[int], path: str = "", *, scheme: str = "http") -> pulumi.Output[str]:
    """Return the address of a loopback port."""
    return pulumi.Output.from_input(port).apply(lambda number: f"{scheme}://127.0.0.1:{int(number)}{path}")


def text(port: pulumi.Input[int]) -> pulumi.Output[str]:
    """Return a port as an argument of a command."""
    return pulumi.Output.from_input(port).apply(lambda number: str(int(number)))
