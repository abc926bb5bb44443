"""What recording costs the model server: its requests and CPU with a record of each on disk, beside those without.

Two processes of one model, with and without, are asked in turn and in short rounds, so that whatever else the machine
does is shared by both. The recorder is a stand-in outside of them: only what the model server itself does is counted.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cpu import cpu_seconds
from bench.overload import OK, Caller, closed_loop, http_request
from bench.workspace import find_support
from mlstrata.files import write
from mlstrata.services.recording.spill_folder import Durability
from mlstrata.services.serving.observing import RecordingSettings
from mlstrata.services.serving.releases import FILE

if TYPE_CHECKING:
    from tests.local.conftest import Platform

SYSTEM, CALLERS, ROUNDS, ROUND_S = "recording", 2, 8, 2.0
OVERLOADED = 503
MODELS = {"a model of 15 ms": 0.015, "a model of 1 ms": 0.001}
WAYS: dict[str, Durability | None] = {"none": None, "interval": Durability.INTERVAL, "group": Durability.GROUP}


def measure_recording() -> dict[str, object]:
    """Ask a system with and without recording.

    Returns:
        For each model and durability, what recording leaves of the requests a second, and what it adds to the CPU
        seconds of 1,000 requests, both as medians over rounds that were measured one after the other.
    """
    find_support()
    figures: dict[str, object] = {}
    for name, seconds in MODELS.items():
        with tempfile.TemporaryDirectory(prefix="mlstrata-bench-") as folder, ExitStack() as stack:
            port = stack.enter_context(_recorder())
            platforms = {
                way: stack.enter_context(_platform(Path(folder) / way, seconds, kept, port))
                for way, kept in WAYS.items()
            }
            figures |= {f"{name}, {what}": value for what, value in asyncio.run(_measured(platforms)).items()}
    return figures


async def _measured(platforms: dict[str, Platform]) -> dict[str, object]:
    body = json.dumps({"instances": [{"x": 1.0}]}).encode()
    ask = http_request("POST", f"/systems/{SYSTEM}/v1/predict", body=body)
    callers = {way: Caller(one.serving.http_port, ask) for way, one in platforms.items()}
    rates: dict[str, list[float]] = {way: [] for way in platforms}
    costs: dict[str, list[float]] = {way: [] for way in platforms}
    for at in range(ROUNDS + 1):
        for way, platform in platforms.items():
            before = _cpu(platform)
            seen = await closed_loop(callers[way], CALLERS, ROUND_S)
            # On a machine that is busy beside, a line of requests is refused now and then (503).
            if not seen.answered or set(seen.statuses) - {OK, OVERLOADED}:
                raise RuntimeError(f"{way}: got {dict(seen.statuses)}; only {OK} and {OVERLOADED} may be measured")
            if at:  # the first round warms up
                rates[way].append(len(seen.answered) / ROUND_S)
                costs[way].append((_cpu(platform) - before) / len(seen.answered) * 1000)
    usual, spent = statistics.median(rates["none"]), statistics.median(costs["none"])
    figures: dict[str, object] = {"requests/s and CPU s per 1,000 without": f"{usual:.0f} / {spent:.2f}"}
    for way in platforms:
        if way != "none":
            answered = [one / other for one, other in zip(rates[way], rates["none"], strict=True)]
            cost = [one / other for one, other in zip(costs[way], costs["none"], strict=True)]
            figures[f"{way}: requests/s, with / without (at least 0.9)"] = round(statistics.median(answered), 3)
            figures[f"{way}: CPU, with / without (at most 1.15)"] = round(statistics.median(cost), 3)
    return figures


def _cpu(platform: Platform) -> float:
    """Return the CPU seconds of a prediction process and of those in which its versions are."""
    process = platform._mlserver
    if process is None:
        raise RuntimeError("the prediction process is not started")
    pids = [process.pid]
    for task in Path(f"/proc/{process.pid}/task").iterdir():
        pids += [int(child) for child in (task / "children").read_text(encoding="utf-8").split()]
    return sum(cpu_seconds(pid, children=False) for pid in pids)


@contextmanager
def _platform(home: Path, seconds: float, durability: Durability | None, recorder: int) -> Iterator[Platform]:
    from bench.overload import MODEL, MODEL_S
    from tests.local.conftest import Platform
    from tests.support.own_model import write_model

    platform = Platform(home, SYSTEM, "")
    write(home / "key", "the-key-of-a-bench")
    write(home / "token", "the-token-of-a-bench")
    if durability is not None:
        recording = RecordingSettings(
            spill=home / "spill",
            recorder=f"http://127.0.0.1:{recorder}",
            token_file=home / "token",
            key_file=home / "key",
            durability=durability,
            required=True,
        )
        platform.serving = platform.serving.model_copy(update={"recording": recording})
    write_model(platform.serving.directory, "1", MODEL.replace(str(MODEL_S), str(seconds)))
    write(platform.serving.directory / FILE, json.dumps({"champion": "1", "loaded": ["1"]}))
    try:
        platform.start_serving()
        yield platform
    finally:
        platform.kill_serving()


@contextmanager
def _recorder() -> Iterator[int]:
    """Stand in for the recorder: it takes everything."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(OK)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
