"""What a system answers above its capacity, beside the most that it answers, and how soon it is itself again.

The real gateway before the real prediction process, whose model takes a processor for `MODEL_S`; requests come at
random times whether earlier ones are answered or not, as those of many callers do.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench.workspace import find_support
from mlstrata.files import write
from mlstrata.services.serving.releases import FILE
from mlstrata.services.serving.settings import READY_PATH

if TYPE_CHECKING:
    from tests.local.conftest import Platform

SYSTEM, TIMEOUT_S = "overload", 5.0
MODEL_S, CALLERS = 0.015, (2, 4)
ALONE_S, BEST_S, LOAD_S = 3.0, 3.0, 12.0
TIMES = (1, 2, 10)
OK, END = 200, "connection: close"
MOST_CONNECTIONS = 900
AGAIN, NEVER_S = 10, 60.0
"""So many answers in a row, each about as quick as without load, say that it is itself again; and when it is not."""
MODEL = f'''\
"""A model that keeps a processor busy, and everything else of its process with it."""

import time


class Model:
    def predict(self, frame):
        until = time.thread_time() + {MODEL_S}
        while time.thread_time() < until:
            pass
        return [0.5] * len(frame)


def _load_pyfunc(path):
    return Model()
'''


@dataclass
class Answers:
    """What came back: seconds of the answers, and of the refusals, by status."""

    answered: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    statuses: Counter[object] = field(default_factory=Counter)

    def add(self, status: object, seconds: float) -> None:
        """Count one."""
        self.statuses[status] += 1
        (self.answered if status == OK else self.refused).append(seconds)


class Caller:
    """Sends requests on kept connections, as many as there are requests under way."""

    def __init__(self, port: int, request: bytes) -> None:
        self._port, self._request = port, request
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._open = 0

    async def ask(self) -> tuple[object, float]:
        """Send one; return its status, or what ended it, and its seconds."""
        began = time.perf_counter()
        if not self._free and self._open >= MOST_CONNECTIONS:
            return "no connection", 0.0
        try:
            return await self._ask(), time.perf_counter() - began
        except (OSError, asyncio.IncompleteReadError) as error:
            return type(error).__name__, time.perf_counter() - began

    async def _ask(self) -> int:
        if self._free:
            reader, writer = self._free.pop()
        else:
            self._open += 1
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        kept = False
        try:
            writer.write(self._request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            await reader.readexactly(length)
            kept = b"connection: close" not in head
        finally:
            if kept:
                self._free.append((reader, writer))
            else:
                self._open -= 1
                writer.close()
        return int(head.split(b" ", 2)[1])


def measure_overload() -> dict[str, object]:
    """Load a system of one process below, at and above what it can answer.

    Returns:
        Answers a second, as parts of the best; seconds of answers and refusals, as multiples of what an answer takes
        without load; seconds until it is itself again.
    """
    find_support()
    with tempfile.TemporaryDirectory(prefix="mlstrata-bench-") as folder, _platform(Path(folder)) as platform:
        return asyncio.run(_measured(platform))


@contextmanager
def _platform(home: Path) -> Iterator[Platform]:
    from tests.local.conftest import Platform
    from tests.support.own_model import write_model

    platform = Platform(home, SYSTEM, "")
    systems = tuple(one.model_copy(update={"timeout_s": TIMEOUT_S}) for one in platform.gateway.systems)
    platform.gateway = platform.gateway.model_copy(update={"systems": systems})
    write_model(platform.serving.directory, "1", MODEL)
    write(platform.serving.directory / FILE, json.dumps({"champion": "1", "loaded": ["1"]}))
    try:
        platform.start_serving()
        platform.start_gateway()
        yield platform
    finally:
        platform.kill_gateway()
        platform.kill_serving()


def http_request(method: str, path: str, *headers: str, body: bytes = b"") -> bytes:
    """Write a request as a `Caller` sends it; each header is `name: value`."""
    lines = [f"{method} {path} HTTP/1.1", "host: localhost", f"content-length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def _measured(platform: Platform) -> dict[str, object]:
    from tests.local.conftest import PROOF

    path = f"/systems/{SYSTEM}/v1/predict"
    body = json.dumps({"instances": [{"x": 1.0}]}).encode()
    ask = http_request("POST", path, f"authorization: Bearer {platform.token()}", body=body)
    caller = Caller(platform.gateway.port, ask)
    probes = {
        "gateway's health": Caller(platform.gateway.port, http_request("GET", "/healthz", END)),
        "process's health": Caller(platform.serving.http_port, http_request("GET", READY_PATH, END)),
        "versions": Caller(
            platform.serving.http_port, http_request("GET", "/versions", f"authorization: Bearer {PROOF}", END)
        ),
    }
    alone = (await closed_loop(caller, 1, ALONE_S)).answered
    usual, most = statistics.median(alone), quantile(alone, 0.99)
    figures: dict[str, object] = {"seconds without load, median / 99 of 100": f"{usual:.3f} / {most:.3f}"}
    for times in TIMES:
        # Before each, as whatever else the machine does changes, too.
        best = max([len((await closed_loop(caller, count, BEST_S)).answered) / BEST_S for count in CALLERS])
        seen, looked = Answers(), {name: Answers() for name in probes}
        load = asyncio.create_task(_offered(caller, times * best, LOAD_S, seen))
        looks = [asyncio.create_task(_looking(probe, load, looked[name])) for name, probe in probes.items()]
        await load
        again = await _until_itself(caller, 3 * most)
        await asyncio.gather(*looks)
        named = f"at {times} x the most"
        figures |= {
            f"{named}, {best:.1f}/s: answers / most": round(len(seen.answered) / LOAD_S / best, 2),
            f"{named}: median / without load": round(quantile(seen.answered, 0.5) / usual, 1),
            f"{named}: 99 of 100 / without load": round(quantile(seen.answered, 0.99) / most, 1),
            f"{named}: refused within, s": round(quantile(seen.refused, 0.99), 3),
            f"{named}: itself again, s": round(again, 2),
            f"{named}: statuses": ", ".join(f"{code} {count}" for code, count in seen.statuses.most_common()),
        } | {f"{named}: {name}, s": _looks(found) for name, found in looked.items()}
    return figures


def _looks(found: Answers) -> str:
    failed = f", {len(found.refused)} failed" if found.refused else ""
    return f"{max(found.answered, default=float('nan')):.3f} at most{failed}"


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` of them are; nan of none."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


async def closed_loop(caller: Caller, callers: int, seconds: float) -> Answers:
    """Have callers ask who each wait for their answer."""
    seen, until = Answers(), time.perf_counter() + seconds

    async def one() -> None:
        while time.perf_counter() < until:
            seen.add(*await caller.ask())

    await asyncio.gather(*(one() for _ in range(callers)))
    return seen


async def _offered(caller: Caller, rate: float, seconds: float, seen: Answers) -> None:
    """Send at random times, `rate` a second, and return when the last was sent."""
    chance = random.Random(7)  # noqa: S311 - the same times in every run, and no secret
    asked = set[asyncio.Task[None]]()
    at, until = time.perf_counter(), time.perf_counter() + seconds

    async def one() -> None:
        status, took = await caller.ask()
        # What comes later is no answer of this time.
        if time.perf_counter() < until or status != OK:
            seen.add(status, took)

    while at < until:
        if (wait := at - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(one())
        asked.add(task)
        task.add_done_callback(asked.discard)
        at += chance.expovariate(rate)


async def _looking(probe: Caller, load: asyncio.Task[None], seen: Answers) -> None:
    while not load.done():
        seen.add(*await probe.ask())
        await asyncio.sleep(0.2)


async def _until_itself(caller: Caller, limit: float) -> float:
    """Return the seconds until answers come again as quickly as they do without load."""
    began = first = time.perf_counter()
    row = 0
    while row < AGAIN and first - began < NEVER_S:
        if row == 0:
            first = time.perf_counter()
        status, took = await caller.ask()
        row = row + 1 if status == OK and took <= limit else 0
        await asyncio.sleep(0.02)
    return first - began
