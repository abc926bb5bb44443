"""From a prediction process's spill through a recorder that is killed again and again: each record is there once."""

import json
import signal
import subprocess
import sys

from mlstrata.services.recording.shipper import Recorder, Shipper
from mlstrata.services.recording.spill import Spill
from mlstrata.services.recording.sqlite import open_store
from tests.support.patience import PATIENCE, eventually
from tests.support.ports import free_ports
from tests.support.recording import record

TOKEN = "a-token-of-the-tests"
KILLS, RECORDS = 4, 3000


def test_no_record_is_lost_or_there_twice_however_often_the_recorder_is_killed(tmp_path):
    token = tmp_path / "token"
    token.write_text(TOKEN + "\n")
    token.chmod(0o600)
    (port,) = free_ports(1)
    settings = tmp_path / "recorder.json"
    known = {"port": port, "token_file": str(token), "home": str(tmp_path), "predictions": 1e10}
    settings.write_text(json.dumps({**known, "systems": {"credit": {}}}))
    command = [sys.executable, "-m", "mlstrata.services.recording", "--settings", str(settings)]

    def begin():
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline().startswith("recorder listens on")
        return process

    spill = Spill(tmp_path / "spill", wait_s=0.0)
    shipper = Shipper(spill, Recorder(f"http://127.0.0.1:{port}", token, seconds=5.0))
    recorder = begin()
    shipper.start()
    reader = open_store(tmp_path, read_only=True)

    def kept():
        return sum(one.recorded for one in reader.counts())

    try:
        for number in range(RECORDS):
            spill.append(record(f"r-{number}").to_bytes())
            if number % (RECORDS // KILLS) == RECORDS // KILLS - 1:
                # In the middle of its work: something of what waits has arrived, and something has not.
                before = kept()
                eventually(lambda before=before: kept() > before or spill.pending == 0)
                recorder.send_signal(signal.SIGKILL)
                recorder.wait(PATIENCE)
                recorder.stdout.close()
                recorder = begin()
        eventually(lambda: spill.pending == 0)
        rows = [one.record.id for one in reader.window("credit", since=0.0, until=1e9)]
        assert sorted(rows) == sorted(f"r-{number}" for number in range(RECORDS))
        assert kept() == RECORDS
        assert shipper.shipped.refused == 0
    finally:
        shipper.stop(1.0)
        spill.close()
        reader.close()
        recorder.terminate()
        recorder.wait(PATIENCE)
        recorder.stdout.close()
