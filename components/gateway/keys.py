"""`SigningKeys`: the keys that sign consumers' tokens, by number; two while one replaces the other."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, UpdateResult

from mlstrata.components.supervision.common import StatelessProvider, difference
from mlstrata.components.supervision.values import plain
from mlstrata.services.gateway.tokens import generate_key, public_jwks


class SigningKeysProvider(StatelessProvider):
    """Makes the keys that are asked for and lacking, and forgets those that are no longer asked for."""

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare which keys there should be."""
        return difference(olds, news, inputs=("oldest", "newest"))

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Make the keys."""
        return CreateResult(f"keys-{secrets.token_hex(8)}", _kept(props, {}))

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Keep those that stay as they are."""
        return UpdateResult(_kept(news, json.loads(olds["secret"])))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return the keys as recorded: they exist nowhere else."""
        return ReadResult(id_, plain(props))


def _kept(props: dict[str, Any], had: dict[str, str]) -> dict[str, Any]:
    wanted = [str(number) for number in range(int(props["oldest"]), int(props["newest"]) + 1)]
    keys = {number: had.get(number) or generate_key() for number in wanted}
    public = json.dumps(public_jwks(*keys.values()), sort_keys=True)
    return {**plain(props), "secret": json.dumps(keys), "public": public}


class SigningKeys(Resource, module="mlstrata", name="SigningKeys"):
    """The keys number `oldest` to `newest`.

    Attributes:
        secret: JSON object from a key's number to the private key, PEM; a Pulumi secret.
        public: The public key set (JWKS, JSON); a key's id is its RFC 7638 thumbprint.
    """

    secret: pulumi.Output[str]
    public: pulumi.Output[str]

    def __init__(self, name: str, *, oldest: int, newest: int, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare which keys there are."""
        own = pulumi.ResourceOptions(additional_secret_outputs=["secret"])
        props = {"oldest": oldest, "newest": newest, "secret": None, "public": None}
        super().__init__(SigningKeysProvider(), name, props, pulumi.ResourceOptions.merge(opts, own))
