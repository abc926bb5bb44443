"""The network: three kinds of subnets in each zone, the ways in and out, and a record of who spoke to whom."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

import pulumi
import pulumi_aws as aws

from mlstrata.components.aws.account import Account
from mlstrata.components.aws.addresses import addresses
from mlstrata.components.aws.base import AwsComponent

EVERYWHERE = "0.0.0.0/0"
PRIVATE, PUBLIC, DATA = "private", "public", "data"
INTERFACES = ("ecr.api", "ecr.dkr", "sts")
"""Services of AWS that are reached without leaving the network."""
WITHOUT_INTERNET = (
    *("ec2", "eks", "eks-auth", "elasticloadbalancing", "kms", "logs"),
    *("secretsmanager", "sqs", "ssm"),
)
"""Those that nodes and operators need besides, where no gateway leads out."""
HTTPS = 443


@dataclass(frozen=True)
class NetworkArgs:
    """Arguments of `Network`.

    Attributes:
        account: Where.
        network: Its addresses.
        zones: Letters of its zones.
        nat: none, one gateway, or one in each of its zones.
        internet: A load balancer of it is reached from the internet.
    """

    account: Account
    network: str
    zones: tuple[str, ...]
    nat: str
    internet: bool = False


class Network(AwsComponent):
    """A network with private nodes; whatever leads to the internet is in subnets of its own.

    Attributes:
        id: Its id.
        private: Subnets of nodes.
        data: Subnets of databases.
    """

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args.account, opts)
        self.args = args
        self.vpc = aws.ec2.Vpc(
            name,
            cidr_block=args.network,
            enable_dns_hostnames=True,
            enable_dns_support=True,
            tags=self.account.tags("network"),
            opts=self.child(),
        )
        self.id = self.vpc.id
        # What names no group of its own would be in this one: it lets nothing in and nothing out.
        aws.ec2.DefaultSecurityGroup(
            self.of("closed"), vpc_id=self.id, tags=self.account.tags("closed"), opts=self.child()
        )
        made = addresses(args.network, args.zones)
        self.subnets = {
            kind: {zone: self._subnet(kind, zone, getattr(of, kind)) for zone, of in made.items()}
            for kind in (PRIVATE, DATA, *((PUBLIC,) if self._opened else ()))
        }
        self.private = [one.id for one in self.subnets[PRIVATE].values()]
        self.data = [one.id for one in self.subnets[DATA].values()]
        self.tables = self._tables()
        self._endpoints()
        self.register_outputs({})

    @property
    def _opened(self) -> bool:
        return self.args.nat != "none" or self.args.internet

    def _subnet(self, kind: str, zone: str, of: IPv4Network) -> Any:
        # By these the load balancer's controller knows where it may put what.
        roles = {PRIVATE: {"kubernetes.io/role/internal-elb": "1"}, PUBLIC: {"kubernetes.io/role/elb": "1"}}
        return aws.ec2.Subnet(
            self.of(f"{kind}-{zone}"),
            vpc_id=self.id,
            cidr_block=str(of),
            availability_zone=f"{self.account.region}{zone}",
            map_public_ip_on_launch=False,
            tags=self.account.tags(f"{kind}-{zone}") | roles.get(kind, {}),
            opts=self.child(),
        )

    def _tables(self) -> list[Any]:
        """Make a table of routes for each private subnet, and one for what is public; databases have no way out."""
        gateways = self._ways_out() if self._opened else {}
        found = []
        for zone, subnet in self.subnets[PRIVATE].items():
            table = self._table(f"{PRIVATE}-{zone}", subnet)
            found.append(table.id)
            if gateways:
                out = gateways.get(zone) or next(iter(gateways.values()))
                self._route(f"{PRIVATE}-{zone}", table, nat_gateway_id=out)
        return found

    def _ways_out(self) -> dict[str, Any]:
        """Make the internet's gateway and those that nodes go out by; return the latter by zone."""
        args = self.args
        internet = aws.ec2.InternetGateway(
            self.of("internet"), vpc_id=self.id, tags=self.account.tags("internet"), opts=self.child()
        )
        for zone, subnet in self.subnets[PUBLIC].items():
            self._route(f"{PUBLIC}-{zone}", self._table(f"{PUBLIC}-{zone}", subnet), gateway_id=internet.id)
        zones = {"none": (), "one": args.zones[:1], "zones": args.zones}[args.nat]
        found = {}
        for zone in zones:
            address = aws.ec2.Eip(
                self.of(f"nat-{zone}"), domain="vpc", tags=self.account.tags(f"nat-{zone}"), opts=self.child()
            )
            gateway = aws.ec2.NatGateway(
                self.of(f"nat-{zone}"),
                allocation_id=address.allocation_id,
                subnet_id=self.subnets[PUBLIC][zone].id,
                tags=self.account.tags(f"nat-{zone}"),
                opts=self.child(after=[internet]),
            )
            found[zone] = gateway.id
        return found

    def _table(self, name: str, subnet: Any) -> Any:
        table = aws.ec2.RouteTable(
            self.of(name), vpc_id=self.id, tags=self.account.tags(f"routes-{name}"), opts=self.child()
        )
        aws.ec2.RouteTableAssociation(self.of(name), route_table_id=table.id, subnet_id=subnet.id, opts=self.child())
        return table

    def _route(self, name: str, table: Any, **way: Any) -> None:
        aws.ec2.Route(
            self.of(name), route_table_id=table.id, destination_cidr_block=EVERYWHERE, **way, opts=self.child()
        )

    def _endpoints(self) -> None:
        aws.ec2.VpcEndpoint(
            self.of("s3"),
            vpc_id=self.id,
            service_name=f"com.amazonaws.{self.account.region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=self.tables,
            tags=self.account.tags("s3"),
            opts=self.child(),
        )
        what = "Services of AWS, for what is in the network"
        group = self.door(
            self.of("endpoints"),
            "endpoints",
            what,
            network=self.id,
            protocol="HTTPS",
            port=HTTPS,
            addresses=self.args.network,
        )
        for service in (*INTERFACES, *(WITHOUT_INTERNET if self.args.nat == "none" else ())):
            aws.ec2.VpcEndpoint(
                self.of(service.replace(".", "-")),
                vpc_id=self.id,
                service_name=f"com.amazonaws.{self.account.region}.{service}",
                vpc_endpoint_type="Interface",
                private_dns_enabled=True,
                subnet_ids=self.private,
                security_group_ids=[group],
                tags=self.account.tags(service.replace(".", "-")),
                opts=self.child(),
            )
