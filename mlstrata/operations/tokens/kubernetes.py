"""Tokens of an environment on a cluster: the key of whoever issues tokens, and its public half for the gateway."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from mlstrata.environments.spec.serving import ServingMode
from mlstrata.files import write_private
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError
from mlstrata.operations.tokens import naming
from mlstrata.operations.tokens.rotated import Keys, Rotated
from mlstrata.services.gateway.names import TOKEN_HOURS

if TYPE_CHECKING:
    from mlstrata.environments import SystemSpec
    from mlstrata.operations.reporting import Reporter
    from mlstrata.services.gateway.rotation import Rotation

VARIABLE = "MLSTRATA_TOKEN_KEY"
"""Variable with the file of the first private key; by default it is in the environment's folder on this machine."""


def key_file(deployment: Deployment, number: int = 1) -> Path:
    """Return where the private key with a number is; all lie in the folder of the first."""
    named = os.environ.get(VARIABLE)
    first = Path(named) if named else deployment.home / "token-key.pem"
    return first if number == 1 else first.with_name(f"{first.stem}-{number}{first.suffix}")


def mint(deployment: Deployment, consumer: str, systems: list[str], lifetime: timedelta) -> str:
    """Sign a token with the key of whoever issues them.

    Raises:
        UsageError: there is no key, or it is none that signs tokens.
    """
    from mlstrata.services.gateway import tokens

    key = _key(deployment, _rotation(deployment).signing)
    return tokens.mint(key, f"mlstrata/{deployment.name}", consumer, systems, lifetime)


def keys(deployment: Deployment, reporter: Reporter) -> Keys:
    """Return the ConfigMaps by which the gateway knows tokens; make the key that signs them where there is none.

    Raises:
        UsageError: its key is none that signs tokens.
    """
    rotation = _rotation(deployment)
    if rotation.newest == 1 and not key_file(deployment).exists():
        _make(deployment, 1, reporter)
    return _keys(deployment, rotation)


def rotate(deployment: Deployment, reporter: Reporter) -> Rotated:
    """Make another key, which signs from now on; what is returned has the gateway take tokens of both.

    Raises:
        UsageError: there is no key yet, or an older one waits to be retired.
    """
    before = _rotation(deployment)
    _key(deployment, before.signing)
    # As long as any token may be good: none is noted, as whoever signs may not write where the keys are.
    until = datetime.now(UTC) + timedelta(hours=TOKEN_HOURS)
    with naming(deployment):
        after = before.signed(until).begun().switched()
    # The key first: what the other file names is there.
    _make(deployment, after.newest, reporter)
    _note(deployment, after)
    return Rotated(after, _keys(deployment, after))


def retire(deployment: Deployment, *, at_once: bool) -> Rotated:
    """Forget the older key; what is returned has the gateway take tokens of the other alone.

    Raises:
        UsageError: there is none, or tokens of it may be good still and it is not to be `at_once`.
    """
    before = _rotation(deployment)
    with naming(deployment):
        after = before.retired(at_once=at_once)
    _note(deployment, after)
    for number in range(before.oldest, after.oldest):
        key_file(deployment, number).unlink(missing_ok=True)
    return Rotated(after, _keys(deployment, after))


def _keys(deployment: Deployment, rotation: Rotation) -> Keys:
    from mlstrata.components.gateway.system_route import KEYS
    from mlstrata.services.gateway.tokens import public_jwks

    public = public_jwks(*(_key(deployment, number) for number in range(rotation.oldest, rotation.newest + 1)))
    answering = (one for one in deployment.spec.systems if one.serving.mode is ServingMode.REALTIME)
    data = {"jwks": json.dumps(public, sort_keys=True)}
    objects = tuple(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": KEYS, "namespace": space}, "data": data}
        for space in sorted({_space(deployment, one) for one in answering})
    )
    return Keys(key_file(deployment, rotation.signing), public, objects)


def _make(deployment: Deployment, number: int, reporter: Reporter) -> None:
    """Make a key, unless a run that was cut off has made it."""
    from mlstrata.services.gateway.tokens import generate_key

    path = key_file(deployment, number)
    if not path.exists():
        write_private(path, generate_key())
        reporter.note(f"made {path}: its holder issues tokens of {deployment.name}; keep it where your secrets are")


def _rotation(deployment: Deployment) -> Rotation:
    from mlstrata.services.gateway.rotation import Rotation

    path = _rotation_file(deployment)
    return Rotation.read(path.parent, path.name)


def _note(deployment: Deployment, rotation: Rotation) -> None:
    path = _rotation_file(deployment)
    rotation.write(path.parent, path.name)


def _rotation_file(deployment: Deployment) -> Path:
    first = key_file(deployment)
    return first.with_name(f"{first.stem}-rotation.json")


def _space(deployment: Deployment, system: SystemSpec) -> str:
    from mlstrata.components.naming.forms import namespace_of, of_platform

    return namespace_of(of_platform(deployment.spec), system.team, system.name)


def _key(deployment: Deployment, number: int) -> str:
    """Read a private key.

    Raises:
        UsageError: there is none, or it is none that signs tokens.
    """
    from mlstrata.services.gateway.tokens import public_jwks

    path, name = key_file(deployment, number), deployment.name
    if not path.exists():
        fix = "put it back" if _rotation_file(deployment).exists() else f"`mlstrata token {name} --keys` makes one"
        raise UsageError(f"{path}: no key signs tokens of {name} here; {fix}, or name yours in {VARIABLE}")
    try:
        key = path.read_text(encoding="utf-8")
        public_jwks(key)
    except (OSError, ValueError, TypeError) as error:
        fix = "name a private key on the curve P-256, in PEM, without a password"
        raise UsageError(f"{path}: cannot sign tokens ({error}); {fix}") from None
    return key
