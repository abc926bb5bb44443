"""What passes out of an environment's stack: to the command line, to other stacks, to people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pulumi


@dataclass(frozen=True)
class LocalEnvironment:
    """What a local environment's stack exports; nothing of it is secret.

    Attributes:
        home: The folder of everything that it owns.
        socket: Its supervisor's unix socket.
        urls: Address by what answers there (gateway, mlflow, prometheus, alertmanager, runner, catalog).
        ports: Loopback port by service and name.
    """

    home: Path
    socket: Path
    urls: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)
    ports: Mapping[str, pulumi.Output[dict[str, int]]] = field(default_factory=dict)

    def exported(self) -> dict[str, object]:
        """Return the stack outputs by name."""
        return {
            "home": str(self.home),
            "socket": str(self.socket),
            "urls": dict(self.urls),
            "ports": dict(self.ports),
        }
