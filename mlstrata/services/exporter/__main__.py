"""Serves measures, logs alerts, archives and prunes: `python -m mlstrata.services.exporter --home DIR --port N`.

`GET /metrics` gives the measures, `GET /healthz` answers 200, `POST /alerts` takes Alertmanager's webhook and appends
each alert as one JSON line to logs/alerts.jsonl in the environment's home. With `--gateway-admin PORT` and
`--logs-seconds N` it archives the gateway's access log and keeps it that long; with `--retention FILE` it starts what
removes what else has been kept long enough. Only the standard library: it starts at once and holds little memory.
"""

from __future__ import annotations

import argparse
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from mlstrata.services.exporter.measure import exposition
from mlstrata.services.exporter.pruning import Pruning
from mlstrata.services.gateway.logarchive import Archiver, Archiving, reopen
from mlstrata.services.gateway.names import ACCESS_LOG

_LIMIT_BYTES = 4_000_000
_LOG_BYTES = 20_000_000
_lock = threading.Lock()


def log_alerts(body: bytes, log: Path) -> int:
    """Append the alerts of one webhook call to `log`, and return how many there were.

    Raises:
        ValueError: The body is not what Alertmanager sends.
    """
    try:
        alerts = json.loads(body)["alerts"]
        entries = [{"received": datetime.now(UTC).isoformat(), **dict(alert)} for alert in alerts]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"not an Alertmanager notification: {error}") from error
    with _lock:
        if log.exists() and log.stat().st_size > _LOG_BYTES:
            log.replace(log.with_name(f"{log.name}.1"))
        with log.open("a", encoding="utf-8") as stream:
            stream.writelines(json.dumps(entry, sort_keys=True) + "\n" for entry in entries)
    return len(entries)


class Handler(BaseHTTPRequestHandler):
    """Answers the three addresses."""

    home: Path
    archiving: Archiving | None = None
    pruning: Pruning | None = None

    def do_GET(self) -> None:
        """Give the measures, or say that it lives."""
        pages: dict[str, Callable[[], str]] = {"/metrics": self._measures, "/healthz": lambda: "ok\n"}
        page = pages.get(self.path)
        self._answer(HTTPStatus.OK, page()) if page else self._answer(HTTPStatus.NOT_FOUND, "not found\n")

    def do_POST(self) -> None:
        """Take alerts."""
        if self.path != "/alerts":
            self._answer(HTTPStatus.NOT_FOUND, "not found\n")
            return
        said = self.headers.get("Content-Length") or "0"
        if not (said.isascii() and said.isdigit()):
            self._answer(HTTPStatus.BAD_REQUEST, "Content-Length: a number of bytes is needed\n")
            return
        # Longer numbers Python does not read, and they are too many bytes.
        length = int(said[:20])
        if length > _LIMIT_BYTES:
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {_LIMIT_BYTES} bytes\n")
            return
        try:
            count = log_alerts(self.rfile.read(length), self.home / "logs/alerts.jsonl")
        except ValueError as error:
            self._answer(HTTPStatus.BAD_REQUEST, f"{error}\n")
            return
        self._answer(HTTPStatus.OK, f"{count} logged\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Log nothing for each request: Prometheus asks every few seconds."""

    def _measures(self) -> str:
        upkeep = (self.archiving, self.pruning)
        return exposition(self.home) + "".join(one.exposition() for one in upkeep if one)

    def _answer(self, status: HTTPStatus, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(
        prog="mlstrata.services.exporter", description="Measures of an environment's services."
    )
    parser.add_argument("--home", type=Path, required=True, help="the environment's home folder")
    parser.add_argument("--port", type=int, required=True, help="loopback port")
    parser.add_argument("--gateway-admin", type=int, help="loopback port of the gateway's admin interface, if any")
    parser.add_argument("--logs-seconds", type=float, help="how long the gateway's log is kept")
    parser.add_argument("--retention", type=Path, help="settings file of mlstrata.services.retention")
    arguments = parser.parse_args()
    if (arguments.gateway_admin is None) != (arguments.logs_seconds is None):
        parser.error("--gateway-admin and --logs-seconds: got one of them; allowed both or none")
    if arguments.gateway_admin is not None:
        keep = timedelta(seconds=arguments.logs_seconds)
        archiver = Archiver(arguments.home / ACCESS_LOG, keep, partial(reopen, arguments.gateway_admin))
        Handler.archiving = Archiving(archiver)
    if arguments.retention is not None:
        Handler.pruning = Pruning(arguments.retention)
    Handler.home = arguments.home
    ThreadingHTTPServer(("127.0.0.1", arguments.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
