"""`Credential`: a secret generated once and kept, encrypted, in the state alone."""

from __future__ import annotations

import json
import secrets
from typing import Any, Literal

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, UpdateResult

from mlstrata.components.supervision.common import StatelessProvider, difference
from mlstrata.components.supervision.values import plain
from mlstrata.services.gateway.tokens import generate_key, public_jwks

Kind = Literal["token", "es256"]
_TOKEN_BYTES = 32


def generate(kind: str) -> tuple[str, str]:
    """Make a secret.

    Args:
        kind: `token` (url-safe random text) or `es256` (a signing key on the curve P-256).

    Returns:
        The secret (the token, or the private key as PEM) and what is public of it: "" for a token, the key set
        (JWKS, RFC 7517, as JSON; its key id is the RFC 7638 thumbprint) for a key.
    """
    if kind == "token":
        return secrets.token_urlsafe(_TOKEN_BYTES), ""
    key = generate_key()
    return key, json.dumps(public_jwks(key), sort_keys=True)


class CredentialProvider(StatelessProvider):
    """Generates on create and never again."""

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Only another kind makes another credential."""
        return difference(olds, news, inputs=(), identity=("kind",))

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Generate the secret."""
        secret, public = generate(props["kind"])
        return CreateResult(f"credential-{secrets.token_hex(8)}", {**plain(props), "secret": secret, "public": public})

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Keep the secret."""
        return UpdateResult({**plain(news), "secret": olds["secret"], "public": olds["public"]})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return the credential as recorded: it exists nowhere else."""
        return ReadResult(id_, plain(props))


class Credential(Resource, module="mlstrata", name="Credential"):
    """A generated secret.

    Attributes:
        secret: The token, or the private key as PEM; a Pulumi secret.
        public: The public key set (JWKS, JSON) of an `es256` key, "" for a token.
    """

    secret: pulumi.Output[str]
    public: pulumi.Output[str]

    def __init__(self, name: str, *, kind: Kind, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare a credential of a kind."""
        own = pulumi.ResourceOptions(additional_secret_outputs=["secret"])
        merged = pulumi.ResourceOptions.merge(opts, own)
        super().__init__(CredentialProvider(), name, {"kind": kind, "secret": None, "public": None}, merged)
