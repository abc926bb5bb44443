"""The runner as its own process: light, on loopback, honest about what a crash interrupted."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.patience import PATIENCE, eventually

TOKEN = "a-token-of-the-tests"


@pytest.fixture
def start(tmp_path, make_client):
    processes = []

    def begin(requests=(), **more):
        token = tmp_path / "token"
        token.write_text(TOKEN + "\n")
        token.chmod(0o600)
        settings = {
            "port": 0, "database": str(tmp_path / "data/runner.db"), "logs": str(tmp_path / "logs"),
            "token_file": str(token), "requests": list(requests), **more,
        }  # fmt: skip
        path = tmp_path / "runner.json"
        path.write_text(json.dumps(settings))
        command = [sys.executable, "-m", "mlstrata.services.runner", "--settings", str(path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        line = process.stdout.readline()
        return process, make_client(line.strip().rpartition(" ")[2]) if line else None

    yield begin
    for process in processes:
        if process.poll() is None:
            process.terminate()
            process.wait(PATIENCE)
        process.stdout.close()
        process.stderr.close()


def group_of(run):
    """Find the processes of a run: its job by the id on the command line, and the job's group."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                found[int(folder.name)] = ((folder / "cmdline").read_bytes(), os.getpgid(int(folder.name)))
            except OSError:
                continue
    groups = {group for command, group in found.values() if run.encode() in command}
    return [pid for pid, (_, group) in found.items() if group in groups]


def running_step(client, run):
    eventually(lambda: "succeeded" in [step["state"] for step in client("GET", f"/runs/{run}")[1]["steps"]])


def test_light_and_on_loopback_only(start):
    process, client = start()
    assert client("GET", "/healthz", token=None)[0] == 200
    # What would make it slow to start and large is not there.
    maps = Path(f"/proc/{process.pid}/maps").read_text()
    assert "pandas" not in maps
    assert "google/_upb" not in maps  # protobuf's extension: kfp and mlflow both load it
    port = int(client.url.rpartition(":")[2])
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines() if line.split()[3] == "0A"]
    assert [address for address in listening if address.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]


def test_killed_mid_run_it_leaves_no_process_and_no_run_stuck(start, make_request, gone):
    """A real run, killed with its runner after its first step; the next runner says that it was interrupted."""
    process, client = start()
    run = client("POST", "/runs", {"system": "system-real", "settings": make_request("system-real")})[1]["id"]
    running_step(client, run)
    job = group_of(run)
    assert job
    process.send_signal(signal.SIGKILL)
    process.wait(PATIENCE)
    assert gone(job)
    _, client = start()
    found = client("GET", f"/runs/{run}")[1]
    assert found["state"] == "failed"
    assert found["error"] == "interrupted: the runner ended while it ran; start it again"
    assert found["steps"][0]["state"] == "succeeded"
    assert {step["state"] for step in found["steps"]} <= {"succeeded", "failed", "queued"}
    again = client("POST", "/runs", {"system": "system-real", "settings": make_request("system-real")})[1]["id"]
    running_step(client, again)
    job = group_of(again)
    assert client("DELETE", f"/runs/{again}")[1]["state"] == "cancelled"
    assert gone(job)


@pytest.mark.parametrize("delay", [0, 0.1, 0.2, 0.4])
def test_told_to_stop_it_stops_whenever_that_is(start, delay):
    process, _ = start()
    time.sleep(delay)
    process.terminate()
    assert process.wait(PATIENCE) == -signal.SIGTERM
    assert "Traceback" not in process.stderr.read()


def refused(start, code, says, **more):
    process, _ = start(**more)
    text = process.stderr.read()
    assert process.wait(PATIENCE) == code
    assert says in text
    assert "Traceback" not in text
    assert text.count("\n") == 1


def test_a_taken_port_is_one_sentence(start):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused(start, 1, f"port {port} on 127.0.0.1 cannot be used", port=port)


def test_bad_settings_are_one_sentence(tmp_path, start, make_request):
    refused(start, 2, "concurrency", concurrency=0)
    schedule = {"system": "system-fine", "cron": "99 * * * *"}
    refused(start, 2, "got cron '99 * * * *'", requests=[make_request()], schedules=[schedule])
    open_token = tmp_path / "open"
    open_token.write_text(TOKEN)
    open_token.chmod(0o644)
    refused(start, 2, "has mode 0644", token_file=str(open_token))
    open_token.write_text("short")
    open_token.chmod(0o600)
    refused(start, 2, "holds 5 characters", token_file=str(open_token))
    refused(start, 2, "No such file", token_file=str(tmp_path / "none"))
