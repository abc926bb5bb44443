"""`Certificate`: the gateway's own authority, made once, and the certificate that it shows, renewed in time."""

from __future__ import annotations

import secrets
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, UpdateResult

from mlstrata.components.supervision.common import StatelessProvider, difference
from mlstrata.components.supervision.values import plain
from mlstrata.services.gateway.certificates import make_authority, make_server, needs_renewal, render_tls

_SECRETS = ("authority_key", "tls")


class CertificateProvider(StatelessProvider):
    """Makes both on create; renews the certificate, never the authority, when it has few days left."""

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Another name is another authority; a certificate about to expire calls for an update."""
        found = difference(olds, news, inputs=(), identity=("authority_name",))
        found.changes = bool(found.changes) or needs_renewal(olds.get("certificate") or "")
        return found

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Make the authority and a first certificate."""
        key, authority = make_authority(props["authority_name"])
        made = {**plain(props), "authority_key": key, "authority": authority}
        return CreateResult(f"certificate-{secrets.token_hex(8)}", _certified(made))

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Renew the certificate: whoever trusts the authority trusts the new one too."""
        kept = {name: olds[name] for name in ("authority_key", "authority")}
        return UpdateResult(_certified({**plain(news), **kept}))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return it as recorded."""
        return ReadResult(id_, plain(props))


def _certified(props: dict[str, Any]) -> dict[str, Any]:
    key, certificate = make_server(props["authority_key"], props["authority"])
    return {**props, "certificate": certificate, "tls": render_tls(key, certificate)}


class Certificate(Resource, module="mlstrata", name="Certificate"):
    """An authority of the environment's own and a server's certificate for this machine.

    Attributes:
        authority: The authority's certificate, PEM: what callers trust.
        certificate: The server's certificate, PEM.
        tls: The file that Envoy reads certificate and key from; a Pulumi secret.
    """

    authority: pulumi.Output[str]
    certificate: pulumi.Output[str]
    tls: pulumi.Output[str]

    def __init__(self, name: str, *, authority_name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare an authority with its name, as a person sees it in a certificate."""
        own = pulumi.ResourceOptions(additional_secret_outputs=list(_SECRETS))
        made = dict.fromkeys(("authority_key", "authority", "certificate", "tls"))
        props = {"authority_name": authority_name, **made}
        super().__init__(CertificateProvider(), name, props, pulumi.ResourceOptions.merge(opts, own))
