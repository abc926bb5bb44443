"""The registry is well only while it can give out what it keeps.

MLflow's own `/health` says that the process lives. With artifacts in a store of objects that is not enough: the store
may be starting, and answer whether it lives, while every model asked for is still an error.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from mlstrata.services.registry.guard import App, Receive, Scope, Send

PATH = "/health"
_FRESH_S = 1.0


class Health:
    """An ASGI application around another that answers 503 to `/health` while `probe` fails.

    An answer holds for a second, so that many who ask cost the store no more than one does.
    """

    def __init__(self, app: App, probe: Callable[[], None], *, clock: Callable[[], float] = time.monotonic) -> None:
        """Put `probe`, which raises what is wrong, before the health of `app`."""
        self._app = app
        self._probe = probe
        self._clock = clock
        self._asked = float("-inf")
        self._complaint = ""
        self._one = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] == "http" and scope["path"] == PATH and (complaint := await self._look()):
            body = f"503: {complaint}\n".encode()
            headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": 503, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        await self._app(scope, receive, send)

    async def _look(self) -> str:
        async with self._one:
            if self._clock() - self._asked >= _FRESH_S:
                try:
                    await asyncio.to_thread(self._probe)
                except Exception as error:  # noqa: BLE001 - whatever it is, nothing can be given out
                    # Open to anyone on the machine: what kind, not where or with which keys.
                    self._complaint = f"the store of artifacts does not give them out ({type(error).__name__})"
                else:
                    self._complaint = ""
                self._asked = self._clock()
            return self._complaint
