"""`python -m mlstrata.services.storage.weed PROGRAM ARGUMENT…`: SeaweedFS, which ends within seconds.

By itself it lets its connections idle for a quarter of a minute when it is told to end, and leaves sockets in /tmp
under fixed names. What it has answered is in its files by then, so it may be ended sooner.
"""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType

POLITE_SECONDS = 2.0
_SOCKETS = Path("/tmp")  # noqa: S108 - the program's own choice
_PORT_FLAG, _SOCKET_FLAG = ".port.grpc=", ".localSocket="
_PR_SET_PDEATHSIG = 1


def sockets(arguments: list[str]) -> list[Path]:
    """Return the sockets that it makes: beside the ports named in its arguments, and those that these name."""
    ports = [argument.partition(_PORT_FLAG)[2] for argument in arguments if _PORT_FLAG in argument]
    named = [Path(argument.partition(_SOCKET_FLAG)[2]) for argument in arguments if _SOCKET_FLAG in argument]
    return [
        *named,
        *(
            _SOCKETS / f"seaweedfs-{part}-grpc-{port}.sock"
            for port in ports
            if port.isdigit()
            for part in ("master", "volume", "filer", "s3")
        ),
    ]


def _end_with_parent() -> None:
    """Have the kernel end this process with the one that made it, however that ends.

    Were it left alone, it would answer and write still while the next one starts on the same files.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main(arguments: list[str]) -> int:
    """Run it until it ends or is told to; return its exit code."""
    # In the child between fork and exec, where nothing of this small process's is held by another thread.
    child = subprocess.Popen(arguments, preexec_fn=_end_with_parent)  # noqa: PLW1509 - no thread runs yet

    def end(_number: int, _frame: FrameType | None) -> None:
        child.terminate()
        try:
            child.wait(POLITE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        return child.wait()
    finally:
        for socket in sockets(arguments):
            with suppress(OSError):
                socket.unlink()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
