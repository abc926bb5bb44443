"""The catalog's HTTP interface: `/healthz` and `/metrics` are open on loopback; everything else asks who reads.

A program sends the token (`Authorization: Bearer …`). A person follows a login link (`mlstrata catalog ENV --link`) or
types the token once; a signed cookie then lasts for a working day.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from mlstrata.services import http
from mlstrata.services.catalog.access import SESSION_SECONDS, Access
from mlstrata.services.catalog.api import documents
from mlstrata.services.catalog.events import RunEvent, append
from mlstrata.services.catalog.metrics import Requests
from mlstrata.services.catalog.pages import Pages, stylesheet
from mlstrata.services.catalog.reader import Reader
from mlstrata.services.catalog.settings import CatalogSettings
from mlstrata.services.problems import plain

EVENTS_BYTES = 64 * 1024 * 1024
"""Size from which on events from elsewhere begin a new file: who may tell must not be able to fill the disk."""
COOKIE = "mlstrata-catalog"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

_PAGE = re.compile(r"[a-z]+(/[A-Za-z0-9-]+)*")


def build(settings: CatalogSettings, token: str, clock: Callable[[], float] = time.time) -> Starlette:
    """Build the application.

    Args:
        settings: The catalog's settings.
        token: What readers must show, in one way or another.
        clock: Seconds since 1970, for links and sessions.
    """
    service = Service(settings, token, clock)
    routes = [
        Route("/healthz", service.health),
        Route("/metrics", service.metrics),
        Route("/style.css", service.style),
        Route("/login", service.ask),
        Route("/login", service.login, methods=["POST"]),
        Route("/logout", service.logout, methods=["POST"]),
        Route("/api/lineage", service.tell, methods=["POST"]),
        Route("/api/v1/lineage", service.tell, methods=["POST"]),
        Route("/api/v1/events/lineage", service.events),
        Route("/api/{what:path}", service.document),
        Route("/{what:path}", service.page),
    ]
    guard = Middleware(TrustedHostMiddleware, allowed_hosts=list(settings.hosts), www_redirect=False)
    return Starlette(routes=routes, middleware=[guard], exception_handlers={HTTPException: service.refuse})


class Service:
    """The handlers."""

    def __init__(self, settings: CatalogSettings, token: str, clock: Callable[[], float]) -> None:
        self._settings, self._clock = settings, clock
        self._access, self._reader = Access(token), Reader(settings)
        self._pages, self._requests = Pages(), Requests()

    async def health(self, _: Request) -> Response:
        """Say that the service answers and knows what is deployed."""
        try:
            await run_in_threadpool(self._reader.declared)
        except (OSError, ValueError) as error:
            return JSONResponse({"status": "what is deployed cannot be read", "why": type(error).__name__}, 503)
        return JSONResponse({"status": "ok"})

    async def metrics(self, _: Request) -> Response:
        """Give the metrics."""
        return Response(self._requests.exposition(), media_type="text/plain; version=0.0.4")

    async def style(self, _: Request) -> Response:
        """Give the pages' style: it tells nothing, and the login page has it too."""
        return Response(stylesheet(), media_type="text/css", headers=HEADERS)

    async def ask(self, request: Request) -> Response:
        """Ask who reads; with a good ticket, begin a session."""
        if ticket := request.query_params.get("ticket"):
            if self._access.link(ticket, self._clock()):
                return self._begin(_inside(request.query_params.get("to", "")))
            return self._html(self._pages.login("This link was used already or is older than five minutes."), 401)
        return self._html(self._pages.login(None))

    async def login(self, request: Request) -> Response:
        """Begin a session for who typed the token."""
        form = parse_qs((await http.body(request)).decode(errors="replace"))
        if self._access.token(form.get("token", [""])[0].strip()):
            return self._begin()
        return self._html(self._pages.login("That is not the token of this catalog."), 401)

    async def logout(self, _: Request) -> Response:
        """End the session in this browser."""
        answer = RedirectResponse("/login", 303, HEADERS)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    async def tell(self, request: Request) -> Response:
        """Take an OpenLineage event of a job elsewhere: 201. Only with the token: a browser cannot be made to."""
        if not self._access.bearer(request.headers.get("authorization", "")):
            raise _unknown()
        body = await http.body(request)
        try:
            event = json.loads(body)
            RunEvent.model_validate(event)
        except ValidationError as error:
            raise HTTPException(422, plain(error)) from error
        except ValueError as error:
            raise HTTPException(400, "the body is no JSON document") from error
        await run_in_threadpool(append, self._settings.events, event, most=EVENTS_BYTES)
        self._reader.forget()
        self._requests.count("events", 201)
        return Response(status_code=201, headers=HEADERS)

    async def events(self, request: Request) -> Response:
        """Give the newest lineage events, newest first."""
        self._authorise(request)
        limit = http.page_size(request, 100, 1000)
        found = await run_in_threadpool(self._reader.events)
        return self._json({"events": found[:limit], "totalCount": len(found)})

    async def document(self, request: Request) -> Response:
        """Give one document of the API."""
        self._authorise(request)
        what = request.path_params["what"]
        found = await self._read(lambda: documents(self._reader.catalog(), what, self._settings.home))
        if found is None:
            raise HTTPException(404, f"there is no /api/{what}")
        return self._json(found)

    async def page(self, request: Request) -> Response:
        """Give one page."""
        if not self._allowed(request):
            if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
                return RedirectResponse("/login", 303, HEADERS)
            raise _unknown()
        what, query = request.path_params["what"], dict(request.query_params)
        found = await self._read(lambda: self._pages.page(self._reader.catalog(), what, query, self._settings.home))
        if found is None:
            return self._html(self._pages.missing(what), 404)
        return self._html(found)

    async def refuse(self, request: Request, error: Exception) -> Response:
        """Answer an error as JSON, and count it."""
        answer = await http.refusal(request, error)
        answer.headers.update(HEADERS)
        self._requests.count("api", answer.status_code)
        return answer

    async def _read(self, reading: Callable[[], Any]) -> Any:
        try:
            return await run_in_threadpool(reading)
        except (OSError, ValueError) as error:
            raise HTTPException(503, "what is deployed cannot be read; look at the catalog's log") from error

    def _allowed(self, request: Request) -> bool:
        known = self._access.known(request.cookies.get(COOKIE, ""), self._clock())
        return known or self._access.bearer(request.headers.get("authorization", ""))

    def _authorise(self, request: Request) -> None:
        if not self._allowed(request):
            raise _unknown()

    def _begin(self, page: str = "/") -> Response:
        answer = RedirectResponse(page, 303, HEADERS)
        session = self._access.session(self._clock())
        answer.set_cookie(COOKIE, session, max_age=SESSION_SECONDS, httponly=True, samesite="strict")
        return answer

    def _html(self, text: str, status: int = 200) -> Response:
        self._requests.count("pages", status)
        return HTMLResponse(text, status, HEADERS)

    def _json(self, document: object) -> Response:
        self._requests.count("api", 200)
        return JSONResponse(document, headers=HEADERS)


def _inside(page: str) -> str:
    """Return a page of our own: a link must not be able to lead elsewhere."""
    return f"/{page}" if _PAGE.fullmatch(page) else "/"


def _unknown() -> HTTPException:
    return HTTPException(401, "a bearer token, or a session that a login link began, is needed", _BEARER)


_BEARER = {"WWW-Authenticate": "Bearer"}
