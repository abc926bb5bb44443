"""A local environment while it is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlstrata.components.local_host import Host
from mlstrata.components.site import Site
from mlstrata.components.supervision.ports import Ports


@dataclass
class LocalSite(Site):
    """What a capability is built from on this machine.

    Attributes:
        host: What its services run on; knows the folders, the supervisor, the programs and what is scraped.
        ports: The ports of every service, reserved before anything starts.
    """

    host: Host
    ports: Mapping[str, Ports]
