# mypy: disable-error-code="misc"
"""MLServer with the interfaces that the platform uses, and no others.

MLServer lets whoever reaches its port unload a model, over HTTP and gRPC alike, and has no switch for that. Here a
model comes and goes by a release alone, so its repository interface answers 404, as does all that nobody asks for.
"""

from __future__ import annotations

import uuid
from typing import NoReturn

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from mlserver import MLServer
from mlserver.cli.serve import load_settings
from mlserver.errors import MLServerError
from starlette.exceptions import HTTPException

from mlstrata.services.serving.problem import ProblemError
from mlstrata.services.serving.settings import READY_PATH, UNTOUCHED_HEADER

LIVE_PATH = "/v2/health/live"
KEPT = frozenset({LIVE_PATH, READY_PATH, "/v2/models/{model_name}/ready", "/v2/models/{model_name}/infer"})
"""What of MLServer's own paths stays: health, as orchestrators ask it, and predictions by the V2 protocol."""
_OURS = "/systems/"
_UNKNOWN, _STARTING = 404, 503


class NoRepository:
    """Stands where MLServer has the handlers of its repository interface, for HTTP and gRPC."""

    async def index(self, *_: object) -> NoReturn:
        """Refuse to list models."""
        self._refuse()

    async def load(self, *_: object, name: str = "") -> NoReturn:  # noqa: ARG002 - MLServer's signature
        """Refuse to load a model."""
        self._refuse()

    async def unload(self, *_: object, name: str = "") -> NoReturn:  # noqa: ARG002 - MLServer's signature
        """Refuse to unload a model."""
        self._refuse()

    @staticmethod
    def _refuse() -> NoReturn:
        raise MLServerError("a version is loaded and unloaded by a release alone", _UNKNOWN)


class Server(MLServer):
    """MLServer, closed but for `KEPT` and what our runtime adds."""

    def _create_servers(self) -> None:
        self._model_repository_handlers = NoRepository()
        super()._create_servers()
        close(self._rest_server._app)


def close(app: FastAPI) -> None:
    """Take every route but `KEPT` from MLServer's application; what is not there is answered in our own shape."""
    app.router.routes[:] = [route for route in app.router.routes if getattr(route, "path", "") in KEPT]

    async def unknown(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else _UNKNOWN
        problem = ProblemError(status, "unknown_path", "nothing is served at this path, or not by this method")
        headers = {}
        # Ours are added once the released versions are in memory.
        if status == _UNKNOWN and not any(getattr(one, "path", "").startswith(_OURS) for one in app.router.routes):
            problem = ProblemError(_STARTING, "starting", "the prediction process is starting; try again shortly")
            headers = {UNTOUCHED_HEADER: "1"}
        body = problem.body(request.headers.get("x-request-id") or str(uuid.uuid4()))
        return JSONResponse(body, problem.status, headers)

    app.add_exception_handler(HTTPException, unknown)


async def serve(folder: str) -> None:
    """Serve what a configuration folder names, until a signal ends it."""
    settings, models = await load_settings(folder)
    await Server(settings).start(models)
