"""The gateway's own authority and the certificate it shows: made here, trusted by whoever is given the authority's."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mlstrata.services.gateway.listener import CERTIFICATE

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

AUTHORITY_DAYS = 3650
"""As long as an environment may live; every caller has to be given another one after that."""
SERVER_DAYS = 90
"""Short, as renewing costs nobody anything."""
RENEW_DAYS = 30
"""A certificate with fewer days left is renewed at the next `up`."""
NAMES = ("localhost",)
ADDRESSES = ("127.0.0.1", "::1")
_BACKDATED = timedelta(minutes=5)


def make_authority(name: str, days: int = AUTHORITY_DAYS) -> tuple[str, str]:
    """Make an authority called `name`.

    Returns:
        Its private key, a secret, and its certificate, both PEM. It may sign for NAMES and ADDRESSES, and no other
        authority.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    usage = _usage(key_cert_sign=True, crl_sign=True)
    builder = (
        _begun(subject, subject, key, days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        # Whoever trusts it trusts it for this machine only: with its key nobody passes for another site.
        .add_extension(x509.NameConstraints(permitted_subtrees=_here(), excluded_subtrees=None), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    return _private(key), _signed(builder, key)


def make_server(
    authority_key: str,
    authority: str,
    days: float = SERVER_DAYS,
    names: Sequence[str] = NAMES,
    addresses: Sequence[str] = ADDRESSES,
) -> tuple[str, str]:
    """Make a key and a certificate for `names` and `addresses`, good for `days`, signed by an authority.

    Returns:
        The private key, a secret, and the certificate, both PEM.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from cryptography.x509.oid import ExtendedKeyUsageOID

    issuer = x509.load_pem_x509_certificate(authority.encode())
    signer = load_pem_private_key(authority_key.encode(), password=None)
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise TypeError("authority: needs the key of make_authority")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    found: list[x509.GeneralName] = [x509.DNSName(one) for one in names]
    found += [x509.IPAddress(ipaddress.ip_address(one)) for one in addresses]
    builder = (
        _begun(subject, issuer.subject, key, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(found), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    return _private(key), _signed(builder, signer)


def expires(certificate: str) -> datetime:
    """Return when a PEM certificate stops being good, in UTC."""
    from cryptography import x509

    return x509.load_pem_x509_certificate(certificate.encode()).not_valid_after_utc


def needs_renewal(certificate: str, now: datetime | None = None) -> bool:
    """Return whether a PEM certificate has fewer than RENEW_DAYS left, or cannot be read."""
    try:
        return expires(certificate) - (now or datetime.now(UTC)) < timedelta(days=RENEW_DAYS)
    except ValueError:
        return True


def render_tls(key: str, certificate: str) -> str:
    """Return the file that Envoy reads its certificate from; a secret, as it holds the private key."""
    secret = {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
        "name": CERTIFICATE,
        "tls_certificate": {
            "certificate_chain": {"inline_string": certificate},
            "private_key": {"inline_string": key},
        },
    }
    return json.dumps({"resources": [secret]}, indent=2) + "\n"


def _begun(subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, days: float) -> x509.CertificateBuilder:
    from cryptography import x509

    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Clocks differ a little.
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _here() -> list[x509.GeneralName]:
    from cryptography import x509

    names: list[x509.GeneralName] = [x509.DNSName(name) for name in NAMES]
    return names + [x509.IPAddress(ipaddress.ip_network(address)) for address in ADDRESSES]


def _usage(**allowed: bool) -> x509.KeyUsage:
    from cryptography import x509

    uses = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    every = (*uses, "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**(dict.fromkeys(every, False) | allowed))


def _signed(builder: x509.CertificateBuilder, key: EllipticCurvePrivateKey) -> str:
    from cryptography.hazmat.primitives import hashes, serialization

    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def _private(key: EllipticCurvePrivateKey) -> str:
    from cryptography.hazmat.primitives import serialization

    kinds = serialization
    return key.private_bytes(kinds.Encoding.PEM, kinds.PrivateFormat.PKCS8, kinds.NoEncryption()).decode()
