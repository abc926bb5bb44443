"""Where an environment runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from mlstrata.environments.redaction import shown
from mlstrata.environments.spec.aws import AwsDatabaseSpec, OnlineStoreSpec, PrivateNetwork, SystemNodesSpec
from mlstrata.environments.spec.base import Problem, Spec, immutable, refuse, wrong
from mlstrata.environments.spec.text import (
    AwsAccount,
    AwsRegion,
    AwsRole,
    Flag,
    Host,
    KubernetesVersion,
    Name,
    Network,
    NodeImage,
    Region,
    Text,
    Unique,
    Whole,
    Word,
)
from mlstrata.environments.stages import default_ports

_MOVE = "make a new environment, `mlstrata promote` its systems there, then take this one down"
_RESTORE = "back up, make a new environment with the other database, and restore there"
_HIGHEST_PORT = 65535


def _port_names(value: object) -> dict[str, int]:
    if not isinstance(value, dict):
        raise wrong("a mapping of service to port, such as {gateway: 8080}")
    refuse(_bad_ports(value))
    return {**default_ports(), **value}


def _bad_ports(ports: dict[object, object]) -> Iterator[Problem]:
    allowed = default_ports()
    for name, port in ports.items():
        if name not in allowed:
            what = f"unknown port {shown(name)}; allowed {', '.join(allowed)}"
            yield Problem((str(name),), what, "remove it; services behind the gateway take a free port")
        elif type(port) is not int or not 0 <= port <= _HIGHEST_PORT:
            what = f"got {shown(port)}; allowed a port from 0 to {_HIGHEST_PORT}"
            yield Problem((str(name),), what, "write 0 for any free one")


Ports = Annotated[
    dict[str, int],
    PlainValidator(_port_names),
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                name: {"type": "integer", "minimum": 0, "maximum": _HIGHEST_PORT, "default": port}
                for name, port in default_ports().items()
            },
        }
    ),
]


class LocalTarget(Spec):
    """This machine: supervised processes on the loopback address."""

    kind: Literal["local"] = Field(
        description="Where the environment runs: local, kubernetes or aws.", json_schema_extra=immutable(_MOVE)
    )
    region: Region | None = Field(
        default=None,
        description="Region the machine stands in, for data that must stay in one; none: it is not known.",
    )
    ports: Ports = Field(
        default_factory=default_ports,
        description="Port of each service on 127.0.0.1; 0 takes a free one and remembers it. "
        "The defaults are the services' own well-known ports.",
    )

    @model_validator(mode="after")
    def _no_port_twice(self) -> LocalTarget:
        taken: dict[int, str] = {}
        problems = []
        for name, port in self.ports.items():
            if port and port in taken:
                what = f"got {port}, which '{taken[port]}' has already"
                problems.append(
                    Problem(("ports", name), what, "give each service a port of its own, or 0 for a free one")
                )
            taken.setdefault(port, name)
        refuse(problems)
        return self


class DatabaseSpec(Spec):
    """An existing Postgres; the organisation provides its secret `database`."""

    host: Host = Field(
        description="Its host; required, since nothing else finds it.", json_schema_extra=immutable(_RESTORE)
    )
    port: Annotated[Whole, Field(ge=1, le=_HIGHEST_PORT)] = Field(
        default=5432, description="Its port; 5432, Postgres' own.", json_schema_extra=immutable(_RESTORE)
    )
    network: Network = Field(
        default="0.0.0.0/0",
        description="Addresses that it may have, which pods may reach on its port; any, since a host's name says none.",
    )


class DnsSpec(Spec):
    """The cluster's DNS, as network policies know it: by its pods, or by the address of a cache on each node."""

    namespace: Name = Field(
        default="kube-system", description="Namespace of its pods; kube-system, CoreDNS' usual one."
    )
    labels: dict[Word, Text] = Field(
        default={"k8s-app": "kube-dns"},
        min_length=1,
        description="Labels of its pods; CoreDNS' usual ones. OpenShift: namespace openshift-dns, labels "
        "{dns.operator.openshift.io/daemonset-dns: default}, port 5353.",
    )
    port: Annotated[Whole, Field(ge=1, le=_HIGHEST_PORT)] = Field(
        default=53, description="Port of its pods, which may differ from the service's; 53, CoreDNS' usual one."
    )
    cache: Network | None = Field(
        default=None,
        description="Address of a DNS cache on each node, such as 169.254.20.10/32 of NodeLocal DNSCache; none.",
    )


class LoadBalancerSpec(Spec):
    """How the gateway's service is reached from outside of the cluster."""

    type: Literal["LoadBalancer", "NodePort", "ClusterIP"] = Field(
        default="LoadBalancer",
        description="Type of the service; NodePort for a cluster that has no load balancers, ClusterIP where something "
        "of your own stands before it. LoadBalancer, as callers are elsewhere.",
    )
    class_name: Word | None = Field(
        default=None, description="Class of the load balancer (loadBalancerClass); none: the cluster's default one."
    )
    annotations: dict[Word, Text] = Field(
        default_factory=dict,
        description="What your cloud reads of the service, such as "
        "{networking.gke.io/load-balancer-type: Internal}; values in quotes. None by default.",
    )

    @model_validator(mode="after")
    def _balanced(self) -> LoadBalancerSpec:
        if self.class_name and self.type != "LoadBalancer":
            what = f"got '{self.class_name}', and a {self.type} has no load balancer"
            refuse([Problem(("class_name",), what, "remove it, or write type: LoadBalancer")])
        return self


class KubernetesTarget(Spec):
    """A cluster that exists already."""

    kind: Literal["kubernetes"] = Field(
        description="Where the environment runs: local, kubernetes or aws.", json_schema_extra=immutable(_MOVE)
    )
    context: Word = Field(
        description="Context of the kubeconfig to deploy to; required, since the current one is the one used last.",
        json_schema_extra=immutable(_MOVE),
    )
    region: Region | None = Field(
        default=None,
        description="Region of the cluster, for data that must stay in one; none: it is not known.",
        json_schema_extra=immutable(_MOVE),
    )
    namespace: Name = Field(
        default="mlstrata",
        description="Namespace of the platform and prefix of the systems' own; the product's name, since a "
        "cluster seldom has two platforms.",
        json_schema_extra=immutable(_MOVE),
    )
    storage_class: Name | None = Field(
        default=None, description="Storage class of volumes; none: the cluster's default one."
    )
    load_balancer: LoadBalancerSpec = Field(
        default=LoadBalancerSpec(), description="How the gateway is reached; a load balancer of the cluster's own."
    )
    dns: DnsSpec = Field(default=DnsSpec(), description="Where names are asked; CoreDNS' usual place.")
    fixed_users: Flag = Field(
        default=True,
        description="Pods say the number of the user that they run as; false where the cluster gives each namespace "
        "users of its own and refuses others, as OpenShift does. true, as an image may know one user only.",
    )
    database: DatabaseSpec | None = Field(
        default=None,
        description="A Postgres of your own, with the databases mlflow, feast and recorder; none: one is made here.",
        json_schema_extra=immutable(_RESTORE),
    )


class AwsTarget(Spec):
    """A cluster, network and stores made in an AWS account."""

    kind: Literal["aws"] = Field(
        description="Where the environment runs: local, kubernetes or aws.", json_schema_extra=immutable(_MOVE)
    )
    region: AwsRegion = Field(
        description="AWS region; required, since data must not land anywhere by default.",
        json_schema_extra=immutable(_MOVE),
    )
    account: AwsAccount = Field(
        description="AWS account, 12 digits in quotes; required, so credentials of another account are refused.",
        json_schema_extra=immutable(_MOVE),
    )
    zones: Annotated[tuple[Literal["a", "b", "c", "d", "e", "f"], ...], Unique] = Field(
        default=("a", "b", "c"),
        min_length=2,
        description="Availability zones by letter; three, so one may fail and a majority is left.",
    )
    open_to: Literal["network", "internet"] = Field(
        default="network",
        description="Who reaches the gateway's address: network, those in it or joined to it, so nothing is open to "
        "the world by omission; internet, everyone. A change makes a new load balancer with another address.",
    )
    network: PrivateNetwork = Field(
        default="10.64.0.0/16",
        description="Addresses of the network that is made, private, /16 to /20; 10.64.0.0/16, which few have already.",
        json_schema_extra=immutable(_MOVE),
    )
    nat: Literal["none", "one", "zones"] | None = Field(
        default=None,
        description="How nodes reach the internet: none, not at all, so all images come from registries in the "
        "account; one, by one gateway; zones, by one in each zone. Not said: zones in production, else one.",
    )
    api_from: Annotated[tuple[Network, ...], Unique] = Field(
        default=(),
        description="Networks beyond it that reach the cluster's API server: private ones over what joins the two, "
        "public ones by a public endpoint, which is there for them alone; none, so it has none.",
    )
    admins: Annotated[tuple[AwsRole, ...], Unique] = Field(
        default=(), description="Roles that administer the cluster; none named: whoever makes it, alone."
    )
    kubernetes: KubernetesVersion = Field(
        default="1.34", description="The cluster's version, in quotes; 1.34. It moves up only, one at a time."
    )
    image: NodeImage = Field(
        default="al2023@v20261101",
        description="Image of nodes with its day; al2023@v20261101. Nodes are made anew when the file says so.",
    )
    nodes: SystemNodesSpec = Field(default=SystemNodesSpec(), description="Nodes that are always there; three to nine.")
    database: AwsDatabaseSpec = Field(default=AwsDatabaseSpec(), description="The platform's Postgres.")
    online_store: OnlineStoreSpec | None = Field(
        default=None,
        description="Values of features in memory, a machine of its own in two zones; none: Postgres has them, which "
        "few requests cannot wait for.",
    )
    budget: Annotated[Whole, Field(ge=1, le=10_000_000)] | None = Field(
        default=None,
        description="Dollars a month; its owner is told when four fifths are spent, and when all will be. None: nobody "
        "is told.",
    )


Target = Annotated[LocalTarget | KubernetesTarget | AwsTarget, Field(discriminator="kind")]
