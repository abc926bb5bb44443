"""A service of ours ends when it is told to, whoever still holds a connection."""

import signal
import socket
import subprocess
import sys

import pytest

from tests.support.patience import PATIENCE

SERVICE = """
import asyncio, sys, threading
from mlstrata.services import http

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            await send({"type": kind + ".complete"})
            if kind == "lifespan.shutdown":
                return
    sys.stdout.write("asked\\n")
    sys.stdout.flush()
    if scope["path"] == "/thread":
        # As MLflow's handlers, which are no coroutines: nothing can cancel a thread.
        await asyncio.to_thread(threading.Event().wait)
    while True:
        await receive()

http.run("stalled", 0, lambda: app, host="127.0.0.1", grace=1)
"""


@pytest.mark.parametrize("path", ["/thread", "/body"])
def test_a_stalled_client_does_not_keep_it(path):
    process = subprocess.Popen([sys.executable, "-c", SERVICE], stdout=subprocess.PIPE, text=True)
    try:
        said = process.stdout.readline()
        assert said.startswith("stalled listens on http://127.0.0.1:"), "the address that it listens on"
        with socket.create_connection(("127.0.0.1", int(said.rpartition(":")[2]))) as client:
            client.sendall(f"PUT {path} HTTP/1.1\r\nHost: here\r\nContent-Length: 1000\r\n\r\nhalf".encode())
            assert process.stdout.readline() == "asked\n"
            process.send_signal(signal.SIGTERM)
            # Without a limit of its own it would wait for the client for ever.
            assert process.wait(PATIENCE) == -signal.SIGTERM
    finally:
        process.kill()
        process.wait()
