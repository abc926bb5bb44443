"""The store of objects ends when it is told to, and its sockets with it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mlstrata.services.storage import weed
from tests.support.patience import PATIENCE, eventually

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(3600)"
)


def test_a_program_that_does_not_end_is_ended():
    command = [sys.executable, "-m", "mlstrata.services.storage.weed", sys.executable, "-c", STUBBORN]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGKILL % 256, "by force, as it heeds no request"


@pytest.mark.skipif(sys.platform != "linux", reason="only this kernel ends a process with the one that made it")
def test_the_program_ends_with_it_however_it_ends():
    talking = "import os, time; print(os.getpid(), flush=True); time.sleep(3600)"
    command = [sys.executable, "-m", "mlstrata.services.storage.weed", sys.executable, "-c", talking]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    pid = int(process.stdout.readline())
    process.kill()
    # Both held the pipe: its end is that of the program too.
    process.communicate(timeout=PATIENCE)
    eventually(lambda: is_gone(pid))


def is_gone(pid):
    """Whether nothing with this id runs; a while may pass until somebody takes note of its end."""
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


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
