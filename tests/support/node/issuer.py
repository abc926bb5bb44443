"""Stands in for cert-manager, whose programs are no Go modules: it issues what each Certificate asks for, once."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tests.support.cluster import Json
from tests.support.node.node import Node

_KINDS = "/apis/cert-manager.io/v1"
Pair = tuple[str, str]
"""A private key and its certificate, PEM."""


class Issuer:
    """It follows every Certificate of a node whose issuer is self-signed or an authority's."""

    def __init__(self, node: Node) -> None:
        self.node, self._done = node, set[str]()

    def turn(self) -> None:
        """Issue what is new; one whose authority is not there yet waits for the next turn."""
        new = [one for one in self.node.listed(f"{_KINDS}/certificates") if one["metadata"]["uid"] not in self._done]
        issuers = {_key(one): one["spec"] for one in self.node.listed(f"{_KINDS}/issuers")} if new else {}
        for one in new:
            space, spec = one["metadata"]["namespace"], one["spec"]
            issuer = issuers.get((space, spec["issuerRef"]["name"]), {})
            if "selfSigned" in issuer:
                made, authority = _authority(spec["commonName"])
            elif (found := self._pair(issuer.get("ca", {}).get("secretName", ""), space)) is not None:
                made, authority = _server(found, spec["dnsNames"]), found[1]
            else:
                continue
            data = {"tls.key": made[0], "tls.crt": made[1], "ca.crt": authority}
            if self.node.apply([_secret(spec["secretName"], space, data)]).code == 0:
                self._done.add(one["metadata"]["uid"])

    def _pair(self, name: str, space: str) -> Pair | None:
        answer = self.node.kubectl("get", "secret", name, "-n", space, "-o", "json") if name else None
        if answer is None or answer.code:
            return None
        data = {key: base64.b64decode(value).decode() for key, value in answer.json["data"].items()}
        return data["tls.key"], data["tls.crt"]


def _key(one: Json) -> tuple[str, str]:
    return one["metadata"]["namespace"], one["metadata"]["name"]


def _secret(name: str, space: str, data: dict[str, str]) -> Json:
    named = {"name": name, "namespace": space}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": named, "type": "kubernetes.io/tls", "stringData": data}


def _authority(name: str) -> tuple[Pair, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    itself = x509.BasicConstraints(ca=True, path_length=None)
    made = _begun(subject, subject, key).add_extension(itself, critical=True).sign(key, hashes.SHA256())
    text = made.public_bytes(Encoding.PEM).decode()
    return (_private(key), text), text


def _server(authority: Pair, names: Sequence[str]) -> Pair:
    signer = load_pem_private_key(authority[0].encode(), password=None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    issuer = x509.load_pem_x509_certificate(authority[1].encode()).subject
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    alternative = x509.SubjectAlternativeName([x509.DNSName(one) for one in names])
    made = _begun(subject, issuer, key).add_extension(alternative, critical=False).sign(signer, hashes.SHA256())
    return _private(key), made.public_bytes(Encoding.PEM).decode()


def _begun(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return x509.CertificateBuilder(
        issuer, subject, key.public_key(), x509.random_serial_number(), now - dt.timedelta(minutes=5),
        now + dt.timedelta(days=30),
    )  # fmt: skip


def _private(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
