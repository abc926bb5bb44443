"""The runner's HTTP interface. `/healthz` and `/metrics` are open on loopback; everything else asks for the token."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from mlstrata.services import http
from mlstrata.services.runner.contract import Run, RunnerSettings, RunRequest
from mlstrata.services.runner.metrics import exposition
from mlstrata.services.runner.runs import Runs
from mlstrata.services.runner.schedules import Scheduler

MOST = 500
"""Most runs in one answer."""


def build(settings: RunnerSettings, runs: Runs, token: str, clock: Callable[[], float]) -> Starlette:
    """Build the application.

    Args:
        settings: The runner's settings.
        runs: Its runs; started and stopped with the application.
        token: The bearer token that callers must send.
        clock: Seconds since 1970, for the schedules.
    """
    scheduler = Scheduler(settings, runs, clock)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await runs.start()
        ticking = asyncio.create_task(scheduler.run())
        try:
            yield
        finally:
            ticking.cancel()
            await runs.stop()

    api = Api(settings, runs, token)
    routes = [
        Route("/healthz", api.health),
        Route("/metrics", api.metrics),
        Route("/runs", api.create, methods=["POST"]),
        Route("/runs", api.find),
        Route("/runs/{id}", api.show),
        Route("/runs/{id}", api.cancel, methods=["DELETE"]),
        Route("/runs/{id}/log", api.log),
    ]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: http.refusal})


class Api:
    """The handlers."""

    def __init__(self, settings: RunnerSettings, runs: Runs, token: str) -> None:
        self._settings, self._runs, self._token = settings, runs, token

    async def health(self, _: Request) -> Response:
        """Say that the runner answers and its store does."""
        self._runs.store.counts()
        return JSONResponse({"status": "ok"})

    async def metrics(self, _: Request) -> Response:
        """Give the metrics."""
        return Response(exposition(self._runs.store), media_type="text/plain; version=0.0.4")

    async def create(self, request: Request) -> Response:
        """Queue a run: 202 with its id."""
        self._authorise(request)
        try:
            wanted = RunRequest.model_validate_json(await http.body(request))
        except ValidationError as error:
            raise http.invalid(error) from error
        training = wanted.settings or self._settings.request(wanted.system)
        if training is None:
            known = ", ".join(known.system for known in self._settings.requests) or "none"
            raise HTTPException(
                422, f"system {wanted.system!r} has no request in the runner's settings; known: {known}"
            )
        run = self._runs.submit(training, wanted.trigger, wanted.id)
        return JSONResponse({"id": run.id}, 202, {"Location": f"/runs/{run.id}"})

    async def find(self, request: Request) -> Response:
        """List the newest runs."""
        self._authorise(request)
        found = self._runs.store.find(request.query_params.get("system"), http.page_size(request, 50, MOST))
        return JSONResponse({"runs": [run.model_dump(mode="json") for run in found]})

    async def show(self, request: Request) -> Response:
        """Give one run."""
        self._authorise(request)
        return _json(self._known(request))

    async def cancel(self, request: Request) -> Response:
        """Cancel a run; 409 when it has ended."""
        self._authorise(request)
        run = self._known(request)
        if not await self._runs.cancel(run.id):
            raise HTTPException(409, f"run {run.id} has ended already: {self._known(request).state}")
        return _json(self._known(request))

    async def log(self, request: Request) -> Response:
        """Give what a run has printed so far."""
        self._authorise(request)
        path = self._runs.log(self._known(request).id)
        return FileResponse(path, media_type="text/plain") if path.exists() else PlainTextResponse("")

    def _known(self, request: Request) -> Run:
        run = self._runs.store.get(request.path_params["id"])
        if run is None:
            raise HTTPException(404, f"there is no run {request.path_params['id']!r}")
        return run

    def _authorise(self, request: Request) -> None:
        http.authorise(request, self._token)


def _json(document: BaseModel) -> Response:
    return JSONResponse(document.model_dump(mode="json"))
