"""What stands between the gateway and a prediction process: records answers, and makes a version slow or ill."""

from __future__ import annotations

import http.client
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from mlstrata.services.recording.record import Instance, Record
from mlstrata.services.recording.store import Store

_OK = 200


class Between:
    """Passes requests on and keeps a record of each answer.

    Attributes:
        slow: Version to the seconds that its answers take longer.
        ill: Versions that fail.
    """

    def __init__(self, system: str, port: int, store: Store) -> None:
        self.system, self.upstream, self.store = system, port, store
        self.slow: dict[str, float] = {}
        self.ill: set[str] = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def end(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def keep(self, headers: dict[str, str], status: int, version: str, begun: float, answer: dict) -> None:
        """Record an answer, as the process does where it is told to."""
        found = answer.get("predictions") or [None]
        self.store.add(
            [
                Record(
                    id=headers["x-request-id"],
                    at=begun,
                    system=self.system,
                    version=version,
                    status=status,
                    ms=1000 * (time.time() - begun),
                    shadow="x-mlstrata-shadow" in headers,
                    instances=tuple(Instance(inputs={}, output=one) for one in found),
                )
            ]
        )


def _handler(between: Between) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        kept: ClassVar[frozenset[str]] = frozenset({"content-type", "x-mlstrata-version", "x-request-id"})

        def do_POST(self) -> None:
            begun = time.time()
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            version = headers.get("x-mlstrata-version", "none")
            time.sleep(between.slow.get(version, 0))
            if version in between.ill:
                status, answer, more = 500, b'{"error": {"code": "model_failed"}}', {"x-mlstrata-version": version}
            else:
                status, answer, more = self.passed(body, headers)
            between.keep(headers, status, version, begun, json.loads(answer) if status == _OK else {})
            self.send_response(status)
            for name, value in (more | {"content-length": str(len(answer))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        def passed(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
            connection = http.client.HTTPConnection("127.0.0.1", between.upstream, timeout=600)
            try:
                connection.request("POST", self.path, body, headers)
                response = connection.getresponse()
                told = {name.lower(): value for name, value in response.getheaders() if name.lower() in self.kept}
                return response.status, response.read(), told
            finally:
                connection.close()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
