"""Tokens of consumers: ES256 keys, the key set the gateway checks against, and minting."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mlstrata.services.gateway.settings import AUDIENCE

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

ALGORITHM = "ES256"
_COORDINATE_BYTES = 32


def generate_key() -> str:
    """Make a new private key on P-256, as PKCS#8 PEM. A secret: keep it encrypted."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    encoded = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return encoded.decode()


def public_jwks(*keys: str) -> dict[str, Any]:
    """Return the JSON Web Key Set (RFC 7517) of private PEM `keys`; two while one replaces the other."""
    return {"keys": [_public(_load(key)) for key in keys]}


def mint(key: str, issuer: str, consumer: str, systems: Sequence[str], ttl: timedelta) -> str:
    """Sign a token that lets `consumer` call `systems` for `ttl`.

    Args:
        key: private key, PEM.
        issuer: the gateway's issuer, `mlstrata/<environment>`.
        consumer: becomes the subject.
        systems: names of the systems it may call.
        ttl: lifetime from now.

    Raises:
        ValueError: the lifetime is not positive, or the key is not one of `generate_key`.
    """
    import jwt

    if ttl <= timedelta(0):
        raise ValueError(f"token lifetime: got {ttl}; needs more than nothing")
    private = _load(key)
    now = datetime.now(UTC)
    claims = {
        "iss": issuer,
        "sub": consumer,
        "aud": AUDIENCE,
        "systems": list(systems),
        "iat": now,
        "exp": now + ttl,
        "jti": str(uuid.uuid4()),
    }
    return jwt.encode(claims, private, algorithm=ALGORITHM, headers={"kid": _public(private)["kid"]})


def _load(key: str) -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    private = load_pem_private_key(key.encode(), password=None)
    if isinstance(private, ec.EllipticCurvePrivateKey) and isinstance(private.curve, ec.SECP256R1):
        return private
    raise ValueError("signing key: needs a private key on the curve P-256 (tokens.generate_key)")


def _public(private: EllipticCurvePrivateKey) -> dict[str, str]:
    numbers = private.public_key().public_numbers()
    required = {
        "crv": "P-256",
        "kty": "EC",
        "x": _base64(numbers.x.to_bytes(_COORDINATE_BYTES, "big")),
        "y": _base64(numbers.y.to_bytes(_COORDINATE_BYTES, "big")),
    }
    # The key's name is its thumbprint (RFC 7638): the same key has the same name wherever it is computed.
    canonical = json.dumps(required, sort_keys=True, separators=(",", ":")).encode()
    return required | {"alg": ALGORITHM, "use": "sig", "kid": _base64(hashlib.sha256(canonical).digest())}


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
