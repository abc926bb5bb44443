"""The words of Postgres' own clients in a database's address mean what they mean there, on the wire."""

import socket
import ssl
import struct
import threading

import pytest

from mlstrata.services.registry.encryption import encrypt, encryption
from tests.support.patience import PATIENCE

ASKS_FOR_TLS, STARTS = 80877103, 196608
ADDRESS = "postgresql+pg8000://mlflow:secret@db.example.com:5432/mlflow"


@pytest.mark.parametrize(("mode", "taken"), [("", None), ("prefer", None), ("disable", False), ("require", True)])
def test_a_mode_is_taken_out_of_the_address(mode: str, taken: bool | None):
    said = f"&sslmode={mode}" if mode else ""
    assert encryption(f"{ADDRESS}?application_name=mlflow{said}") == (f"{ADDRESS}?application_name=mlflow", taken)


@pytest.mark.parametrize(("mode", "name"), [("verify-ca", False), ("verify-full", True)])
def test_who_is_verified(mode: str, name: bool):
    plain, context = encryption(f"{ADDRESS}?sslmode={mode}&sslrootcert=system")
    assert plain == ADDRESS
    assert isinstance(context, ssl.SSLContext)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, name)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("sslmode=always", "sslmode: got 'always'; allowed disable, allow, prefer, require, verify-ca, verify-full"),
        ("sslmode=verify-full&sslrootcert=/nowhere/ca.pem", "sslrootcert: /nowhere/ca.pem cannot be read"),
    ],
)
def test_what_is_wrong_is_told(query: str, told: str):
    with pytest.raises(ValueError, match=r"^ssl") as caught:
        encryption(f"{ADDRESS}?{query}")
    assert told in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("mode", "asked"),
    [("disable", [STARTS]), ("prefer", [ASKS_FOR_TLS, STARTS]), ("require", [ASKS_FOR_TLS])],
)
def test_a_server_without_encryption_is_spoken_to_or_not(mode: str, asked: list[int]):
    """Its first words say which: it is asked for TLS, or begun with; when it must be, nothing follows a no."""
    import sqlalchemy
    from sqlalchemy.exc import SQLAlchemyError

    seen: list[int] = []

    def answer(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            while len(head := connection.recv(8)) == 8:
                length, code = struct.unpack("!ii", head)
                seen.append(code)
                if code != ASKS_FOR_TLS:
                    connection.recv(length - 8)
                    return
                connection.sendall(b"N")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        uri, context = encryption(f"postgresql+pg8000://u:p@127.0.0.1:{listener.getsockname()[1]}/d?sslmode={mode}")
        hook = encrypt(context)
        try:
            with pytest.raises((SQLAlchemyError, OSError)):
                sqlalchemy.create_engine(uri).connect()
        finally:
            hook()
        thread.join(PATIENCE)
    assert seen == asked
