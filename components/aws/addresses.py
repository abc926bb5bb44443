"""Which addresses each subnet has: pure arithmetic, so that a property test can try every file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

ZONES = "abcdef"
SERVICES = ("172.20.0.0/16", "10.100.0.0/16")
"""Addresses of the cluster's services, which no network of anybody's may have; the first that is free is taken."""


@dataclass(frozen=True)
class ZoneAddresses:
    """The subnets of a zone.

    Attributes:
        private: Of nodes and pods.
        public: Of gateways to the internet and of load balancers that it reaches.
        data: Of databases.
    """

    private: IPv4Network
    public: IPv4Network
    data: IPv4Network


def addresses(network: str, zones: Sequence[str]) -> dict[str, ZoneAddresses]:
    """Return the addresses of each zone's subnets.

    Half of the network is for nodes and pods, a quarter each for what is public and for databases; each part has room
    for eight zones. A zone's addresses follow from its letter, so that another zone moves nobody.

    Args:
        network: A network of /16 to /20.
        zones: Letters of its zones.
    """
    nodes, rest = IPv4Network(network).subnets()
    public, data = rest.subnets()
    private = list(nodes.subnets(prefixlen_diff=3))
    opened, closed = list(public.subnets(prefixlen_diff=3)), list(data.subnets(prefixlen_diff=3))
    return {zone: ZoneAddresses(private[at], opened[at], closed[at]) for zone in zones for at in [ZONES.index(zone)]}


def of_services(network: str) -> str:
    """Return the addresses of the cluster's services beside a network."""
    taken = IPv4Network(network)
    return next(one for one in SERVICES if not IPv4Network(one).overlaps(taken))
