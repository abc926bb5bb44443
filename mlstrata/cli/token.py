"""`mlstrata token`: what a consumer shows the gateway, and the keys that sign it."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING

from mlstrata.cli.console import say, say_json
from mlstrata.cli.reporter import Terminal
from mlstrata.operations import tokens
from mlstrata.operations.deployment import Deployment

if TYPE_CHECKING:
    from mlstrata.operations.tokens.rotated import Keys, Rotated


def token(name: str, consumer: str, *, hours: float, as_json: bool) -> None:
    """Mint and print a token, nothing else, so that it can be used in `$(…)`."""
    minted = tokens.mint(Deployment.open(name), consumer, timedelta(hours=hours))
    if as_json:
        systems, seconds = list(minted.systems), int(minted.lifetime.total_seconds())
        say_json({"token": minted.token, "consumer": consumer, "systems": systems, "expires_in": seconds})
    else:
        say(minted.token)


def print_keys(name: str, *, as_json: bool) -> None:
    """Print the ConfigMaps by which a cluster's gateway knows tokens."""
    _show_keys(name, Deployment.open(name).target.keys(Terminal(quiet=as_json)), as_json=as_json)


def rotate(name: str, *, as_json: bool) -> None:
    """Sign with a new key from now on, and say which."""
    done = Deployment.open(name).target.rotate(Terminal(quiet=as_json))
    number = done.rotation
    said = f"key {number.signing} signs; tokens of key {number.oldest} are accepted until `--retire`"
    _show(name, done, said, as_json=as_json)


def retire(name: str, *, at_once: bool, as_json: bool) -> None:
    """Accept the old key no longer, and say which is left."""
    done = Deployment.open(name).target.retire(Terminal(quiet=as_json), at_once=at_once)
    signing = done.rotation.signing
    _show(name, done, f"key {signing} is the only one; {signing - 1} is gone", as_json=as_json)


def _show(name: str, done: Rotated, said: str, *, as_json: bool) -> None:
    if done.keys is not None:
        _show_keys(name, done.keys, as_json=as_json)
    elif as_json:
        say_json(done.rotation.model_dump(mode="json"))
    else:
        say(f" {said}")


def _show_keys(name: str, keys: Keys, *, as_json: bool) -> None:
    import yaml

    if as_json:
        say_json({"environment": name, "key": str(keys.file), "jwks": keys.jwks, "namespaces": keys.namespaces})
        return
    sys.stdout.write(yaml.safe_dump_all(keys.objects, sort_keys=False))
