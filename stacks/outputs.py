"""What passes out of an environment's stack: to the command line, to other stacks, to people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pulumi

if TYPE_CHECKING:
    from mlstrata.components.cluster import SecretReference


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
    urls: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    ports: Mapping[str, pulumi.Output[dict[str, int]]] = field(default_factory=dict)

    def exported(self) -> dict[str, object]:
        """Return the stack outputs by name."""
        return {
            "home": str(self.home),
            "socket": str(self.socket),
            "urls": dict(self.urls),
            "ports": dict(self.ports),
        }


@dataclass(frozen=True)
class KubernetesEnvironment:
    """What a Kubernetes environment's stack exports; nothing of it is secret.

    Attributes:
        context: The kubeconfig's context that it is deployed to.
        namespaces: Namespace by whose it is: the platform, and each system.
        urls: Address inside the cluster by what answers there.
        secrets: Secrets that something in the cluster reads, and that neither file nor state holds.
        ground: What policies and evidence are told of what it stands on; no output.
    """

    context: str
    namespaces: Mapping[str, str]
    urls: Mapping[str, pulumi.Input[str]]
    secrets: tuple[SecretReference, ...] = ()
    ground: Mapping[str, object] = field(default_factory=dict)

    def exported(self) -> dict[str, object]:
        """Return the stack outputs by name."""
        return {
            "context": self.context,
            "namespaces": dict(self.namespaces),
            "urls": dict(self.urls),
            # Not called secrets: only their names are here, and a name is none.
            "references": self._references(),
        }

    def _references(self) -> list[dict[str, object]]:
        """Return each secret once, with everything that it must hold and everybody who reads it."""
        found: dict[tuple[str, str], list[SecretReference]] = {}
        for one in self.secrets:
            found.setdefault((one.namespace, one.name), []).append(one)
        return [
            {
                "namespace": namespace,
                "name": name,
                "keys": sorted(keys := {key for one in readers for key in one.keys}),
                "optional": sorted({key for one in readers for key in one.optional} - keys),
                "why": sorted({one.why for one in readers}),
            }
            for (namespace, name), readers in sorted(found.items())
        ]
