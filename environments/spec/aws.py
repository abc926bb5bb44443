"""What an AWS account is asked for: addresses, machines and a database."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from mlstrata.environments.spec.base import Problem, Spec, immutable, refuse, wrong
from mlstrata.environments.spec.text import (
    AwsMachine,
    CacheMachine,
    DatabaseMachine,
    Network,
    Whole,
)

PRIVATE = tuple(ipaddress.IPv4Network(one) for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
_WIDEST, _NARROWEST = 16, 20
_NETWORK = "a private network of /16 to /20 that begins at its first address, such as 10.64.0.0/16"
_RESTORE = "back up, make a new environment with it, and restore there"


def _private(value: str) -> str:
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError:
        begins = str(ipaddress.IPv4Network(value, strict=False))
        raise wrong(_NETWORK, f"did you mean '{begins}'?") from None
    if not _WIDEST <= network.prefixlen <= _NARROWEST or not any(network.subnet_of(one) for one in PRIVATE):
        raise wrong(_NETWORK)
    return value


PrivateNetwork = Annotated[Network, AfterValidator(_private)]
"""Addresses of a network of one's own, wide enough for six zones and no wider than AWS takes."""


class SystemNodesSpec(Spec):
    """The nodes that are always there: operators, the platform's services, whatever needs no GPU."""

    machine: AwsMachine = Field(
        default="m7i.xlarge", description="Kind of machine; m7i.xlarge, 4 cores and 16 GiB, of x86-64 as our image."
    )
    min: Annotated[Whole, Field(ge=1, le=100)] = Field(
        default=3, description="Fewest nodes; 3, one in each zone, so one may fail."
    )
    max: Annotated[Whole, Field(ge=1, le=100)] = Field(default=9, description="Most nodes; 9, three times as many.")

    @model_validator(mode="after")
    def _ordered(self) -> SystemNodesSpec:
        refuse(
            [Problem(("min",), f"got {self.min}, more than max ({self.max})", "lower min or raise max")]
            if self.min > self.max
            else []
        )
        return self


class AwsDatabaseSpec(Spec):
    """The Postgres of the platform, which AWS runs."""

    machine: DatabaseMachine = Field(
        default="db.m7g.large", description="Kind of machine; db.m7g.large, 2 cores and 8 GiB, enough for a registry."
    )
    version: Annotated[Whole, Field(ge=14, le=18)] = Field(
        default=17,
        description="Postgres' major version; 17. Minor ones come by themselves.",
        json_schema_extra=immutable(_RESTORE),
    )
    gigabytes: Annotated[Whole, Field(ge=20, le=65_536)] = Field(
        default=100, description="Storage in GiB, which grows by itself up to five times; 100, since it never shrinks."
    )
    backup_days: Annotated[Whole, Field(ge=1, le=35)] = Field(
        default=35, description="Days for which any second of it can be put back; 35, the most AWS has."
    )


class OnlineStoreSpec(Spec):
    """Values of features in memory, as AWS runs it (ElastiCache with Valkey), for stage mature's feature store."""

    machine: CacheMachine = Field(
        default="cache.m7g.large", description="Kind of machine; cache.m7g.large, 6 GiB of values."
    )
