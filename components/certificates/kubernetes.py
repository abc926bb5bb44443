"""Certificates of the platform's own doors, issued by an authority of its own until the organisation names another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from mlstrata.components.cluster import Cluster, ClusterComponent
from mlstrata.components.manifests import manifest

KIND = "cert-manager.io/v1"
AUTHORITY_HOURS, CERTIFICATE_HOURS, RENEW_HOURS = 87_600, 2_160, 720


@dataclass(frozen=True)
class CertificatesArgs:
    """Arguments of `Certificates`.

    Attributes:
        cluster: Where.
        doors: Name of a certificate's secret to the names that it is good for.
        after: What must be there before it: cert-manager.
    """

    cluster: Cluster
    doors: Mapping[str, Sequence[str]]
    after: Sequence[pulumi.Resource] = ()


class Certificates(ClusterComponent):
    """An authority of the environment's own, and the certificates of its doors.

    Attributes:
        ready: What opens a door with them waits for.
    """

    def __init__(self, name: str, args: CertificatesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("certificates", name, args.cluster, opts)
        self.space = args.cluster.namespace
        root = self.add("root", self._object("Issuer", "root", {"selfSigned": {}}), after=args.after)
        authority = {
            "isCA": True,
            "commonName": f"mlstrata {args.cluster.environment}",
            "secretName": "authority",
            "duration": f"{AUTHORITY_HOURS}h",
            "privateKey": {"algorithm": "ECDSA", "size": 256},
            "issuerRef": {"kind": "Issuer", "name": "root", "group": "cert-manager.io"},
        }
        made = self.add("authority", self._object("Certificate", "authority", authority), after=[root])
        issuer = self._object("Issuer", "platform", {"ca": {"secretName": "authority"}})
        self.ready: list[pulumi.Resource] = [self.add("issuer", issuer, after=[made])]
        for secret, names in args.doors.items():
            spec = {
                "secretName": secret,
                "dnsNames": list(names),
                "duration": f"{CERTIFICATE_HOURS}h",
                "renewBefore": f"{RENEW_HOURS}h",
                "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
                "issuerRef": {"kind": "Issuer", "name": "platform", "group": "cert-manager.io"},
            }
            self.ready.append(self.add(secret, self._object("Certificate", secret, spec), after=self.ready[:1]))
        self.register_outputs({})

    def _object(self, kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
        return manifest(KIND, kind, name, self.space, spec=spec)
