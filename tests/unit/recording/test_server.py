"""The recorder as its own process: what it answered with 200 is there after it was killed, and it looks by itself."""

import json
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime

import httpx
import pytest

from tests.support.patience import PATIENCE, eventually
from tests.support.recording import record

TOKEN = "a-token-of-the-tests"


@pytest.fixture
def start(tmp_path):
    processes = []
    token = tmp_path / "token"
    token.write_text(TOKEN + "\n")
    token.chmod(0o600)
    settings = tmp_path / "recorder.json"
    systems = {"credit": {"label_share": 1.0}}
    known = {"port": 0, "token_file": str(token), "home": str(tmp_path), "predictions": 1e9, "systems": systems}
    settings.write_text(json.dumps(known))

    def begin():
        command = [sys.executable, "-m", "mlstrata.services.recording", "--settings", str(settings)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        said = process.stdout.readline()
        assert said.startswith("recorder listens on http://127.0.0.1:"), process.stderr.read()
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return process, httpx.Client(base_url=said.rpartition(" ")[2].strip(), headers=headers, timeout=PATIENCE)

    yield begin
    for process in processes:
        if process.poll() is None:
            process.terminate()
            process.wait(PATIENCE)
        process.stdout.close()
        process.stderr.close()


def test_what_it_answered_is_there_after_it_was_killed(start):
    process, client = start()
    batches = [[record(f"r-{number}-{row}").to_bytes() for row in range(4)] for number in range(5)]
    for batch in batches:
        assert client.post("/records", content=b"\n".join(batch)).json() == {"new": 4}
    process.send_signal(signal.SIGKILL)
    process.wait()
    _, client = start()
    # Whoever sends cannot know how far it came, and sends again.
    assert [client.post("/records", content=b"\n".join(batch)).json()["new"] for batch in batches] == [0] * 5
    assert client.get("/predictions/r-3-2").json()["records"][0]["system"] == "credit"
    assert client.get("/queue/labelling/credit").json()["waiting"] == 20


def test_an_answer_that_is_not_recorded_is_missing_until_it_is(start, tmp_path):
    begun = time.time() - 1000.0
    state = tmp_path / "data/recorder/completeness.json"
    state.parent.mkdir(parents=True)
    state.write_text(json.dumps({"begun": begun, "looked": begun}))
    entry = {"time": datetime.fromtimestamp(begun + 1, UTC).isoformat(), "request_id": "r-1", "system": "credit"}
    entry |= {"version": "3", "method": "POST", "status": 200, "grpc_status": None}
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/access.log").write_text(json.dumps(entry) + "\n")
    _, client = start()

    def missing():
        said = client.get("/metrics").text.splitlines()
        return [line.rpartition(" ")[2] for line in said if line.startswith("mlstrata_recorder_missing{")]

    assert eventually(lambda: missing() == ["1.0"])
    client.post("/records", content=record("r-1").to_bytes())
    assert eventually(lambda: missing() == ["0.0"])
