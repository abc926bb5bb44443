"""The registry is well only while it can give out what it keeps.

MLflow's own `/health` says that the process lives. With artifacts in a store of objects, or its tables in a database
elsewhere, that is not enough: what it stands on may be away, and MLflow answer whether it lives, while every model
asked for is still an error. Of a database that is away it even says 400, which no client asks again.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable

from mlstrata.services.registry.guard import App, Receive, Scope, Send

PATH, ALIVE = "/health", "/alive"
"""Whether it can give out what it keeps; whether the process answers at all, which ending it would not mend."""
STORE, DATABASE = "the store of artifacts does not give them out", "the database does not answer"
_FRESH_S = 1.0
_LONGEST_S = 5.0
"""Longest wait for what is probed."""


class Health:
    """An ASGI application around another that answers 503 to `/health` while `probe` fails.

    An answer holds for a second, so that many who ask cost the store no more than one does.
    """

    def __init__(
        self,
        app: App,
        probe: Callable[[], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        what: str = STORE,
        whole: bool = False,
    ) -> None:
        """Put `probe`, which raises what is wrong, before the health of `app`.

        Args:
            app: The application.
            probe: Raises what is wrong.
            clock: Seconds.
            what: What is said of it.
            whole: Without what is probed the application can do nothing: all requests are answered 503 then.
        """
        self._app = app
        self._probe = probe
        self._clock = clock
        self._what, self._whole = what, whole
        self._asked = float("-inf")
        self._complaint = ""
        self._one = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] == "http":
            if scope["path"] == ALIVE:
                return await _answer(send, 200, "alive")
            if (self._whole or scope["path"] == PATH) and (complaint := await self._look()):
                return await _answer(send, 503, f"503: {complaint}")
        return await self._app(scope, receive, send)

    async def _look(self) -> str:
        async with self._one:
            if self._clock() - self._asked >= _FRESH_S:
                before = self._complaint
                try:
                    await asyncio.wait_for(asyncio.to_thread(self._probe), _LONGEST_S)
                except Exception as error:  # noqa: BLE001 - whatever it is, nothing can be given out
                    # Open to anyone on the machine: what kind, not where or with which keys.
                    self._complaint = f"{self._what} ({type(error).__name__})"
                else:
                    self._complaint = ""
                if bool(before) != bool(self._complaint):
                    told = f"{self._complaint}, answers are 503" if self._complaint else "well again"
                    sys.stderr.write(f"registry: {told}\n")
                self._asked = self._clock()
            return self._complaint


async def _answer(send: Send, status: int, text: str) -> None:
    body = f"{text}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
