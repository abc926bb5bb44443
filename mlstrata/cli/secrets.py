"""`mlstrata secrets`: the secrets that an environment on a cluster expects, and what makes them."""

from __future__ import annotations

import sys
from enum import StrEnum

from mlstrata.cli.console import say, say_json
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError, one_of
from mlstrata.operations.secrets import external
from mlstrata.operations.secrets.expected import Origin, Secrets, secrets_of
from mlstrata.operations.secrets.script import script

_SAID = {
    Origin.GENERATED: "generated",
    Origin.ASKED: "asked for",
    Origin.FILE: "asked for, as a file",
    Origin.REGISTRY: "asked for, as registry, user and password",
    Origin.KEYS: "public keys",
}


class Keeper(StrEnum):
    """Axis: what keeps the values."""

    EXTERNAL = "external-secrets"
    SEALED = "sealed-secrets"


def secrets(name: str, *, as_json: bool, as_script: bool, keeper: str | None, store: str | None) -> None:
    """List an environment's secrets, or print what makes them.

    Raises:
        UsageError: options that do not go together, or as `secrets_of` and `script`.
    """
    if keeper is not None:
        one_of("--for", keeper, Keeper)
    if as_json and (as_script or keeper):
        raise UsageError("--json: lists the secrets; leave out --script and --for, which print what makes them")
    if keeper == Keeper.EXTERNAL and as_script:
        raise UsageError("--script: makes secrets by hand; leave it out with --for external-secrets")
    if store and keeper != Keeper.EXTERNAL:
        raise UsageError("--store: names a ClusterSecretStore; add --for external-secrets")
    deployment = Deployment.open(name)
    found = secrets_of(deployment)
    if keeper == Keeper.EXTERNAL:
        sys.stdout.write(external.written(found, store))
    elif as_script or keeper:
        sys.stdout.write(script(found, registry=_registry(deployment), sealed=keeper == Keeper.SEALED))
    elif as_json:
        say_json({"environment": name, "context": found.context, "secrets": [one.document() for one in found.expected]})
    else:
        _show(found)


def _registry(deployment: Deployment) -> str:
    """Return the registry of our own images, as the one whose access is likely asked; empty: it is not the file's."""
    named = deployment.spec.images
    return (named.runtime or named.serving or "").partition("/")[0]


def _show(found: Secrets) -> None:
    for one in found.expected:
        say(f" {one.namespace}/{one.name}  {one.kind}", style="bold")
        for entry in one.entries:
            origin = "" if found.stored and one.kind == "Secret" else f"  {_SAID.get(entry.origin, entry.fixed)}"
            say(f"   key    {entry.key}{origin}{', optional' if entry.optional else ''}")
        for why in one.why:
            say(f"   for    {why}")
        say(f"   made   {one.maker}")
