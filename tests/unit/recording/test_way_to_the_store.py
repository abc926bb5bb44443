"""From a prediction process's spill through a recorder that is killed again and again: each record is there once."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mlstrata.services.recording import distributed, names
from mlstrata.services.recording.names import TOKEN_FILE
from mlstrata.services.recording.shipper import Recorder, Shipper
from mlstrata.services.recording.spill import Spill
from mlstrata.services.recording.sqlite import open_store
from tests.support.patience import PATIENCE, eventually
from tests.support.ports import free_ports
from tests.support.recording import record

TOKEN = "a-token-of-the-tests"


@dataclass
class Kept:
    """A recorder over one kind of store."""

    module: str
    settings: dict
    open: object
    variables: dict = field(default_factory=dict)
    fails: object = lambda: None
    records: int = 3000
    kills: int = 4


@pytest.fixture(params=["embedded", "postgres"])
def kept_in(request, tmp_path):
    if request.param == "embedded":
        settings = {"token_file": str(tmp_path / TOKEN_FILE), "home": str(tmp_path)}
        return Kept("mlstrata.services.recording", settings, lambda: open_store(tmp_path, read_only=True))
    stores = request.getfixturevalue("postgres")
    address = stores.address()
    where = f"postgresql://{address.user}:unused@{address.host}:{address.port}/mlflow?sslmode=disable"
    variables = {names.TOKEN: "another-token-of-tests", names.APPEND_TOKEN: TOKEN, names.STORE_ADDRESS: where}

    def fails():
        """The database server goes with the recorder."""
        stores.server.end()
        stores.server.start()

    return Kept(
        "mlstrata.services.recording.cluster",
        {"database": address.database},
        lambda: distributed.open_store(address, read_only=True),
        variables,
        fails,
        records=1000,
        kills=2,
    )


def test_no_record_is_lost_or_there_twice_however_often_the_recorder_is_killed(tmp_path: Path, kept_in: Kept):
    token = tmp_path / TOKEN_FILE
    token.parent.mkdir(parents=True)
    token.write_text(TOKEN + "\n")
    token.chmod(0o600)
    (port,) = free_ports(1)
    settings = tmp_path / "recorder.json"
    settings.write_text(json.dumps({"port": port, "predictions": 1e10, "systems": {"credit": {}}, **kept_in.settings}))
    command = [sys.executable, "-m", kept_in.module, "--settings", str(settings)]

    def begin():
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | kept_in.variables)
        assert process.stdout.readline().startswith("recorder listens on")
        return process

    spill = Spill(tmp_path / "spill", wait_s=0.0)
    shipper = Shipper(spill, Recorder(f"http://127.0.0.1:{port}", token, seconds=5.0))
    recorder = begin()
    shipper.start()
    spill.append(record("r-0").to_bytes())
    eventually(lambda: spill.pending == 0)
    reader = kept_in.open()

    def kept():
        return sum(one.recorded for one in reader.counts())

    try:
        for number in range(1, kept_in.records):
            spill.append(record(f"r-{number}").to_bytes())
            if number % (kept_in.records // kept_in.kills) == kept_in.records // kept_in.kills - 1:
                # In the middle of its work: something of what waits has arrived, and something has not.
                before = kept()
                eventually(lambda before=before: kept() > before or spill.pending == 0)
                recorder.send_signal(signal.SIGKILL)
                recorder.wait(PATIENCE)
                recorder.stdout.close()
                kept_in.fails()
                recorder = begin()
        eventually(lambda: spill.pending == 0)
        rows = [one.record.id for one in reader.window("credit", since=0.0, until=1e9)]
        assert sorted(rows) == sorted(f"r-{number}" for number in range(kept_in.records))
        assert kept() == kept_in.records
        assert shipper.shipped.refused == 0
    finally:
        shipper.stop(1.0)
        spill.close()
        reader.close()
        recorder.terminate()
        recorder.wait(PATIENCE)
        recorder.stdout.close()
