"""A consumer of a system: outside of the cluster, by TLS and with its token, one connection a thread."""

from __future__ import annotations

import base64
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from tests.support.cluster import Cluster, Json
from tests.support.patience import PATIENCE

INSTANCE: Json = {
    "pirat": 0.3, "hirat": 0.25, "lvrat": 0.8, "chist": 5, "mhist": 2, "phist": "no", "unemp": 3.9,
    "selfemp": "no", "insurance": "no", "condomin": "no", "hschool": "yes",
}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """One request.

    Attributes:
        begun: When, in seconds of the monotonic clock.
        ended: When there was an answer or none.
        status: Of the answer, or the name of what happened in its place.
        body: Of the answer.
    """

    begun: float
    ended: float
    status: str
    body: str = ""


class Client:
    """A consumer.

    Args:
        node: The cluster.
        address: Where the gateway is reached.
        space: The environment's namespace, whose authority it trusts.
        system: The system.
        token: Its token; empty: it has none.
    """

    def __init__(self, node: Cluster, address: str, space: str, system: str, token: str) -> None:
        self.address = address
        self._path, self._name = f"/systems/{system}/v1/predict", f"gateway.{space}.svc"
        authority = base64.b64decode(node.get("secret", "authority", space)["data"]["tls.crt"]).decode()
        self._trusted = ssl.create_default_context(cadata=authority)
        self._headers = {"host": self._name, **({"authorization": f"Bearer {token}"} if token else {})}

    def connection(self) -> httpx.Client:
        """Return a connection that is kept."""
        return httpx.Client(
            base_url=f"https://{self.address}", verify=self._trusted, headers=self._headers, timeout=PATIENCE
        )

    def ask(self, by: httpx.Client | None = None, **headers: str) -> Asked:
        """Ask for one prediction, by a connection of its own if none is given."""
        if by is None:
            with self.connection() as own:
                return self.ask(own, **headers)
        begun, body = time.monotonic(), ""
        try:
            named = {"sni_hostname": self._name}
            answer = by.post(self._path, json={"instances": [INSTANCE]}, headers=headers, extensions=named)
            status, body = str(answer.status_code), answer.text
        except httpx.HTTPError as error:
            status = type(error).__name__
        return Asked(begun, time.monotonic(), status, body)

    @contextmanager
    def asking(self, threads: int, each_s: float) -> Iterator[list[Asked]]:
        """Ask all the time until the block ends, by kept connections; what was asked grows meanwhile.

        Args:
            threads: How many ask.
            each_s: How long each waits after an answer.
        """
        asked: list[Asked] = []
        ended = threading.Event()

        def follow() -> None:
            with self.connection() as own:
                while not ended.wait(each_s):
                    asked.append(self.ask(own))

        running = [threading.Thread(target=follow, daemon=True) for _ in range(threads)]
        for one in running:
            one.start()
        try:
            yield asked
        finally:
            ended.set()
            for one in running:
                one.join()
