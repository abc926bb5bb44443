"""`mlstrata token ENV --rotate` and `--retire`: another signing key, with no request refused on the way."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from mlstrata.cli.console import say, say_json
from mlstrata.cli.predict import trust
from mlstrata.cli.progress import progress
from mlstrata.cli.token import mint_token, naming, signing_keys
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import Failed, UsageError
from mlstrata.operations.stack_state import exports
from mlstrata.operations.tokens import kubernetes as clustertoken

if TYPE_CHECKING:
    import pulumi_embedded
    from mlstrata.services.gateway.rotation import Rotation

_SECONDS = 20.0
_GATEWAY = "gateway"


def rotate(name: str, *, as_json: bool) -> None:
    """Have the gateway accept a new key, then sign with it; the old one stays accepted until it is retired."""
    from mlstrata.services.gateway.rotation import Rotation

    deployment = Deployment.open(name)
    if deployment.spec.target.kind != "local":
        clustertoken.rotate(deployment, as_json=as_json)
        return
    signing_keys(deployment)
    before = Rotation.read(deployment.home)
    with naming(deployment):
        begun = before.begun()
    _make(deployment, before, begun)
    _await(deployment, begun.newest, accepted=True)
    # Tokens may have been minted meanwhile: what they noted is kept.
    now = Rotation.read(deployment.home).switched()
    now.write(deployment.home)
    _tell(now, f"key {now.signing} signs; tokens of key {now.oldest} are accepted until `--retire`", as_json=as_json)


def retire(name: str, *, at_once: bool, as_json: bool) -> None:
    """Have the gateway accept the signing key alone: once no token of an older one is good, or `at_once`."""
    from mlstrata.services.gateway.rotation import Rotation

    deployment = Deployment.open(name)
    if deployment.spec.target.kind != "local":
        clustertoken.retire(deployment, at_once=at_once, as_json=as_json)
        return
    signing_keys(deployment)
    before = Rotation.read(deployment.home)
    with naming(deployment):
        after = before.retired(at_once=at_once)
    probe = _probe_token(deployment, before.oldest)
    _make(deployment, before, after)
    _await_status(deployment, probe, accepted=False)
    _tell(after, f"key {after.signing} is the only one; {before.oldest} is gone", as_json=as_json)


def _make(deployment: Deployment, before: Rotation, wanted: Rotation) -> None:
    """Have the environment's keys be as `wanted`; on failure the file says again what is."""
    import pulumi_embedded

    wanted.write(deployment.home)
    try:
        with progress("changing keys") as listen:
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


def _await(deployment: Deployment, key: int, *, accepted: bool) -> None:
    _await_status(deployment, _probe_token(deployment, key), accepted=accepted)


def _probe_token(deployment: Deployment, key: int) -> str:
    """Return a token that opens nothing: the path it is shown at does not exist."""
    consumers = [one.name for system in deployment.spec.systems for one in system.serving.consumers]
    if not consumers:
        raise UsageError(f"{deployment.name} has no consumers, so nobody's tokens are signed: declare one first")
    return mint_token(deployment, consumers[0], timedelta(minutes=1), key=key)


def _await_status(deployment: Deployment, token: str, *, accepted: bool) -> None:
    """Wait until the gateway takes `token`, or no longer does: 404, as nothing is there, or 401."""
    import httpx

    url = f"{exports(deployment)['urls']['gateway']}/systems/-"
    end = time.monotonic() + _SECONDS
    agreed, last = 0, "no answer"
    # Each on a connection of its own, so that each may be another thread of Envoy's.
    with httpx.Client(verify=trust(deployment), trust_env=False, timeout=2, headers={"connection": "close"}) as client:
        while agreed < 5:  # noqa: PLR2004 - more than its threads
            try:
                status = client.get(url, headers={"authorization": f"Bearer {token}"}).status_code
                agreed = agreed + 1 if (status != httpx.codes.UNAUTHORIZED) is accepted else 0
                last = str(status)
            except httpx.TransportError as error:
                agreed, last = 0, str(error)
            if time.monotonic() > end:
                raise Failed(f"{url} did not take the change of keys in {_SECONDS:.0f} s (last: {last}); run it again")
            if not agreed:
                time.sleep(0.05)


def _tell(rotation: Rotation, text: str, *, as_json: bool) -> None:
    if as_json:
        say_json(rotation.model_dump(mode="json"))
    else:
        say(f" {text}")
