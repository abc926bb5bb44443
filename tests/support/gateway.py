"""An Envoy as the gateway, before stand-ins for prediction processes, so that these can be slow, ill or gone."""

import json
import socket
import ssl
import threading
import time
from collections import Counter
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx

from mlstrata.files import write
from mlstrata.operations.releases.local.gateway import Gateway
from mlstrata.services.gateway import certificates, tokens
from mlstrata.services.gateway.render import command, render_files, render_routes, to_text
from mlstrata.services.gateway.settings import (
    CA_FILE,
    ROUTES_FILE,
    TLS_FILE,
    Breaker,
    Consumer,
    Deprecation,
    GatewaySettings,
    GatewaySystem,
)
from mlstrata.services.serving.releases import Releases
from mlstrata.services.serving.settings import LEAVING_HEADER, OVERLOADED_HEADER, READY_PATH, UNTOUCHED_HEADER
from tests.local.conftest import RUNTIME, Process, wait_for
from tests.support.patience import PATIENCE
from tests.support.ports import free_ports

ISSUER = "mlstrata/edge"
LOANS, NARROW, UPPER = "/systems/loans/v1/predict", "/systems/narrow/v1/predict", "/systems/loans/v2/predict"


class StandIn:
    """Answers as a prediction process would: after the milliseconds, with the status that the body asks for.

    Attributes:
        seen: Requests by path.
        headers: What the last request carried.
        versions: Requests by the version they name, copies for a shadow apart, as `shadow:2`.
        slow: Version to the seconds that it takes longer.
        well: Whether it says that it is.
        overloaded: Whether it has more to do than it can, and says so before it does anything.
        lacks: Whether it lacks the version, and says so before it does anything.
        failing: Whether it answers everything with 500.
        leaving: Whether it asks the gateway to go elsewhere.
        free: Set by a test that lets the requests go which asked to be held.
    """

    def __init__(self, port: int = 0) -> None:
        self.seen: Counter[str] = Counter()
        self.headers: dict[str, str] = {}
        self.versions: Counter[str] = Counter()
        self.slow: dict[str, float] = {}
        self.well, self.lacks, self.failing, self.leaving, self.overloaded = True, False, False, False, False
        self.free = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self.port = port
        self.start()

    def refusal(self) -> dict[str, str]:
        """Return the headers of a refusal before anything was done; none where it answers."""
        if self.overloaded:
            return {OVERLOADED_HEADER: "1", "retry-after": "1"}
        return {UNTOUCHED_HEADER: "1"} if self.lacks else {}

    def start(self) -> None:
        """Listen, on the same port as before."""
        self._server = _Server(("127.0.0.1", self.port), _handler(self))
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Be gone: refuse connections, and end those there are."""
        if self._server:
            self._server.end()
            self._server = None


class _Server(ThreadingHTTPServer):
    """Knows its connections, to end them as a killed process would."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *given: object) -> None:
        self.open: set[socket.socket] = set()
        super().__init__(*given)  # type: ignore[arg-type]

    def process_request(self, request, client_address) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def end(self) -> None:
        self.shutdown()
        self.server_close()
        for one in list(self.open):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, *_: object) -> None:
        """Say nothing of callers who are gone."""


def _handler(stand_in: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
            stand_in.headers = {name.lower(): value for name, value in self.headers.items()}
            stand_in.seen[self.path] += not stand_in.lacks
            version = self.headers.get("x-mlstrata-version", "")
            copy = "shadow:" if "x-mlstrata-shadow" in self.headers else ""
            stand_in.versions[copy + version] += 1
            time.sleep(stand_in.slow.get(version, 0))
            if refusal := stand_in.refusal():
                self.answer(503, {}, refusal)
                return
            time.sleep(body.get("sleep_ms", 0) / 1000)
            if body.get("held"):
                stand_in.free.wait(PATIENCE)
            if body.get("hang_up"):
                self.close_connection = True
                return
            status = 500 if stand_in.failing else body.get("status", 200)
            more = {LEAVING_HEADER: "true"} if stand_in.leaving else {}
            more |= {"x-mlstrata-version": version} if version else {}
            self.answer(status, {"consumer": self.headers["x-mlstrata-consumer"], "by": stand_in.port}, more)

        def do_GET(self) -> None:
            if self.path == READY_PATH:
                self.answer(200 if stand_in.well else 500, {}, {})
            else:
                stand_in.seen[self.path] += 1
                self.answer(200, {"consumer": self.headers["x-mlstrata-consumer"]}, {})

        def answer(self, status: int, body: object, headers: dict[str, str]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"content-length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


class Edge:
    """The gateway, its keys and its authority.

    It is patient, whatever the machine has to do besides; a `hasty` one cuts off who is slow after a second or two.
    """

    def __init__(self, home: Path, *upstreams: int, concurrency: int = 2, hasty: bool = False) -> None:
        upstream, *copies = upstreams
        self.key = tokens.generate_key()
        self.authority_key, self.authority = certificates.make_authority("edge test")
        port, admin = free_ports(2)
        desk = Consumer(name="desk", count=100_000)
        counted = Consumer(name="counted", count=1000, quota=5, quota_seconds=86_400)
        # A period in which none is given back while a test runs.
        scarce = Consumer(name="scarce", count=2, per_seconds=86_400)
        self.settings = GatewaySettings(
            port=port,
            admin_port=admin,
            issuer=ISSUER,
            jwks=tokens.public_jwks(self.key),
            directory=home / "config/gateway",
            access_log=home / "logs/access.log",
            tls=True,
            headers_timeout_s=1 if hasty else 300,
            request_timeout_s=2 if hasty else 600,
            max_connections=64,
            systems=(
                GatewaySystem(
                    name="loans",
                    upstream_port=upstream,
                    copies=tuple(copies),
                    consumers=(desk, counted, scarce),
                    api_versions=("v1", "v2"),
                    deprecations=(Deprecation(api="v1", since=date(2026, 10, 1), sunset=date(2027, 4, 1)),),
                    body_limit=65_536,
                    timeout_s=PATIENCE,
                ),
                GatewaySystem(
                    name="narrow",
                    upstream_port=upstream,
                    consumers=(Consumer(name="other", count=100_000),),
                    breaker=Breaker(connections=1, pending=1, requests=2),
                    timeout_s=PATIENCE,
                ),
            ),
        )
        self.admin = f"http://127.0.0.1:{admin}"
        self.ca = home / "ca.pem"
        self.ca.write_text(self.authority)
        write(self.settings.directory / CA_FILE, self.authority)
        self.trust = ssl.create_default_context(cafile=str(self.ca))
        self.url = f"https://127.0.0.1:{port}"
        self.certify()
        for name, text in render_files(self.settings, {}).items():
            write(self.settings.directory / name, text)
        log = home / "logs/gateway.log"
        self.process = Process(command(RUNTIME, self.settings.directory, concurrency), log)
        wait_for(f"{self.url}/healthz", self.process, self.trust)

    def certify(self, days: float = 90) -> None:
        pair = certificates.make_server(self.authority_key, self.authority, days)
        write(self.settings.directory / TLS_FILE, certificates.render_tls(*pair))

    def route(self, releases: dict[str, Releases]) -> None:
        """Have the routes that these releases ask for in force, in each of Envoy's threads."""
        routes = render_routes(self.settings, releases)
        write(self.settings.directory / ROUTES_FILE, to_text(routes))
        Gateway(self.url, self.settings.directory, PATIENCE).follow(routes)

    def figure(self, name: str) -> float:
        """Return the sum of the figures with that name which Prometheus would read."""
        lines = httpx.get(f"{self.admin}/stats/prometheus", trust_env=False).text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name}{{", f"{name} ")))

    def token(self, consumer: str = "desk", systems: tuple[str, ...] = ("loans",), key: str | None = None) -> str:
        return tokens.mint(key or self.key, ISSUER, consumer, systems, timedelta(minutes=5))

    def ask(self, token: str | None = None, path: str = LOANS, body: bytes = b"{}", **headers: str) -> httpx.Response:
        named = {"authorization": f"Bearer {token or self.token()}"} | headers
        with httpx.Client(verify=self.trust, trust_env=False) as client:
            return client.post(self.url + path, content=body, headers=named)

    def connect(self) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.settings.port), timeout=PATIENCE)
        return self.trust.wrap_socket(plain, server_hostname="localhost")

    def head(self, *, length: int = 0, extra: str = "", path: str = LOANS) -> bytes:
        """Return the beginning of a request, which its last empty line is still to end."""
        return (
            f"POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {self.token()}\r\n"
            f"content-length: {length}\r\n{extra}"
        ).encode()


def told(sock: socket.socket) -> str:
    """Return the first line of what comes back."""
    received = b""
    while b"\r\n\r\n" not in received:
        part = sock.recv(65_536)
        if not part:
            break
        received += part
    return received.split(b"\r\n", 1)[0].decode()
