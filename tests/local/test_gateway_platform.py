"""The gateway of a running platform, with two copies of a system: threats, and rotation and release under load."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import jwt
import pytest

from mlstrata.environments.stages import default_ports
from mlstrata.services.gateway import tokens
from mlstrata.services.gateway.settings import GatewaySettings
from mlstrata.services.serving.folders import secret_file
from tests.support import odd_requests
from tests.support.command import ROOT, Platform
from tests.support.gateway import told
from tests.support.patience import eventually

pytestmark = pytest.mark.local

SYSTEM, OTHER = "mortgage-approval", "consumer-credit"
SERVICES = (f"serving-{SYSTEM}", f"serving-2-{SYSTEM}")
CONSUMERS = "consumers: [{name: underwriter-desk, rate: 10000/s}, {name: scarce, rate: 3/d}]"
BODY = (ROOT / "examples/application.json").read_bytes()


class Gate:
    """The platform of this module as its consumers see it."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.settings = GatewaySettings.read(platform.home / "config/gateway")
        self.trust = ssl.create_default_context(cafile=str(platform.home / "config/gateway/ca.pem"))
        self.url = f"https://127.0.0.1:{self.settings.port}"
        self.token = self.mint("underwriter-desk")

    def mint(self, consumer: str) -> str:
        return self.platform.run("token", "local", consumer).out.strip()

    def ask(self, token: str | None = None, system: str = SYSTEM, body: bytes = BODY) -> httpx.Response:
        bearer = self.token if token is None else token
        headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
        url = f"{self.url}/systems/{system}/v1/predict"
        with httpx.Client(verify=self.trust, trust_env=False) as client:
            return client.post(url, content=body, headers=headers)

    def connect(self) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.settings.port))
        return self.trust.wrap_socket(plain, server_hostname="localhost")

    def raw(self, content: bytes) -> str:
        with self.connect() as sock:
            sock.sendall(content)
            return told(sock).split()[1]

    def versions(self) -> list[set[str]]:
        """Return what each copy has in memory, as it says itself."""
        ports = self.platform.exports()["ports"]
        urls = [f"http://127.0.0.1:{int(ports[name]['http'])}/versions" for name in SERVICES]
        secret = secret_file(self.platform.home, SYSTEM).read_text()
        headers = {"authorization": f"Bearer {secret}"}
        answers = [httpx.get(url, headers=headers, trust_env=False).json() for url in urls]
        return [{one["version"] for one in answer["versions"]} for answer in answers]


class Traffic:
    """Constant requests on kept connections, with the token of the moment, while the block runs."""

    def __init__(self, gate: Gate) -> None:
        self.gate, self.codes, self.versions = gate, Counter[object](), Counter[str]()
        self._end, self._answers = threading.Event(), [0] * 3
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(3)]

    def _run(self, number: int) -> None:
        url = f"{self.gate.url}/systems/{SYSTEM}/v1/predict"
        with httpx.Client(verify=self.gate.trust, trust_env=False) as client:
            while not self._end.is_set():
                try:
                    answer = client.post(url, content=BODY, headers={"authorization": f"Bearer {self.gate.token}"})
                except httpx.TransportError as error:
                    self.codes[type(error).__name__] += 1
                    continue
                finally:
                    self._answers[number] += 1
                self.codes[answer.status_code] += 1
                if answer.status_code == 200:
                    self.versions[answer.json()["model"]["version"]] += 1
                time.sleep(0.01)

    def __enter__(self) -> "Traffic":
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for one in self._threads:
            one.join()

    def more(self, count: int = 5) -> None:
        """Wait until each caller has so many more answers: none of them asks with what was valid before."""
        wanted = [answers + count for answers in self._answers]
        eventually(lambda: all(now >= then for now, then in zip(self._answers, wanted, strict=True)))


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    platform = Platform(tmp_path_factory.mktemp("gate"))
    declare(platform, copies=2)
    try:
        done = platform.run("up", "local", "--yes", "--train")
        assert done.code == 0, done.text
        yield Gate(platform)
    finally:
        platform.end()


def declare(platform: Platform, *, copies: int) -> str:
    text = platform.declare("prerequisites", systems=2)
    text, changed = re.subn(r"consumers: \[\{name: underwriter-desk[^\n]*", CONSUMERS, text)
    assert changed == 1
    # The second system's mode is found later in the file.
    text = text.replace(
        "      mode: realtime\n", f"      mode: realtime\n      replicas: {{min: {copies}, max: 2}}\n", 1
    )
    platform.workspace.environment_file("local").write_text(text, encoding="utf-8")
    return text


def claims(**changes: object) -> dict[str, object]:
    soon = datetime.now(UTC) + timedelta(minutes=5)
    mine = {"iss": "mlstrata/local", "sub": "underwriter-desk", "aud": "mlstrata", "systems": [SYSTEM], "exp": soon}
    return mine | changes


def test_both_copies_answer(gate: Gate) -> None:
    done = gate.platform.run("status", "local", "--json")
    assert done.code == 0, done.text
    assert set(SERVICES) <= {one["name"] for one in done.json["services"] if one["healthy"]}
    assert gate.versions() == [{"1"}, {"1"}]

    def shared() -> bool:
        """Whether each got its share of twenty; a copy that did not answer in time when it was looked at gets none."""
        before = _counted(gate)
        assert {gate.ask().status_code for _ in range(20)} == {200}
        after = _counted(gate)
        return min(one - other for one, other in zip(after, before, strict=True)) >= 5

    eventually(shared)


def test_the_example_is_what_a_consumer_types(gate: Gate) -> None:
    (command,) = re.findall(
        r"^```\n(curl .*?)^```", (ROOT / "examples/README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    root = gate.platform.workspace.root
    for name in (".venv", "examples"):
        (root / name).symlink_to(ROOT / name)
    port = default_ports()["gateway"]
    assert f"https://127.0.0.1:{port}/" in command
    environ = os.environ | {"NO_PROXY": "*"}
    typed = command.replace(f"127.0.0.1:{port}", f"127.0.0.1:{gate.settings.port}")
    done = subprocess.run(["bash", "-c", typed], cwd=root, env=environ, capture_output=True, text=True, check=False)
    answer = json.loads(done.stdout)
    assert {*answer["predictions"][0]} == {"probability", "label"}
    assert answer["model"]["system"] == SYSTEM


def _counted(gate: Gate) -> list[float]:
    ports, found = gate.platform.exports()["ports"], []
    for name in SERVICES:
        text = httpx.get(f"http://127.0.0.1:{int(ports[name]['metrics'])}/metrics", trust_env=False).text
        lines = [line for line in text.splitlines() if line.startswith("mlstrata_predict_requests_total")]
        found.append(sum(float(line.rpartition(" ")[2]) for line in lines))
    return found


# What is tried on the platform, and the one code that it gets.
THREATS = {
    "oversized": (413, lambda gate: str(gate.ask(body=b" " * 1_048_577).status_code)),
    "malformed JSON": (400, lambda gate: str(gate.ask(body=b"{").status_code)),
    "malformed HTTP": (400, lambda gate: gate.raw(b"NOT HTTP\r\n\r\n")),
    "hidden request": (
        400,
        lambda gate: gate.raw(
            b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
        ),
    ),
    "slow headers": (408, lambda gate: gate.raw(b"POST / HTTP/1.1\r\nhost: x\r\n")),
    "large headers": (431, lambda gate: gate.raw(b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"x" * 20_000 + b"\r\n\r\n")),
    "no token": (401, lambda gate: str(gate.ask(token="").status_code)),
    "expired": (
        401,
        lambda gate: str(
            gate.ask(_signed(gate, exp=datetime.now(UTC) - timedelta(minutes=1), key=_key(gate))).status_code
        ),
    ),
    "foreign key": (401, lambda gate: str(gate.ask(_signed(gate, key=tokens.generate_key())).status_code)),
    "alg none": (401, lambda gate: str(gate.ask(jwt.encode(claims(), "", algorithm="none")).status_code)),
    "public key as secret": (
        401,
        lambda gate: str(
            gate.ask(jwt.encode(claims(), json.dumps(gate.settings.jwks) + "x" * 32, algorithm="HS256")).status_code
        ),
    ),
    "other consumer's system": (403, lambda gate: str(gate.ask(system=OTHER).status_code)),
    "other system's consumer": (403, lambda gate: str(gate.ask(gate.mint("branch-office")).status_code)),
    "unknown system": (404, lambda gate: str(gate.ask(system="absent").status_code)),
    "process's own interface": (404, lambda gate: gate.raw(b"PUT /versions/1 HTTP/1.1\r\nhost: x\r\n\r\n")),
}


def _key(gate: Gate) -> str:
    """Return the key that signs: so that only the one claim is wrong."""
    import pulumi_embedded

    passphrase = (gate.platform.home / "passphrase").read_text().strip()
    state = pulumi_embedded.resources(
        "mlstrata", "local", pulumi_embedded.Backend(gate.platform.root), pulumi_embedded.Passphrase(passphrase)
    )
    (secret,) = [one.outputs["secret"].value for one in state.resources if one.type.endswith(":SigningKeys")]
    return str(json.loads(secret)["1"])


def _signed(gate: Gate, *, key: str, **changes: object) -> str:
    kid = gate.settings.jwks["keys"][0]["kid"]
    return jwt.encode(claims(**changes), key, algorithm="ES256", headers={"kid": kid})


@pytest.mark.parametrize("name", THREATS)
def test_a_threat_gets_its_code(gate: Gate, name: str) -> None:
    code, attempt = THREATS[name]
    assert attempt(gate) == str(code)


def test_the_forging_itself_makes_good_tokens(gate: Gate) -> None:
    """Otherwise the refusals above might have another cause."""
    assert gate.ask(_signed(gate, key=_key(gate))).status_code == 200


def test_a_body_that_trickles_in_is_408(gate: Gate) -> None:
    request = f"POST /systems/{SYSTEM}/v1/predict HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n"
    assert gate.raw(f"{request}authorization: Bearer {gate.token}\r\n\r\nx".encode()) == "408"


def test_no_request_is_answered_with_a_fault_of_ours_or_repeated(gate: Gate) -> None:
    """However odd, it is answered or refused, by a status that is documented; then the next is answered as before."""
    example, codes = json.loads(BODY), Counter[int]()
    with httpx.Client(verify=gate.trust, trust_env=False, timeout=60) as client:
        for seed in range(odd_requests.COUNT):
            body, headers = odd_requests.odd_request(seed, example)
            given = {"content-type": "application/json", "authorization": f"Bearer {gate.token}", **headers}
            answer = client.post(f"{gate.url}/systems/{SYSTEM}/v1/predict", content=body, headers=given)
            codes[answer.status_code] += 1
            assert answer.status_code in odd_requests.ALLOWED, (seed, body[:200], headers, answer.text)
            repeated = f"{answer.text}{answer.headers}"
            assert odd_requests.SECRET not in repeated, (seed, body[:200], headers, repeated)
    print(sorted(codes.items()))
    assert len(codes) > 2
    assert gate.ask().status_code == 200


def test_over_the_limit_is_429_and_others_do_not_notice(gate: Gate) -> None:
    token = gate.mint("scarce")
    assert [gate.ask(token).status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    assert gate.ask().status_code == 200


def test_only_the_owner_reads_what_the_gateway_is_made_of(gate: Gate) -> None:
    home = gate.platform.home
    assert home.stat().st_mode & 0o077 == 0
    for folder in ("config/gateway", "run", "logs"):
        assert (home / folder).stat().st_mode & 0o077 == 0, folder
    assert gate.platform.workspace.socket("local").stat().st_mode & 0o777 == 0o600
    for path in (*(home / "config/gateway").iterdir(), home / "logs/access.log", home / "passphrase"):
        assert path.stat().st_mode & 0o077 == 0, path
    admin = f"http://127.0.0.1:{gate.settings.admin_port}"
    for path in ("/quitquitquit", "/config_dump?include_eds", "/certs", "/logging?level=trace", "/reset_counters"):
        assert httpx.post(admin + path, trust_env=False).status_code == 403, path


def test_keys_rotate_and_versions_are_released_and_rolled_back_under_load_with_no_failed_request(gate: Gate) -> None:
    platform = gate.platform
    path = platform.workspace.environment_file("local")
    declared = path.read_text()
    path.write_text(declared.replace("seed: 0", "seed: 0\n        parameters: {C: 0.5}", 1))
    trained = platform.run("train", "local", SYSTEM, "--json")
    assert trained.code == 0, trained.text
    version = trained.json["version"]
    # A rotation changes nothing but keys, and says so when the file asks for more.
    path.write_text(declared)
    old, scarce = gate.token, gate.mint("scarce")
    eventually(lambda: gate.ask(scarce).status_code == 429)
    with Traffic(gate) as traffic:
        traffic.more()
        rotated = platform.run("token", "local", "--rotate")
        assert rotated.code == 0, rotated.text
        assert gate.ask(old).status_code == 200
        gate.token = gate.mint("underwriter-desk")
        released = platform.run(
            "release", "local", SYSTEM, "--version", version, "--all-at-once", "--reason", "newer", "--yes"
        )
        assert released.code == 0, released.text
        # In all copies, or some requests would go to one that lacks it.
        assert gate.versions() == [{"1", version}] * 2
        traffic.more()
        back = platform.run("rollback", "local", SYSTEM, "--reason", "to see that it works")
        assert back.code == 0, back.text
        traffic.more()
        retired = platform.run("token", "local", "--retire", "--at-once")
        assert retired.code == 0, retired.text
        traffic.more()
    assert set(traffic.codes) == {200}, traffic.codes
    assert min(traffic.versions["1"], traffic.versions[version]) >= 10
    assert gate.ask(old).status_code == 401
    # What a consumer may send in a day is not refilled by a release.
    assert gate.ask(gate.mint("scarce")).status_code == 429
    print(f"under rotation, release and rollback: {dict(traffic.codes)}, by version {dict(traffic.versions)}")


def test_a_killed_copy_costs_those_it_was_answering_and_nobody_after(gate: Gate) -> None:
    with Traffic(gate) as during:
        during.more()
        os.kill(gate.platform.pids()[SERVICES[1]], signal.SIGKILL)
        during.more()
    # Three callers: each may have been answered by the one that died, once as it died.
    lost = during.codes.total() - during.codes[200]
    assert lost <= 3, during.codes
    with Traffic(gate) as after:
        eventually(lambda: gate.platform.run("status", "local").code == 0)
    assert set(after.codes) == {200}, after.codes
    print(f"lost as a copy was killed: {lost} of {during.codes.total()}; until it was back: {dict(after.codes)}")


def test_copies_come_and_go_and_restart_under_load_with_no_failed_request(gate: Gate) -> None:
    platform = gate.platform
    first = platform.pids()[SERVICES[0]]
    with Traffic(gate) as traffic:
        declare(platform, copies=1)
        assert platform.run("up", "local", "--yes").code == 0
        assert SERVICES[1] not in platform.pids()
        declare(platform, copies=2)
        planned = platform.run("plan", "local", "--json")
        by_op = {op: {one["name"] for one in planned.json["steps"] if one["op"] == op} for op in ("create", "update")}
        assert {SERVICES[1], f"{SERVICES[1]}-ports", f"{SERVICES[1]}-ready"} <= by_op["create"]
        assert {one["op"] for one in planned.json["steps"]} <= {"create", "update"}
        assert SERVICES[0] not in by_op["update"]
        assert platform.run("up", "local", "--yes").code == 0
        assert platform.pids()[SERVICES[0]] == first, "the copy that answered was left alone"
        # Another promise is another bucket of its histogram, so both are started anew, one after the other.
        text = platform.workspace.environment_file("local").read_text()
        platform.workspace.environment_file("local").write_text(text.replace("p99: 500ms", "p99: 400ms", 1))
        assert platform.run("up", "local", "--yes").code == 0
        assert platform.pids()[SERVICES[0]] != first
    assert set(traffic.codes) == {200}, traffic.codes
    print(f"while copies came, went and restarted: {dict(traffic.codes)}")
