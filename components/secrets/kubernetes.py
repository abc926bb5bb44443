"""The secrets that an environment refers to, each taken from the organisation's store by External Secrets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from mlstrata.components.cluster import Cluster, ClusterComponent, SecretReference
from mlstrata.components.cluster_site import ClusterSite
from mlstrata.components.gateway.system_route import KEYS
from mlstrata.components.manifests import manifest
from mlstrata.components.namespaces.outputs import NamespacesOutputs
from mlstrata.components.secrets.external import API, STORE, external_secret


@dataclass(frozen=True)
class SecretsArgs:
    """Arguments of `Secrets`.

    Attributes:
        cluster: Where.
        references: What is read.
        region: Region of the AWS account whose secrets they are; empty: the organisation has made a store of its own.
        after: What must be there before it: External Secrets, the namespaces.
    """

    cluster: Cluster
    references: Sequence[SecretReference]
    region: str = ""
    after: Sequence[pulumi.Resource] = ()


class Secrets(ClusterComponent):
    """One ExternalSecret for each secret: the store's `<environment>/<secret>`, one property a key."""

    def __init__(self, name: str, args: SecretsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("secrets", name, args.cluster, opts)
        after = list(args.after)
        if args.region:
            # Whoever External Secrets runs as says who it is: no keys.
            aws = {"provider": {"aws": {"service": "SecretsManager", "region": args.region}}}
            after.append(self.add("store", manifest(API, "ClusterSecretStore", STORE, spec=aws), after=args.after))
        keys: dict[tuple[str, str], set[str]] = {}
        for one in args.references:
            keys.setdefault((one.namespace, one.name), set()).update(one.keys)
        for (namespace, secret), wanted in sorted(keys.items()):
            made = external_secret(args.cluster.environment, namespace, secret, wanted)
            self.add(f"{namespace}-{secret}", made, after=after)
        self.register_outputs({})


def build(site: ClusterSite) -> None:
    """Build a reference for every secret that something before it needs."""
    operators = [one for namespace in site.operators.values() for one in namespace.ready]
    after = [*site.upstream("external-secrets").ready, *site.ready, *site.require(NamespacesOutputs).ready, *operators]
    # The public keys of tokens are no secret, and no Secret either.
    references = [one for one in site.cluster.needed if one.name != KEYS]
    Secrets("secrets", SecretsArgs(site.cluster, references, site.inputs.secrets_region, after), site.opts)
