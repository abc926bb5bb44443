"""`mlstrata token` for a cluster: the key of whoever issues tokens, and its public half for the gateway."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cli.console import UsageError, err, say_json
from cli.context import Context, write_private
from environments.spec.serving import ServingMode
from environments.spec.target import KubernetesTarget

if TYPE_CHECKING:
    from environments import SystemSpec

VARIABLE = "MLSTRATA_TOKEN_KEY"
"""Variable with the file of the private key; by default it is in the environment's folder on this machine."""


def key_file(context: Context) -> Path:
    """Return where the private key is that signs an environment's tokens."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else context.home / "token-key.pem"


def mint_with_key(context: Context, consumer: str, systems: list[str], ttl: timedelta) -> str:
    """Sign a token with the key of whoever issues them.

    Raises:
        UsageError: there is no key, or it is none that signs tokens.
    """
    from services.gateway.tokens import mint

    path = key_file(context)
    if not path.exists():
        raise UsageError(
            f"{path}: no key signs tokens of {context.name} here; `mlstrata token {context.name} --keys` makes one, "
            f"or name yours in {VARIABLE}"
        )
    return mint(_read(path), f"mlstrata/{context.name}", consumer, systems, ttl)


def print_keys(name: str, *, as_json: bool) -> None:
    """Print the ConfigMaps by which the gateway knows tokens; make the key that signs them where there is none.

    Raises:
        UsageError: the environment is not on a cluster, or its key is none that signs tokens.
    """
    import sys

    import yaml

    from components.gateway.entrance import KEYS
    from services.gateway.tokens import generate_key, public_jwks

    context = Context.open(name)
    if context.spec.target.kind == "local":
        raise UsageError(f"--keys: {name} is on this machine, where `mlstrata up {name}` makes the keys of its gateway")
    path = key_file(context)
    if not path.exists():
        write_private(path, generate_key())
        err().print(f" made {path}: whoever has it issues tokens of {name}; keep it where your secrets are")
    public = public_jwks(_read(path))
    spaces = sorted({_space(context, one) for one in context.spec.systems if one.serving.mode is ServingMode.REALTIME})
    if as_json:
        say_json({"environment": name, "key": str(path), "jwks": public, "namespaces": spaces})
        return
    made = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": KEYS, "namespace": space},
            "data": {"jwks": json.dumps(public, sort_keys=True)},
        }
        for space in spaces
    ]
    sys.stdout.write(yaml.safe_dump_all(made, sort_keys=False))


def _space(context: Context, system: SystemSpec) -> str:
    from components.teams.args import space_of
    from stacks.ground import NAMESPACE

    target = context.spec.target
    return space_of(target.namespace if isinstance(target, KubernetesTarget) else NAMESPACE, system.team, system.name)


def _read(path: Path) -> str:
    from services.gateway.tokens import public_jwks

    try:
        key = path.read_text(encoding="utf-8")
        public_jwks(key)
    except (OSError, ValueError, TypeError) as error:
        fix = "name a private key on the curve P-256, in PEM, without a password"
        raise UsageError(f"{path}: cannot sign tokens ({error}); {fix}") from None
    return key
