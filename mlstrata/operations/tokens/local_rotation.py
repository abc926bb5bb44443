"""Another signing key on this machine, with no request refused on the way."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from mlstrata import waiting
from mlstrata.operations.errors import Failed, UsageError
from mlstrata.operations.predict import trust
from mlstrata.operations.tokens import callable_systems, naming
from mlstrata.operations.tokens.local import mint, signing_keys
from mlstrata.operations.tokens.rotated import Rotated

if TYPE_CHECKING:
    import pulumi_embedded
    from mlstrata.operations.reporting import Reporter
    from mlstrata.operations.targets.local import Local
    from mlstrata.services.gateway.rotation import Rotation

_SECONDS = 120.0
_GATEWAY = "gateway"
_AGREEING = 5
"""Answers in a row that must be right: more than the gateway's threads."""


def rotate(local: Local, reporter: Reporter) -> Rotated:
    """Have the gateway accept a new key, then sign with it; the old one stays accepted until it is retired.

    Raises:
        UsageError: an older key waits to be retired, or the environment's file asks for other changes too.
        Failed: the gateway did not take the change.
    """
    from mlstrata.services.gateway.rotation import Rotation

    deployment = local.deployment
    signing_keys(deployment)
    before = Rotation.read(deployment.home)
    with naming(deployment):
        begun = before.begun()
    _make(local, reporter, before, begun)
    _await_status(local, _probe_token(local, begun.newest), accepted=True)
    # Tokens may have been minted meanwhile: what they noted is kept.
    now = Rotation.read(deployment.home).switched()
    now.write(deployment.home)
    return Rotated(now)


def retire(local: Local, reporter: Reporter, *, at_once: bool) -> Rotated:
    """Have the gateway accept the signing key alone: once no token of an older one is good, or `at_once`.

    Raises:
        UsageError: there is no older key, or tokens of it may be good still and it is not to be `at_once`.
        Failed: the gateway did not take the change.
    """
    from mlstrata.services.gateway.rotation import Rotation

    deployment = local.deployment
    signing_keys(deployment)
    before = Rotation.read(deployment.home)
    with naming(deployment):
        after = before.retired(at_once=at_once)
    probe = _probe_token(local, before.oldest)
    _make(local, reporter, before, after)
    _await_status(local, probe, accepted=False)
    return Rotated(after)


def _make(local: Local, reporter: Reporter, before: Rotation, wanted: Rotation) -> None:
    """Have the environment's keys be as `wanted`; on failure the file says again what is."""
    import pulumi_embedded

    deployment = local.deployment
    wanted.write(deployment.home)
    try:
        with reporter.changing("changing keys") as listen:
            pulumi_embedded.up(
                deployment.program, deployment.backend, deployment.options(on_event=listen, approve=_only_the_gateway)
            )
    except BaseException:
        # A key that was made is found by the next run; the file only ever asks for what is accepted.
        if wanted.newest not in signing_keys(deployment) or wanted.oldest > before.oldest:
            before.write(deployment.home)
        raise


def _only_the_gateway(result: pulumi_embedded.Result) -> None:
    """Refuse to deploy anything else on the way.

    Raises:
        UsageError: the environment's file asks for other changes too.
    """
    others = sorted({step.name for step in result.steps if step.op != "same" and not step.name.startswith(_GATEWAY)})
    if others:
        raise UsageError(
            f"the environment's file asks for other changes too ({', '.join(others)}): `mlstrata up` first, then this"
        )


def _probe_token(local: Local, key: int) -> str:
    """Return a token that opens nothing: the path it is shown at does not exist."""
    deployment = local.deployment
    consumers = [one.name for system in deployment.spec.systems for one in system.serving.consumers]
    if not consumers:
        raise UsageError(f"{deployment.name} has no consumers, so there are no tokens to sign: declare one first")
    systems = callable_systems(deployment, consumers[0])
    return mint(deployment, consumers[0], systems, timedelta(minutes=1), key=key)


def _await_status(local: Local, token: str, *, accepted: bool) -> None:
    """Wait until the gateway takes `token`, or no longer does: 404, as nothing is there, or 401."""
    import httpx

    url = f"{local.address('gateway')}/systems/-"
    # Each on a connection of its own, so that each may be another thread of Envoy's.
    with httpx.Client(
        verify=trust(local.deployment), trust_env=False, timeout=10, headers={"connection": "close"}
    ) as client:

        def ask() -> int | str:
            try:
                return client.get(url, headers={"authorization": f"Bearer {token}"}).status_code
            except httpx.TransportError as error:
                return str(error)

        def is_right(answer: int | str) -> bool:
            return isinstance(answer, int) and (answer != httpx.codes.UNAUTHORIZED) is accepted

        taken, last = waiting.steadily(ask, is_right, _AGREEING, _SECONDS, 0.05)
    if not taken:
        raise Failed(f"{url} did not take the change of keys in {_SECONDS:.0f} s (last: {last}); run it again")
