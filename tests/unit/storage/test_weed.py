"""The store of objects ends when it is told to, and its sockets with it."""

import signal
import subprocess
import sys
import time

import pytest

from services.storage import weed

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


def test_a_program_that_does_not_end_is_ended_within_seconds():
    command = [sys.executable, "-m", "services.storage.weed", sys.executable, "-c", STUBBORN]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "up\n"
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert time.monotonic() - begun < weed.POLITE_SECONDS + 5


@pytest.mark.parametrize("code", [0, 3])
def test_its_exit_code_is_the_programs_and_its_sockets_go(tmp_path, monkeypatch, code):
    monkeypatch.setattr(weed, "_SOCKETS", tmp_path)
    ours, others = tmp_path / "seaweedfs-filer-grpc-4711.sock", tmp_path / "seaweedfs-filer-grpc-4712.sock"
    ours.touch()
    others.touch()
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        assert weed.main([sys.executable, "-c", f"import os; os._exit({code})", "-filer.port.grpc=4711"]) == code
    finally:
        for number, handler in zip((signal.SIGTERM, signal.SIGINT), handlers, strict=True):
            signal.signal(number, handler)
    assert list(tmp_path.iterdir()) == [others]
