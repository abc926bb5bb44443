"""Real parts for the tests of serving, gateway and rollout: MLflow with registered models, MLServer, Envoy."""

import json
import os
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from mlstrata.clients.mlflow.access import SEAL_FILE
from mlstrata.files import write
from mlstrata.operations.releases import LocalBackend
from mlstrata.services.gateway import tokens
from mlstrata.services.gateway.render import command as gateway_command
from mlstrata.services.gateway.render import render_files as gateway_files
from mlstrata.services.gateway.settings import Consumer, GatewaySettings, GatewaySystem
from mlstrata.services.serving.folders import secret_file
from mlstrata.services.serving.settings import HOST, ServingSettings, command, environment, render_files
from mlstrata_steps.seal import KEY
from tests.support.patience import PATIENCE, eventually
from tests.support.ports import free_port, free_ports

ROOT = Path(__file__).parents[2]
RUNTIME = ROOT / ".venv" / "bin"
ISSUER = "mlstrata/test"
PROOF = "of-a-release"
SYSTEMS = ("serving-test", "gateway-test", "rollout-test", "crash-test", "load-test", "canary-test")
APPLICATION = {
    "pirat": 0.22,
    "hirat": 0.22,
    "lvrat": 0.8,
    "chist": 5,
    "mhist": 2,
    "unemp": 3.9,
    **dict.fromkeys(["phist", "selfemp", "insurance", "condomin"], "no"),
    "hschool": "yes",
}


def wait_for(url: str, process: "Process", trust: ssl.SSLContext | bool = True) -> float:
    """Return the seconds until `url` answered 200, which `process` is to do."""

    def answers() -> bool:
        assert process.runs(), process.log.read_text(errors="replace")
        try:
            return httpx.get(url, trust_env=False, verify=trust).status_code == 200
        except httpx.TransportError:
            return False

    return eventually(answers)


class Process:
    """A child of the test run, in a group of its own, logging to a file."""

    def __init__(self, arguments: list[str], log: Path, extra: dict[str, str] | None = None) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                arguments,
                stdout=output,
                stderr=output,
                env=os.environ | (extra or {}),
                cwd=log.parent,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._child.pid

    def runs(self) -> bool:
        return self._child.poll() is None

    def kill(self) -> None:
        if self._child.poll() is None:
            os.killpg(self._child.pid, 9)
        self._child.wait()


class Registered:
    """A tracking server with versions 1, 2 and 3 of every test system."""

    def __init__(self, uri: str, scores: list[float]) -> None:
        self.uri = uri
        self.scores = scores


@pytest.fixture(scope="session")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registered]:
    folder = tmp_path_factory.mktemp("mlflow")
    port = free_port()
    quiet = {KEY: PROOF, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    store = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "files")]
    server = Process(
        [str(RUNTIME / "mlflow"), "server", *store, "--host", HOST, "--port", str(port), "--workers", "1"],
        folder / "log",
        quiet,
    )
    uri = f"http://{HOST}:{port}"
    try:
        wait_for(f"{uri}/health", server)
        script = [str(RUNTIME / "python"), str(Path(__file__).with_name("hmda_model.py")), uri, *SYSTEMS]
        done = subprocess.run(script, capture_output=True, text=True, env=os.environ | quiet, cwd=folder, check=False)
        assert done.returncode == 0, done.stderr
        yield Registered(uri, json.loads(done.stdout.splitlines()[-1]))
    finally:
        server.kill()


class Platform:
    """One system's MLServer behind an Envoy, in a home of its own."""

    def __init__(self, home: Path, system: str, tracking_uri: str, rate: int = 100_000) -> None:
        self.home, self.system, self.tracking_uri = home, system, tracking_uri
        http, grpc, metrics, port, admin, nobody = free_ports(6)
        self.serving = ServingSettings(
            system=system,
            directory=home / "data" / "serving" / system,
            http_port=http,
            grpc_port=grpc,
            metrics_port=metrics,
            sla_p99_s=0.15,
            secret_file=secret_file(home, system),
        )
        write(self.serving.secret_file, PROOF)
        write(home / SEAL_FILE, PROOF)
        self.key = tokens.generate_key()
        desk, other = Consumer(name="desk", count=rate), Consumer(name="scarce", count=3, per_seconds=86_400)
        self.gateway = GatewaySettings(
            port=port,
            admin_port=admin,
            issuer=ISSUER,
            jwks=tokens.public_jwks(self.key),
            directory=home / "config" / "gateway",
            access_log=home / "logs" / "access.jsonl",
            systems=(
                GatewaySystem(
                    name=system, upstream_port=http, consumers=(desk, other), body_limit=65_536, timeout_s=PATIENCE
                ),
                GatewaySystem(name="nobody-home", upstream_port=nobody, consumers=(desk,)),
            ),
        )
        self.url, self.process_url = f"http://{HOST}:{port}", f"http://{HOST}:{http}"
        self.metrics_url = f"http://{HOST}:{metrics}/metrics"
        self.admin_url = f"http://{HOST}:{admin}"
        self._mlserver: Process | None = None
        self._envoy: Process | None = None

    def start_serving(self) -> float:
        """Start MLServer; return the seconds until it is ready."""
        folder = self.home / "config" / "serving"
        for name, text in render_files(self.serving).items():
            write(folder / name, text)
        self._mlserver = Process(
            command(RUNTIME, folder), self.home / "logs" / "serving.log", environment(self.serving)
        )
        return wait_for(f"{self.process_url}/v2/health/ready", self._mlserver)

    def versions(self, method: str, version: str = "", proof: str = PROOF) -> httpx.Response:
        """Ask the prediction process's versions interface, as a release does."""
        address = f"{self.process_url}/versions/{version}".rstrip("/")
        allowed = {"authorization": f"Bearer {proof}"} if proof else {}
        return httpx.request(method, address, headers=allowed, trust_env=False)

    def kill_serving(self) -> None:
        if self._mlserver:
            self._mlserver.kill()

    def imported(self, package: str) -> bool:
        """Whether MLServer has compiled code of a package in memory."""
        assert self._mlserver
        return f"/{package}/" in Path(f"/proc/{self._mlserver.pid}/maps").read_text()

    def start_gateway(self) -> float:
        """Start Envoy; return the seconds until it is ready."""
        for name, text in gateway_files(self.gateway, {}).items():
            write(self.gateway.directory / name, text)
        self._envoy = Process(gateway_command(RUNTIME, self.gateway.directory), self.home / "logs" / "gateway.log")
        return wait_for(f"{self.url}/healthz", self._envoy)

    def kill_gateway(self) -> None:
        if self._envoy:
            self._envoy.kill()

    def context(self, **changes: object) -> LocalBackend:
        given = {
            "home": self.home,
            "tracking_uri": self.tracking_uri,
            "serving_urls": {self.system: self.process_url},
            "gateway_url": self.url,
            "decider": "tester",
        }
        return LocalBackend(**(given | changes))

    def token(self, consumer: str = "desk", systems: tuple[str, ...] | None = None, **changes: object) -> str:
        given = {"key": self.key, "issuer": ISSUER, "ttl": timedelta(minutes=10)} | changes
        return tokens.mint(consumer=consumer, systems=systems or (self.system,), **given)

    def predict(self, body: object = None, token: str | None = None, path: str = "", **headers: str) -> httpx.Response:
        """Ask the gateway; without a body for one application's prediction, without a token with the desk's."""
        content = body if isinstance(body, bytes) else json.dumps(body or {"instances": [APPLICATION]}).encode()
        allowed = {"authorization": f"Bearer {token or self.token()}"} if token != "" else {}
        url = self.url + (path or f"/systems/{self.system}/v1/predict")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.post(url, content=content, headers=allowed | named, trust_env=False)

    def load(self, threads: int = 4) -> "Load":
        return Load(self, threads)


class Load:
    """Constant traffic on kept connections, while the block runs; counts the answers."""

    def __init__(self, platform: Platform, threads: int) -> None:
        self.statuses: Counter[object] = Counter()
        self.versions: list[str] = []
        self.seconds: list[float] = []
        self._platform = platform
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(threads)]

    def __enter__(self) -> "Load":
        self._begun = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()
        self.elapsed = time.monotonic() - self._begun

    def more(self, count: int = 20) -> None:
        """Wait for so many more answers."""
        wanted = self.statuses.total() + count
        eventually(lambda: self.statuses.total() >= wanted)

    def _ask(self) -> None:
        url = f"{self._platform.url}/systems/{self._platform.system}/v1/predict"
        headers = {"authorization": f"Bearer {self._platform.token()}"}
        with httpx.Client(headers=headers, trust_env=False) as client:
            while not self._end.is_set():
                begun = time.perf_counter()
                try:
                    response = client.post(url, json={"instances": [APPLICATION]})
                except httpx.TransportError as error:
                    self.statuses[type(error).__name__] += 1
                    continue
                self.seconds.append(time.perf_counter() - begun)
                self.statuses[response.status_code] += 1
                if response.status_code == 200:
                    self.versions.append(response.json()["model"]["version"])


class PlatformFactory:
    """Starts platforms for a module's tests, and ends them."""

    def __init__(self, folder: pytest.TempPathFactory) -> None:
        self._folder = folder
        self._made: list[Platform] = []

    def __call__(self, system: str, tracking_uri: str, *, started: bool = True) -> Platform:
        platform = Platform(self._folder.mktemp(system), system, tracking_uri)
        self._made.append(platform)
        if started:
            platform.start_serving()
            platform.start_gateway()
        return platform

    def end(self) -> None:
        for platform in self._made:
            platform.kill_gateway()
            platform.kill_serving()


@pytest.fixture(scope="module")
def platforms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformFactory]:
    factory = PlatformFactory(tmp_path_factory)
    yield factory
    factory.end()


@pytest.fixture(scope="session")
def application() -> dict[str, object]:
    return dict(APPLICATION)


@pytest.fixture(scope="session")
def python() -> str:
    return sys.executable
