"""Requests through the gateway as one of a system's consumers, and their truth as feedback to the recorder."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from mlstrata.operations import recorded
from mlstrata.operations.errors import Failed, UsageError
from mlstrata.operations.loop.world import Case

if TYPE_CHECKING:
    import httpx

    from mlstrata.environments import SystemSpec
    from mlstrata.operations.deployment import Deployment

_SECONDS = 60.0
_TOLD_TOGETHER = 25
_TOKEN = timedelta(hours=2)
Truth = Callable[[Case, str, dict[str, Any]], str]
"""Case, version that answered and what it answered to what is told of it."""


def as_it_was(case: Case, _version: str, _answer: dict[str, Any]) -> str:
    """Tell what really was."""
    return case.truth


class Traffic:
    """Sends cases at a rate, in a thread of its own, until it is stopped; counts answers by version.

    Attributes:
        answers: Number of answers by version.
        told: Number of truths given.
        problem: Why it ended by itself; empty: it did not.
    """

    def __init__(self, deployment: Deployment, system: SystemSpec, rate: float) -> None:
        from mlstrata.operations.predict import trust
        from mlstrata.operations.tokens import mint

        here = deployment.target.here("loop")
        if not system.serving.consumers:
            raise UsageError(f"{system.name} has no consumers: declare one under serving.consumers")
        consumer = system.serving.consumers[0].name
        self._url = f"{here.address('gateway')}/systems/{system.name}/v1/predict"
        self._headers = {"authorization": f"Bearer {mint(deployment, consumer, _TOKEN).token}"}
        self._trust = trust(deployment)
        self._deployment, self._system = deployment, system.name
        self._pause, self._stopped = 1 / rate, threading.Event()
        self._cases: Iterator[Case] = iter(())
        self._truth: Truth = as_it_was
        self._left: int | None = None
        self.answers: Counter[str] = Counter()
        self.told, self.problem = 0, ""
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)

    def send(self, cases: Iterator[Case], count: int, on_answer: Callable[[int], None]) -> None:
        """Send so many requests, with their truth, and wait for the last.

        Raises:
            Failed: The gateway or the recorder does not answer.
        """
        import httpx

        with httpx.Client(verify=self._trust, timeout=_SECONDS, trust_env=False) as client:
            self._sent(client, itertools.islice(cases, count), on_answer)

    def begin(self, cases: Iterator[Case], truth: Truth = as_it_was) -> None:
        """Send these cases, which have no end, from now on."""
        self._cases, self._truth = cases, truth
        self._thread.start()

    def stop(self) -> None:
        """End it."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(_SECONDS)

    def _run(self) -> None:
        import httpx

        def until_stopped() -> Iterator[Case]:
            while not self._stopped.is_set():
                yield next(self._cases)

        try:
            with httpx.Client(verify=self._trust, timeout=_SECONDS, trust_env=False) as client:
                self._sent(client, until_stopped(), lambda _sent: None)
        except Failed as error:
            self.problem = str(error)

    def _sent(self, client: httpx.Client, cases: Iterator[Case], on_answer: Callable[[int], None]) -> None:
        lines: list[dict[str, Any]] = []
        due = time.monotonic()
        for number, case in enumerate(cases, 1):
            lines.append(self._one(client, case))
            if len(lines) >= _TOLD_TOGETHER:
                self._tell(lines)
                lines = []
            on_answer(number)
            due = max(due + self._pause, time.monotonic() - 1)
            time.sleep(max(0.0, due - time.monotonic()))
        self._tell(lines)

    def _one(self, client: httpx.Client, case: Case) -> dict[str, Any]:
        import httpx

        try:
            answer = client.post(self._url, json={"instances": [case.inputs]}, headers=self._headers)
            while answer.status_code in (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE):
                time.sleep(float(answer.headers.get("retry-after", "1")))
                answer = client.post(self._url, json={"instances": [case.inputs]}, headers=self._headers)
        except httpx.HTTPError as error:
            raise Failed(f"{self._url} does not answer ({error})") from None
        if answer.status_code != httpx.codes.OK:
            raise Failed(f"{self._url} answered {answer.status_code}: {answer.text.strip()}")
        document = answer.json()
        version = str(document["model"]["version"])
        self.answers[version] += 1
        truth = self._truth(case, version, document["predictions"][0])
        return {"id": str(document["request_id"]), "truth": truth, "groups": dict(case.groups)}

    def _tell(self, lines: list[dict[str, Any]]) -> None:
        try:
            self.told += recorded.tell(self._deployment, self._system, iter(lines)).lines
        except UsageError as error:
            raise Failed(str(error)) from None
