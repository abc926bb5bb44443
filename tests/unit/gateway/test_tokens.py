"""Keys and tokens."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from mlstrata.services.gateway import tokens

KEY = tokens.generate_key()


def opened(token, key=KEY):
    (public,) = tokens.public_jwks(key)["keys"]
    return jwt.decode(token, jwt.PyJWK(public).key, algorithms=["ES256"], audience="mlstrata", issuer="mlstrata/local")


def test_a_token_says_who_may_call_what_until_when():
    claims = opened(tokens.mint(KEY, "mlstrata/local", "desk", ["loans"], timedelta(hours=1)))
    assert (claims["sub"], claims["systems"]) == ("desk", ["loans"])
    lifetime = datetime.fromtimestamp(claims["exp"], UTC) - datetime.now(UTC)
    assert timedelta(minutes=59) < lifetime <= timedelta(hours=1)


def test_each_token_has_an_id_of_its_own():
    ids = {opened(tokens.mint(KEY, "mlstrata/local", "desk", [], timedelta(hours=1)))["jti"] for _ in range(5)}
    assert len(ids) == 5


def test_another_key_does_not_open_it():
    token = tokens.mint(KEY, "mlstrata/local", "desk", [], timedelta(hours=1))
    with pytest.raises(jwt.InvalidSignatureError):
        opened(token, tokens.generate_key())


def test_the_key_set_is_public_names_each_key_and_is_the_same_each_time():
    other = tokens.generate_key()
    both = tokens.public_jwks(KEY, other)["keys"]
    assert len({key["kid"] for key in both}) == 2
    assert all("d" not in key and key["alg"] == "ES256" for key in both)
    assert tokens.public_jwks(KEY)["keys"][0] == both[0]
    header = jwt.get_unverified_header(tokens.mint(other, "mlstrata/local", "desk", [], timedelta(hours=1)))
    assert header["kid"] == both[1]["kid"]


def test_the_name_of_a_key_is_its_thumbprint():
    """RFC 7638: SHA-256 of the required members in the order of their names, without spaces."""
    public = tokens.public_jwks(KEY)["keys"][0]
    text = f'{{"crv":"P-256","kty":"EC","x":"{public["x"]}","y":"{public["y"]}"}}'
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
    assert public["kid"] == digest.decode().rstrip("=")


@pytest.mark.parametrize("ttl", [timedelta(0), timedelta(seconds=-1)])
def test_a_token_that_never_lives_is_refused(ttl):
    with pytest.raises(ValueError, match="token lifetime"):
        tokens.mint(KEY, "mlstrata/local", "desk", [], ttl)


@pytest.mark.parametrize("private", [ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)])
def test_another_kind_of_key_is_refused(private):
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(ValueError, match="P-256"):
        tokens.public_jwks(pem.decode())
