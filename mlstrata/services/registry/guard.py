"""Asks for the password before MLflow sees a request.

Why not MLflow's own basic-auth app: docs/decisions/0009.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from mlstrata.services.http import is_bearer

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN = frozenset({"/health", "/alive", "/metrics"})
"""Paths that answer anyone: whether it is well, whether it lives, counts of requests; none names a model or person."""
_BODY = b"401: the registry asks for user and password; `mlstrata status ENV` says where they are\n"
_WEBSOCKET_DENIED = 1008


class Guard:
    """An ASGI application around another that answers 401 to whoever has no password."""

    def __init__(self, app: App, user: str, password: str) -> None:
        """Guard `app`.

        Raises:
            ValueError: an empty user or password, which anyone could guess.
        """
        if not user or not password:
            raise ValueError("user and password: got nothing; both are needed")
        self._app = app
        self._basic = f"{user}:{password}".encode()
        self._token = password

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is allowed."""
        if scope["type"] == "lifespan" or self._allowed(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _WEBSOCKET_DENIED})
        else:
            headers = [
                (b"www-authenticate", b'Basic realm="mlstrata registry", charset="UTF-8"'),
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", str(len(_BODY)).encode()),
                (b"cache-control", b"no-store"),
            ]
            await send({"type": "http.response.start", "status": 401, "headers": headers})
            await send({"type": "http.response.body", "body": _BODY})

    def _allowed(self, scope: Scope) -> bool:
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and scope["path"] in OPEN:
            return True
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        # Two of them could be read as one here and as the other behind.
        return len(given) == 1 and self._known(given[0])

    def _known(self, value: bytes) -> bool:
        if is_bearer(value.decode("latin-1"), self._token):
            return True
        scheme, _, credentials = value.partition(b" ")
        if scheme.lower() != b"basic":
            return False
        try:
            decoded = base64.b64decode(credentials.strip(), validate=True)
        except binascii.Error:
            return False
        return hmac.compare_digest(decoded, self._basic)
