"""The platform on this machine: ports first, then the supervisor, so that a port in use stops everything else."""

from __future__ import annotations

import pulumi

from mlstrata.components.base import Component
from mlstrata.components.local_host import Host
from mlstrata.components.platform.args import PlatformArgs
from mlstrata.components.supervision.ports import Ports
from mlstrata.components.supervision.supervisor import Supervisor


class Platform(Component):
    """Ports and supervisor of a local environment.

    Attributes:
        ports: The ports of each service.
        host: What other components need to run services here.
    """

    def __init__(self, name: str, args: PlatformArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("platform", name, {"spec": dict(args.facts)}, opts)
        self.ports = {
            service: Ports(f"{service}-ports", home=args.home, owner=service, wanted=wanted, opts=self.child())
            for service, wanted in args.wanted.items()
        }
        supervisor = Supervisor(
            "supervisor", home=args.home, socket=args.socket, opts=self.child(after=[*self.ports.values(), *args.after])
        )
        self.host = Host(args.home, args.socket, supervisor, args.binaries, args.owner)
        self.register_outputs({})
