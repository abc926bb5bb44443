"""The monitor's HTTP interface: `/healthz` and `/metrics` are open on loopback, the rest asks for the token."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from mlstrata.services import http
from mlstrata.services.monitor.exposition import exposition
from mlstrata.services.monitor.report import POLICY, render
from mlstrata.services.monitor.rounds import Monitor
from mlstrata.services.monitor.verdict import Verdict

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def build(monitor: Monitor, token: str) -> Starlette:
    """Build the application.

    Args:
        monitor: What looks at the systems.
        token: What readers must show.
    """
    service = Service(monitor, token)
    routes = [
        Route("/healthz", service.health),
        Route("/metrics", service.metrics),
        Route("/systems", service.systems),
        Route("/systems/{system}", service.system),
        Route("/systems/{system}/report", service.report),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: http.refusal})


class Service:
    """The handlers."""

    def __init__(self, monitor: Monitor, token: str) -> None:
        self._monitor, self._token = monitor, token

    async def health(self, _: Request) -> Response:
        """Say that the service answers."""
        return JSONResponse({"status": "ok"})

    async def metrics(self, _: Request) -> Response:
        """Give the metrics."""
        text = exposition(self._monitor.verdicts.values()) + self._monitor.exposition()
        return Response(text, media_type="text/plain; version=0.0.4")

    async def systems(self, request: Request) -> Response:
        """Give each system's state and what alerts."""
        self._authorise(request)
        found = [
            {"system": one.system, "version": one.version, "state": one.state, "alerts": len(one.alerts)}
            for one in self._monitor.verdicts.values()
        ]
        return JSONResponse({"systems": found}, headers=HEADERS)

    async def system(self, request: Request) -> Response:
        """Give the last verdict about a system."""
        return Response(self._verdict(request).model_dump_json(), media_type="application/json", headers=HEADERS)

    async def report(self, request: Request) -> Response:
        """Give the report about a system."""
        return HTMLResponse(render(self._verdict(request)), headers=HEADERS)

    def _verdict(self, request: Request) -> Verdict:
        self._authorise(request)
        name = request.path_params["system"]
        found = self._monitor.verdicts.get(name)
        if found is None:
            raise HTTPException(404, f"there is no verdict about {name!r} yet")
        return found

    def _authorise(self, request: Request) -> None:
        http.authorise(request, self._token, "send the monitor's token: Authorization: Bearer …")
