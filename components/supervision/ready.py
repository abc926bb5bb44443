"""`Ready`: waits until services are healthy, all at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, UpdateResult

from mlstrata.components.supervision.client import SupervisorClient
from mlstrata.components.supervision.common import StatelessProvider, changed_keys, difference
from mlstrata.components.supervision.health import Check, wait
from mlstrata.components.supervision.service import Service
from mlstrata.components.supervision.values import SupervisionError, plain

# What a killed registry takes on a busy machine to import what it needs.
_GRACE_SECONDS = 120.0
_STOP_SECONDS = 120.0
_INPUTS = ("checks", "seconds", "triggers")


def wait_all(home: Path, socket: Path, checks: Sequence[Check], seconds: float) -> dict[str, float]:
    """Wait for all services at the same time; return the seconds that each took from its start.

    Raises:
        SupervisionError: Some are not healthy; names each of them.
    """
    client = SupervisorClient(socket)
    took: dict[str, float] = {}
    failed: list[str] = []
    with ThreadPoolExecutor(max(1, len(checks))) as pool:
        waits = {check.service: pool.submit(wait, check, home, client, seconds) for check in checks}
        for service, future in waits.items():
            try:
                took[service] = round(future.result(), 1)
            except SupervisionError as error:
                failed.append(str(error))
    if failed:
        raise SupervisionError("\n".join(failed))
    return took


class ReadyProvider(StatelessProvider):
    """Waits on create and on update; looks on read."""

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Wait again when a service was started anew or is not healthy."""
        return difference(olds, news, inputs=_INPUTS, identity=("home", "socket"), healthy="healthy")

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Wait."""
        return CreateResult("ready", self._wait(props))

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Start what runs and is not healthy anew, unless this run has done so already; then wait."""
        if olds.get("state") != "healthy" and not changed_keys(olds, news, ["triggers"]):
            client = SupervisorClient(news["socket"])
            for check in Check.all_of(news["checks"]):
                if check.settled(client, _GRACE_SECONDS):
                    client.restart(check.service, _STOP_SECONDS)
        return UpdateResult(self._wait(news))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Say in `state` whether all are healthy now; one that just started gets the time to."""
        client = SupervisorClient(props["socket"])
        checks = Check.all_of(props["checks"])
        with ThreadPoolExecutor(max(1, len(checks))) as pool:
            complaints = list(pool.map(lambda check: check.settled(client, _GRACE_SECONDS), checks))
        bad = [f"{check.service}: {what}" for check, what in zip(checks, complaints, strict=True) if what]
        return ReadResult(id_, {**plain(props), "took": props.get("took"), "state": "; ".join(bad) or "healthy"})

    @staticmethod
    def _wait(props: dict[str, Any]) -> dict[str, Any]:
        checks = Check.all_of(props["checks"])
        took = wait_all(Path(props["home"]), Path(props["socket"]), checks, float(props["seconds"]))
        return {**plain(props), "state": "healthy", "took": took}


class Ready(Resource, module="mlstrata", name="Ready"):
    """That services are healthy.

    Attributes:
        state: `healthy`, or which services are not and why.
        took: Seconds from its start to healthy, by service.
    """

    state: pulumi.Output[str]
    took: pulumi.Output[dict[str, float]]

    def __init__(
        self,
        name: str,
        *,
        home: Path,
        socket: Path,
        services: Sequence[Service],
        checks: Mapping[str, pulumi.Input[str]],
        authorities: Mapping[str, Path] | None = None,
        seconds: int = 600,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare that services become healthy within `seconds`; `checks` gives the address to ask, by service.

        `authorities` gives the file of who signed a service's certificate, where it speaks HTTPS.
        """
        props = {
            "home": str(home),
            "socket": str(socket),
            "checks": {
                service: {"url": url, "expect": 200}
                | ({"authority": str(authorities[service])} if authorities and service in authorities else {})
                for service, url in checks.items()
            },
            "seconds": seconds,
            "triggers": {service.service: service.started for service in services},
            "state": None,
            "took": None,
        }
        super().__init__(ReadyProvider(), name, props, opts)
