"""Loopback ports for servers that a test starts: nobody else is given one between its choice and its use."""

import socket

LOOPBACK = "127.0.0.1"
_HELD: list[socket.socket] = []


def free_ports(count: int) -> list[int]:
    """Return ports that nobody has, and hold them until this process ends.

    They are bound here and never listened on, so the kernel gives them to nobody; a server that sets SO_REUSEADDR, as
    servers do, binds them all the same.
    """
    found = []
    for _ in range(count):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((LOOPBACK, 0))
        _HELD.append(one)
        found.append(int(one.getsockname()[1]))
    return found


def free_port() -> int:
    """Return one such port."""
    return free_ports(1)[0]
