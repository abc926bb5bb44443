"""The store of objects ends when it is told to, and its sockets with it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlstrata.services.storage import weed

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


def test_a_program_that_does_not_end_is_ended_within_seconds():
    command = [sys.executable, "-m", "mlstrata.services.storage.weed", sys.executable, "-c", STUBBORN]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "up\n"
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert time.monotonic() - begun < weed.POLITE_SECONDS + 5


@pytest.mark.skipif(sys.platform != "linux", reason="only this kernel ends a process with the one that made it")
def test_the_program_ends_with_it_however_it_ends():
    talking = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    command = [sys.executable, "-m", "mlstrata.services.storage.weed", sys.executable, "-c", talking]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    pid = int(process.stdout.readline())
    process.kill()
    # Both held the pipe: its end is that of the program too.
    process.communicate(timeout=10)
    with pytest.raises(ProcessLookupError):
        eventually_gone(pid)


def eventually_gone(pid):
    """Raise once nothing has this id; a while may pass until somebody takes note of its end."""
    for _ in range(6000):
        os.kill(pid, 0)
        if "State:\tZ" in Path(f"/proc/{pid}/status").read_text():
            raise ProcessLookupError
        time.sleep(0.05)


@pytest.mark.parametrize("code", [0, 3])
def test_its_exit_code_is_the_programs_and_its_sockets_go(tmp_path, monkeypatch, code):
    monkeypatch.setattr(weed, "_SOCKETS", tmp_path)
    ours, others = tmp_path / "seaweedfs-filer-grpc-4711.sock", tmp_path / "seaweedfs-filer-grpc-4712.sock"
    named = tmp_path / "short folder/s3.sock"
    named.parent.mkdir()
    for socket in (ours, others, named):
        socket.touch()
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        arguments = [
            sys.executable,
            "-c",
            f"import os; os._exit({code})",
            "-filer.port.grpc=4711",
            f"-s3.localSocket={named}",
        ]
        assert weed.main(arguments) == code
    finally:
        for number, handler in zip((signal.SIGTERM, signal.SIGINT), handlers, strict=True):
            signal.signal(number, handler)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [others]
