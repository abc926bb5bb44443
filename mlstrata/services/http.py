"""What our HTTP services share: the check of a token, its file, the limit of a request's body, and how one starts."""

from __future__ import annotations

import argparse
import codecs
import hmac
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import Field, ValidationError

from mlstrata.closed import Closed
from mlstrata.services.problems import plain

if TYPE_CHECKING:
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.responses import Response

LOOPBACK = "127.0.0.1"
BODY = 1024 * 1024
"""Largest request body, in bytes; a request is a page of JSON."""
LEAST_SECRET = 16
"""Fewest characters of a token or password."""


class ServiceSettings(Closed):
    """Settings of a service that asks its callers for a token."""

    port: int = Field(ge=0, le=65535, description="Port on 127.0.0.1.")
    token_file: Path = Field(description="File, mode 0600, that holds the bearer token.")


def settings_file(service: str) -> str:
    """Return where a service on this machine has its settings, from the environment's home."""
    return f"config/{service}/{service}.json"


def token_file(service: str) -> str:
    """Return where a service on this machine has its token, from the environment's home."""
    return f"config/{service}/token"


Settings = TypeVar("Settings", bound=ServiceSettings)


class Unusable(ValueError):
    """A setting or a secret cannot be used; the message says which and why."""


def is_bearer(header: str, token: str) -> bool:
    """Say whether an Authorization header carries `token`, in a time that says nothing of the token."""
    scheme, _, given = header.partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())


def authorise(request: Request, token: str, message: str = "a bearer token is needed") -> None:
    """Let a request pass that carries `token`.

    Raises:
        HTTPException: 401, it does not.
    """
    from starlette.exceptions import HTTPException

    if not is_bearer(request.headers.get("authorization", ""), token):
        raise HTTPException(401, message, {"WWW-Authenticate": "Bearer"})


def checked_secret(secret: str, origin: str) -> str:
    """Return a token or password that is long enough.

    Raises:
        Unusable: It is not; the message names `origin`.
    """
    if len(secret) < LEAST_SECRET:
        raise Unusable(f"{origin} holds {len(secret)} characters; at least {LEAST_SECRET} are needed")
    return secret


def read_secret(path: Path) -> str:
    """Read a token or password from a file that only its owner can read.

    Raises:
        Unusable: Others can read the file, or the secret is too short.
        OSError: There is no such file.
    """
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise Unusable(f"{path} has mode {mode:04o}; only its owner may read it: chmod 600")
    return checked_secret(path.read_text(encoding="utf-8").strip(), str(path))


async def body(request: Request, most: int = BODY) -> bytes:
    """Read a request's body: JSON, without the mark that some programs begin every text with (RFC 8259, 8.1).

    Raises:
        HTTPException: 413, it is larger than `most` bytes; the rest is not read.
    """
    from starlette.exceptions import HTTPException

    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > most:
            raise HTTPException(413, f"the body is larger than {most} bytes")
    return bytes(read).removeprefix(codecs.BOM_UTF8)


def page_size(request: Request, usual: int, most: int) -> int:
    """Return a query's `limit`.

    Raises:
        HTTPException: 422, it is no number from 1 to `most`.
    """
    from starlette.exceptions import HTTPException

    limit = request.query_params.get("limit", str(usual))
    if not limit.isdecimal() or not 1 <= int(limit) <= most:
        raise HTTPException(422, f"limit: got {limit!r}; allowed 1 to {most}")
    return int(limit)


def invalid(error: ValidationError) -> HTTPException:
    """Return the answer to a body of the wrong shape: 400 where it is no JSON, else 422."""
    from starlette.exceptions import HTTPException

    malformed = any(item["type"] == "json_invalid" for item in error.errors())
    return HTTPException(400 if malformed else 422, plain(error))


async def refusal(_: Request, error: Exception) -> Response:
    """Answer an error as JSON: `{"error": {"code", "message"}}`."""
    from starlette.exceptions import HTTPException
    from starlette.responses import JSONResponse

    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    document = {"error": {"code": error.status_code, "message": error.detail}}
    return JSONResponse(document, error.status_code, error.headers)


def main(program: str, description: str, model: type[Settings], serve: Callable[[Settings, str], int]) -> int:
    """Read `--settings FILE` with the token that it names, and serve; return the exit code.

    Args:
        program: What `python -m` takes.
        description: Of the program, in its help.
        model: The settings' type.
        serve: Serves with settings and token; returns the exit code.

    Returns:
        2 when the settings are wrong, else what `serve` returns.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    parser.add_argument("--settings", type=Path, required=True, help=f"JSON file of {model.__name__}")
    path = parser.parse_args().settings
    try:
        settings = model.model_validate_json(path.read_text(encoding="utf-8"))
        token = read_secret(settings.token_file)
    except (OSError, ValidationError, Unusable) as error:
        sys.stderr.write(f"{path}: {plain(error)}\n")
        return 2
    return serve(settings, token)


def run(name: str, port: int, app: Callable[[], Any], *, host: str = LOOPBACK, grace: int = 5) -> int:
    """Answer on a port until SIGTERM or SIGINT; the process ends by that signal.

    Args:
        name: Of the service, for the line that says where it listens.
        port: 0 for any free one.
        app: Makes the ASGI application; called once the port is taken, so that two never hold the same data.
        host: Address to listen on.
        grace: Seconds that open requests have when it is told to stop.

    Returns:
        1 when the port cannot be used; nothing was made then.
    """
    try:
        listening = socket.create_server((host, port), backlog=128)
    except OSError as error:
        sys.stderr.write(f"port {port} on {host} cannot be used: {error.strerror}; choose another\n")
        return 1
    import uvicorn

    config = uvicorn.Config(
        app(),
        access_log=False,  # it would grow with every scrape
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=grace,
    )
    sys.stdout.write(f"{name} listens on http://{host}:{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    uvicorn.Server(config).run(sockets=[listening])
    return 0
