"""The main job, by the command as a person types it: up from nothing, train, ask, break, repair, grow, take down."""

import hashlib
import http.client
import json
import os
import re
import signal
import socket
import sqlite3
import ssl
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Event

import httpx
import pytest
from jsonschema import Draft202012Validator

import pulumi_embedded
from mlstrata.clients.mlflow.access import header, variables
from tests.support import command
from tests.support.command import ROOT, Done, Platform, assert_one_message
from tests.support.patience import PATIENCE, eventually

pytestmark = pytest.mark.local

SYSTEM, CONSUMER = "mortgage-approval", "underwriter-desk"
SERVICES = ["alertmanager", "catalog", "gateway", "mlflow", "prometheus", "resources", "runner", f"serving-{SYSTEM}"]


def services() -> list[str]:
    """Return the services of the environment's first system, by name."""
    return sorted([*SERVICES, *(["storage"] if command.STORAGE == "s3" else [])])


class Job:
    """The platform of this module, and how its first `up --train` ended."""

    def __init__(self, platform: Platform, first: Done) -> None:
        self.platform, self.first = platform, first
        self.token = platform.run("token", "local", CONSUMER).out.strip()

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.platform.home / "config/gateway/ca.pem"))

    @property
    def url(self) -> str:
        return f"{self.platform.exports()['urls']['gateway']}/systems/{SYSTEM}/v1/predict"

    def ask(
        self, body: object = None, *, token: str | None = None, client: httpx.Client | None = None
    ) -> httpx.Response:
        content = body if body is not None else json.loads((ROOT / "examples/application.json").read_text())
        bearer = self.token if token is None else token
        headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
        post = client.post if client else lambda *a, **k: httpx.post(*a, **k, trust_env=False, verify=self.trust)
        return post(self.url, json=content, headers=headers)

    def answers_with(self, version: str) -> bool:
        try:
            answer = self.ask()
        except httpx.TransportError:
            return False
        return answer.status_code == 200 and answer.json()["model"]["version"] == version

    def versions(self) -> list[tuple[str, str]]:
        """Return every registered version with the run that made it, as the registry itself stores them."""
        with sqlite3.connect(self.platform.home / "data/mlflow/mlflow.db") as database:
            return database.execute("SELECT version, run_id FROM model_versions ORDER BY version").fetchall()

    def artifacts(self) -> dict[str, str]:
        """Read every file of the first version's run through the registry; return the hash of each."""
        url = self.platform.exports()["urls"]["mlflow"]
        (_, run), *_ = self.versions()
        found, folders = {}, [""]
        with httpx.Client(headers=header(variables(self.platform.home)), trust_env=False) as client:
            while folders:
                query = {"run_id": run, "path": folders.pop()}
                answer = client.get(f"{url}/api/2.0/mlflow/artifacts/list", params=query)
                assert answer.status_code == 200, answer.text
                for one in answer.json().get("files", []):
                    if one.get("is_dir"):
                        folders.append(one["path"])
                        continue
                    got = client.get(f"{url}/get-artifact", params={"run_id": run, "path": one["path"]})
                    assert (got.status_code, len(got.content)) == (200, int(one.get("file_size", 0)))
                    found[one["path"]] = hashlib.sha256(got.content).hexdigest()
        return found


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Job]:
    # With a space, as in people's folders.
    platform = Platform(tmp_path_factory.mktemp("the job"))
    platform.declare()
    begun = time.monotonic()
    try:
        first = platform.run("up", "local", "--yes", "--train")
        assert first.code == 0, first.text
        print(f"up --train from nothing: {time.monotonic() - begun:.1f} s")
        yield Job(platform, first)
    finally:
        platform.end()


def test_up_says_what_it_made_and_where_things_are(job: Job) -> None:
    assert "created in" in job.first.out
    assert "registered version 1" in job.first.out
    assert "version 1 is released" in job.first.out
    for name, url in job.platform.exports()["urls"].items():
        assert f"{name} {url}" in job.first.out
    assert job.first.err == ""


def test_the_printed_command_answers_with_probability_version_and_request_id(job: Job) -> None:
    mint = re.search(r"\$\((\S+ token local \S+)\)", job.first.out)
    address = re.search(r"https://\S+/predict", job.first.out)
    authority = re.search(r"--cacert '(.+)'", job.first.out)
    body = re.search(r"-d '@(.+)'", job.first.out)
    assert mint
    assert address
    assert authority
    assert body
    token = subprocess.run(
        mint[1].split(), cwd=ROOT, env=job.platform.environment(), capture_output=True, text=True, check=True
    ).stdout.strip()
    answer = httpx.post(
        address[0],
        content=Path(body[1]).read_bytes(),
        headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
        trust_env=False,
        verify=ssl.create_default_context(cafile=authority[1]),
    )
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert 0 <= document["predictions"][0]["probability"] <= 1
    assert document["model"] == {"system": SYSTEM, "version": "1"}
    assert document["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("token", ["", "no.token.atall"])
def test_without_a_good_token_401(job: Job, token: str) -> None:
    assert job.ask(token=token).status_code == 401


def test_a_request_that_breaks_the_schema_422(job: Job) -> None:
    answer = job.ask({"instances": [{"pirat": "much"}]})
    assert answer.status_code == 422
    details = answer.json()["error"]["details"]
    assert {"path", "got", "expected", "fix"} <= set(details[0])


def test_over_the_limit_429(job: Job) -> None:
    url, codes, headers = httpx.URL(job.url), Counter(), {}
    # With a method that the gateway itself answers, and all at once, so that on any machine it finds 120 before it, of
    # which 50 are allowed.
    request = f"GET {url.path} HTTP/1.1\r\nhost: {url.host}\r\nauthorization: Bearer {job.token}\r\n\r\n".encode()
    with ExitStack() as held:
        callers = []
        for _ in range(120):
            plain = held.enter_context(socket.create_connection((url.host, url.port), timeout=PATIENCE))
            sock = held.enter_context(job.trust.wrap_socket(plain, server_hostname="localhost"))
            callers.append((sock, held.enter_context(sock.makefile("rb"))))

        def over() -> bool:
            for sock, _ in callers:
                sock.sendall(request)
            for _, answer in callers:
                code = answer.readline().split()[1].decode()
                codes[code] += 1
                headers[code] = http.client.parse_headers(answer)
                answer.read(int(headers[code]["content-length"]))
            return codes["429"] > 0 and codes["405"] >= 50

        eventually(over)
    assert set(codes) == {"405", "429"}
    assert "x-ratelimit-reset" in headers["429"]
    eventually(lambda: job.ask().status_code == 200)


def test_status_says_that_all_is_healthy(job: Job) -> None:
    done = job.platform.run("status", "local", "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json["healthy"] is True
    assert sorted(one["name"] for one in done.json["services"] if one["healthy"]) == services()
    (system,) = done.json["systems"]
    assert system == {"name": SYSTEM, "champion": "1", "loaded": ["1"], "rollout": "", "stopped": "", "retired": False}


def test_predict_asks_as_a_consumer(job: Job) -> None:
    done = job.platform.run("predict", "local", SYSTEM, "examples/application.json", "--json")
    assert done.code == 0, done.text
    assert done.json["model"]["version"] == "1"


def test_keys_rotate_under_load_with_no_request_refused(job: Job) -> None:
    """The token in use is of the old key, then of the new one; both go on through all of it."""
    asked = [0, 0]
    old, codes, end = job.platform.run("token", "local", CONSUMER, "--hours", "1").out.strip(), Counter(), Event()

    def ask(number: int) -> None:
        with httpx.Client(trust_env=False, verify=job.trust) as client:
            while not end.is_set():
                codes[job.ask(client=client).status_code] += 1
                asked[number] += 1
                time.sleep(0.1)

    def more() -> None:
        """Wait until each has asked some more times, so that none asks with what was valid before."""
        wanted = [count + 5 for count in asked]
        eventually(lambda: (asked[0] >= wanted[0] and asked[1] >= wanted[1]) or any(one.done() for one in asking))

    job.token = old
    with ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(ask, number) for number in range(2)]
        try:
            rotated = job.platform.run("token", "local", "--rotate", "--json")
            assert rotated.code == 0, rotated.text
            assert job.ask(token=old).status_code == 200
            more()
            job.token = job.platform.run("token", "local", CONSUMER).out.strip()
            more()
            early = job.platform.run("token", "local", "--retire")
            assert_one_message(early, "tokens of the old key are good until", "--at-once")
            retired = job.platform.run("token", "local", "--retire", "--at-once", "--json")
            assert retired.code == 0, retired.text
            more()
        finally:
            end.set()
    for one in asking:
        one.result()
    assert set(codes) == {200}
    assert job.ask(token=old).status_code == 401
    assert retired.json["oldest"] == retired.json["signing"] == rotated.json["signing"] == 2
    before = job.platform.run("token", "local", "--rotate", CONSUMER)
    assert_one_message(before, "give one of CONSUMER, --rotate and --retire")


def test_usage_counts_by_consumer_and_version(job: Job) -> None:
    done = job.platform.run("usage", "local", "--json")
    assert done.code == 0, done.text
    answered = next(one for one in done.json["usage"] if (one["consumer"], one["version"]) == (CONSUMER, "1"))
    assert answered["system"] == SYSTEM
    assert answered["requests"] > answered["refused"] > 0
    assert 0 < answered["p50_ms"] <= answered["p99_ms"]
    assert job.platform.run("usage", "local", "--since", "1h").out.count(CONSUMER) >= 1
    assert_one_message(job.platform.run("usage", "local", "--since", "5x"), "got '5x'; allowed")


def test_the_system_describes_its_api(job: Job) -> None:
    url = job.url.replace("/predict", "/openapi.json")
    with httpx.Client(trust_env=False, verify=job.trust) as client:
        assert client.get(url).status_code == 401
        answer = client.get(url, headers={"authorization": f"Bearer {job.token}"})
    assert answer.status_code == 200, answer.text
    document = answer.json()
    body = json.loads((ROOT / "examples/application.json").read_text())
    schema = {"$ref": "#/components/schemas/Request", "components": document["components"]}
    Draft202012Validator(schema).validate(body)
    assert not Draft202012Validator(schema).is_valid({"instances": [{}]})
    assert list(document["paths"]) == [f"/systems/{SYSTEM}/v1/predict"]


def test_its_dossier_is_drafted_from_the_running_platform_twice_the_same(job: Job, tmp_path: Path) -> None:
    for name in ("first", "again"):
        done = job.platform.run("dossier", "local", SYSTEM, "-o", str(tmp_path / name), "--json")
        assert done.code == 0, done.text
        assert (json.loads(done.out)["complete"], json.loads(done.out)["unreadable"]) == (False, [])
    first = {one.relative_to(tmp_path / "first"): one.read_bytes() for one in (tmp_path / "first").rglob("*.*")}
    assert first == {one.relative_to(tmp_path / "again"): one.read_bytes() for one in (tmp_path / "again").rglob("*.*")}
    plots = {"architecture", "metrics", "roc", "calibration", "fairness", "groups-1-afam", "groups-2-single"}
    plots |= {"behaviour-1-lvrat", "behaviour-2-pirat"}
    assert {one.stem for one in first if one.suffix == ".svg"} == plots
    page = first[Path("technical-documentation.html")].decode()
    for fact in (
        job.versions()[0][1],
        "answers requests",
        "95 % interval",
        "chain of hashes of the audit log is intact",
    ):
        assert fact in page
    bill = json.loads(first[Path("ml-bom.cdx.json")])
    assert bill["metadata"]["component"]["version"] == "1"
    assert {"scikit-learn", "skops"} <= {one["name"] for one in bill["components"]}


def test_a_second_up_changes_nothing_and_says_so(job: Job) -> None:
    pids, versions, resources = job.platform.pids(), job.versions(), job.platform.recorded()
    done = job.platform.up("--train")
    assert "nothing to do" in done.out
    assert "has these data, code and settings already" in done.out
    assert "released" not in done.out
    assert job.platform.pids() == pids
    assert job.versions() == versions
    by_urn = {one["urn"]: one for one in resources}
    assert {one["urn"]: one for one in job.platform.recorded()} == by_urn


def test_no_secret_is_in_plain_text(job: Job) -> None:
    """Not in the state, not in a log, not in a command line, not in what was printed."""
    platform = job.platform
    passphrase = (platform.home / "passphrase").read_text().strip()
    secrets = {"passphrase": passphrase, "token": job.token}
    state = pulumi_embedded.resources(
        "mlstrata", "local", pulumi_embedded.Backend(platform.root), pulumi_embedded.Passphrase(passphrase)
    )
    for one in state.resources:
        for value in {**one.inputs, **one.outputs}.values():
            if isinstance(value, pulumi_embedded.Secret):
                # The base64 body of a PEM key, a token: whatever line of it is long enough to be the secret itself.
                lines = [line for line in str(value.value).splitlines() if len(line) > 20 and "-----" not in line]
                secrets |= {f"{one.name} {number}": line for number, line in enumerate(lines)}
    assert len(secrets) >= 4, "the gateway's key and the runner's token are among them"

    open_places = {"what up printed": job.first.text.encode()}
    for folder in (platform.root / ".pulumi", platform.home / "logs"):
        open_places |= {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                open_places[f"command line {process.name}"] = (process / "cmdline").read_bytes()
            except OSError:
                continue
    found = [
        (name, place)
        for place, text in open_places.items()
        for name, value in secrets.items()
        if value.encode() in text
    ]
    assert found == []
    # What services must read lies in files of the owner alone, the key of the certificate in one, others in none.
    holders = [
        path
        for path in platform.home.rglob("*")
        if path.is_file() and any(value.encode() in path.read_bytes() for value in secrets.values())
    ]
    assert {path.stat().st_mode & 0o077 for path in holders} == {0}
    keys = {path.name for path in holders if "BEGIN PRIVATE KEY" in path.read_text(errors="replace")}
    assert keys == {"tls.json"}


def test_killed_services_heal_by_themselves(job: Job) -> None:
    before = job.platform.pids()
    killed = ["mlflow", "gateway", f"serving-{SYSTEM}"]
    for name in killed:
        os.kill(before[name], signal.SIGKILL)
    seconds = {"predictions": eventually(lambda: job.answers_with("1"))}
    seconds["all"] = eventually(lambda: job.platform.run("status", "local").code == 0)
    after = job.platform.pids()
    assert {name for name in after if after[name] != before[name]} == set(killed)
    assert job.platform.run("plan", "local").code == 0
    print(f"healed after: {seconds}")


def stop_a_service(platform: Platform) -> None:
    platform.client._call("stopProcessGroup", "alertmanager", True)


def edit_a_file(platform: Platform) -> None:
    path = platform.home / "config/gateway/clusters.json"
    path.write_text(path.read_text().replace("127.0.0.1", "127.0.0.2"))


def lose_a_file(platform: Platform) -> None:
    (platform.home / f"config/prometheus/targets/serving-{SYSTEM}.json").unlink()


def kill_the_supervisor(platform: Platform) -> None:
    os.kill(platform.client.pid(), signal.SIGKILL)
    eventually(lambda: platform.client.identity() is None)


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        (stop_a_service, {"alertmanager"}),
        (edit_a_file, {"gateway"}),
        (lose_a_file, {f"serving-{SYSTEM}-target"}),
        (kill_the_supervisor, {"supervisor"}),
    ],
)
def test_drift_is_named_by_plan_and_repaired_by_up(job: Job, fault, named: set[str]) -> None:
    if fault is kill_the_supervisor:
        named = named | {*services()}
    fault(job.platform)
    planned = job.platform.run("plan", "local", "--json")
    assert planned.code == 1, planned.text
    drifted = {step["name"] for step in planned.json["drift"]}
    assert named <= drifted <= named | {f"{name}-ready" for name in named}
    told = job.platform.run("plan", "local")
    assert told.code == 1
    assert all(re.search(rf"(?m)^ drift .*\b{name}\b", told.out) for name in named), told.out
    assert "`mlstrata up local` repairs what drifted" in told.out

    job.platform.up()
    job.platform.assert_healthy()
    again = job.platform.run("plan", "local", "--json")
    assert (again.code, again.json["drift"]) == (0, [])
    running = job.platform.services()
    assert {running.count(name) for name in ("supervisor", "gateway", "prometheus", "runner")} == {1}
    eventually(lambda: job.answers_with("1"))


def test_another_machine_goes_on_from_a_copy(job: Job, tmp_path: Path) -> None:
    wrong, stop = [], Event()

    def ask() -> int:
        count = 0
        while not stop.is_set():
            count += 1
            if (answer := job.ask()).status_code != 200:
                wrong.append(answer.text)
            # Within the consumer's rate, however fast the machine is.
            time.sleep(0.05)
        return count

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        done = job.platform.run("backup", "local", "--to", str(tmp_path / "copies"), "--json")
        stop.set()
    assert done.code == 0, done.text
    assert (wrong, asking.result() > 0) == ([], True)
    job.platform.assert_healthy()
    assert job.platform.run("plan", "local", "--json").json["drift"] == []
    held = "".join(path.read_text(errors="replace") for path in (tmp_path / "copies").rglob("*") if path.is_file())
    assert "PRIVATE KEY" not in held
    assert (job.platform.home / "config/mlflow/password").read_text().strip() not in held

    other = Platform(tmp_path / "another machine")
    other.declare()
    other.workspace.environment_file("local").write_text(job.platform.workspace.environment_file("local").read_text())
    refused = job.platform.run("restore", "local", "--from", str(tmp_path / "copies"), "--yes")
    assert_one_message(refused, "local is up")
    try:
        restored = other.run("restore", "local", "--from", str(tmp_path / "copies"))
        assert restored.code == 0, restored.text
        again = Job(other, other.up())
        assert (again.versions(), again.artifacts()) == (job.versions(), job.artifacts())
        assert again.ask().json()["predictions"] == job.ask().json()["predictions"]
        assert other.run("audit", "local", "--verify").code == 0
        logs = [one.home / "data/audit/audit.jsonl" for one in (job.platform, other)]
        assert logs[0].read_bytes() == logs[1].read_bytes()
        kept = other.run("train", "local", SYSTEM, "--if-needed", "--json")
        assert (kept.code, len(again.versions())) == (0, len(job.versions())), "the run is known there too"
    finally:
        other.end()


def test_keep_data_brings_the_same_registry_and_the_released_version_back(job: Job) -> None:
    versions, ports, artifacts = job.versions(), job.platform.ports(), job.artifacts()
    done = job.platform.run("down", "local", "--yes", "--keep-data")
    assert done.code == 0, done.text
    assert "data kept in" in done.out
    job.platform.assert_nothing_runs(ports)
    assert not job.platform.checkpoint.exists()
    assert sorted(path.name for path in job.platform.home.iterdir()) == ["data", "logs"]

    job.platform.up()
    job.platform.assert_healthy()
    assert job.versions() == versions != []
    assert job.artifacts() == artifacts != []
    job.token = job.platform.run("token", "local", CONSUMER).out.strip()
    eventually(lambda: job.answers_with("1"))


def test_down_leaves_no_process_port_or_state(job: Job) -> None:
    ports = job.platform.ports()
    assert len(ports) >= len(SERVICES)
    done = job.platform.run("down", "local", "--yes", "--json")
    assert done.code == 0, done.text
    assert done.json["kept"] is False
    job.platform.assert_nothing_runs(ports)
    assert not job.platform.home.exists()
    left = set(job.platform.files()) - {"environments/local.yaml", "policies/exemptions.yaml"}
    # The lock's file is empty, and stays: were it made anew, two runs could hold one lock each.
    ignored = {".mlstrata/.gitignore", ".pulumi/.gitignore"}
    assert left <= {".pulumi/meta.yaml", ".pulumi/engine/mlstrata.local.flock", *ignored}
    again = job.platform.run("down", "local", "--yes")
    assert (again.code, again.out) == (0, " local: nothing was up · nothing left\n")
    for words in (["status", "local"], ["token", "local", CONSUMER], ["train", "local", SYSTEM]):
        refused = job.platform.run(*words)
        assert (refused.code, refused.err) == (2, "local is not up: `mlstrata up local` first\n")


def test_growing_from_prerequisites_to_foundation_only_adds(tmp_path: Path) -> None:
    platform = Platform(tmp_path)
    platform.declare("prerequisites")
    try:
        done = platform.up("--train")
        assert "registered version 1" in done.out, "training is a job where no runner is"
        assert "version 1 is released" in done.out
        assert "runner" not in platform.pids()
        platform.declare("foundation")
        planned = platform.run("plan", "local", "--json")
        assert planned.code == 0, planned.text
        assert {step["op"] for step in planned.json["steps"]} == {"create"}
        assert "runner" in {step["name"] for step in planned.json["steps"]}
        told = platform.run("plan", "local")
        assert re.search(r"\+ service +runner", told.out)
        assert "runner" not in platform.pids(), "a plan changes nothing"
    finally:
        platform.end()
