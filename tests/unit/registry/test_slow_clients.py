"""Clients that send or read a byte at a time hold up nobody else, and not the registry's end either."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mlstrata.clients.mlflow.access import header, of
from tests.support.patience import PATIENCE
from tests.support.registry import PASSWORD, get, serving

SLOW = 48
"""Of each kind: more than there are threads in the server, which has 40 for what blocks."""
LARGE = 16 << 20
"""Bytes that no buffer of a connection takes whole."""
FILES = "/api/2.0/mlflow-artifacts/artifacts"
WHO = header(of(PASSWORD))


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "artifacts/0").mkdir(parents=True)
    (tmp_path / "artifacts/0/large").write_bytes(bytes(LARGE))
    with serving(tmp_path) as url:
        yield url


def slow(stack: ExitStack, url: str, head: str, sent: bytes = b"") -> socket.socket:
    """Begin a request that is not ended."""
    host, _, port = url.removeprefix("http://").partition(":")
    # Little room, so that what is not read stays where it came from.
    made = stack.enter_context(socket.socket())
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.settimeout(PATIENCE)
    made.connect((host, int(port)))
    lines = [head, f"host: {host}:{port}", *(f"{name}: {value}" for name, value in WHO.items())]
    made.sendall("\r\n".join(lines).encode() + sent)
    return made


def test_those_who_are_not_slow_are_answered(registry: str) -> None:
    host = registry.removeprefix("http://")
    with ExitStack() as stack:
        unended = [slow(stack, registry, "GET /version HTTP/1.1", b"\r\nx-more: ") for _ in range(SLOW)]
        body = f"\r\ncontent-length: {LARGE}\r\n\r\n".encode()
        calls = [
            slow(stack, registry, "POST /api/2.0/mlflow/runs/log-batch HTTP/1.1", body + b"{") for _ in range(SLOW)
        ]
        uploads = [slow(stack, registry, f"PUT {FILES}/0/slow-{one} HTTP/1.1", body + b"x") for one in range(SLOW)]
        readers = [slow(stack, registry, f"GET {FILES}/0/large HTTP/1.1", b"\r\n\r\n") for _ in range(SLOW)]
        for one in readers:
            assert one.recv(1) == b"H", "it is answered, and reads no further"
        for _ in range(3):
            for one in (*unended, *calls, *uploads):
                one.sendall(b"y")
            for one in readers:
                assert one.recv(1)
            assert get(f"{registry}/health", host)[0] == 200
            asked = f"{registry}/api/2.0/mlflow/experiments/search?max_results=1"
            assert get(asked, host, WHO)[0] == 200
            sends = http.client.HTTPConnection(host, timeout=PATIENCE)
            sends.request("PUT", f"{FILES}/0/quick", body=b"whole", headers=WHO)
            assert sends.getresponse().status == 200
            sends.close()
            assert get(f"{registry}{FILES}/0/quick", host, WHO) == (200, "whole")
