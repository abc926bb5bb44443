"""Connections into a node's network: a thread may be in one while the process is not."""

from __future__ import annotations

import ctypes
import os
import socket
import threading
from pathlib import Path

from tests.support.ports import LOOPBACK

_NETWORK = 0x40000000


def connect(pid: int, host: str, port: int, timeout: float) -> socket.socket:
    """Connect to an address in the network of a process.

    Raises:
        OSError: It cannot be reached.
    """
    found: list[socket.socket | OSError] = []

    def enter() -> None:
        # A socket stays in the network in which it was made; the thread that made it ends.
        try:
            handle = os.open(Path("/proc", str(pid), "ns/net"), os.O_RDONLY | os.O_CLOEXEC)
            try:
                entered = ctypes.CDLL(None, use_errno=True).setns(handle, _NETWORK) == 0
            finally:
                os.close(handle)
            assert entered, os.strerror(ctypes.get_errno())
            found.append(socket.create_connection((host, port), timeout))
        except OSError as error:
            found.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    (one,) = found
    if isinstance(one, OSError):
        raise one
    one.settimeout(None)
    return one


class Door:
    """One address of a node's network on a loopback port of this machine."""

    def __init__(self, pid: int, host: str, port: int) -> None:
        self.pid, self.host, self.to = pid, host, port
        self.server = socket.create_server((LOOPBACK, 0))
        self.port: int = self.server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        # A thread that waits for one would hold a socket that is only closed.
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        try:
            far = connect(self.pid, self.host, self.to, 60)
        except OSError:
            near.close()
            return
        back = threading.Thread(target=_pour, args=(far, near), daemon=True)
        back.start()
        _pour(near, far)
        back.join()
        near.close()
        far.close()


def _pour(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        # One side is gone, so the other gets nothing more.
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
