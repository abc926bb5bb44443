"""The catalog's HTTP interface: `/healthz` and `/metrics` are open on loopback; everything else asks who reads.

A program sends the token (`Authorization: Bearer …`). A person follows a login link (`mlstrata catalog ENV --link`) or
types the token once; a signed cookie then lasts for a working day. To change something takes the operators' token, its
link or session, and the form of a page of that session.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
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
from mlstrata.services.catalog.access import LONGEST_NAME, SESSION_SECONDS, Access, Person, Role
from mlstrata.services.catalog.api import documents
from mlstrata.services.catalog.changes import NotTaken, decide, order
from mlstrata.services.catalog.events import RunEvent, append
from mlstrata.services.catalog.live.board import Board
from mlstrata.services.catalog.metrics import Requests
from mlstrata.services.catalog.pages import Asked, Pages, Viewer, stylesheet
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


def build(
    settings: CatalogSettings, token: str, operator: str | None = None, clock: Callable[[], float] = time.time
) -> Starlette:
    """Build the application.

    Args:
        settings: The catalog's settings.
        token: What readers must show, in one way or another.
        operator: What those must show who change something; None: nobody may here.
        clock: Seconds since 1970, for links and sessions.
    """
    service = Service(settings, Access(token, operator), clock)
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
        Route("/queues/{place:path}", service.decide, methods=["POST"]),
        Route("/systems/{system}/orders", service.order, methods=["POST"]),
        Route("/{what:path}", service.page),
    ]
    guard = Middleware(TrustedHostMiddleware, allowed_hosts=list(settings.hosts), www_redirect=False)
    return Starlette(routes=routes, middleware=[guard], exception_handlers={HTTPException: service.refuse})


class Service:
    """The handlers."""

    def __init__(self, settings: CatalogSettings, access: Access, clock: Callable[[], float]) -> None:
        self._settings, self._home, self._clock = settings, settings.home, clock
        self._access, self._reader = access, Reader(settings)
        board = Board(settings)
        self._pages, self._requests = Pages(settings.home, board), Requests()

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
            if person := self._access.link(ticket, self._clock()):
                return self._begin(person, _inside(request.query_params.get("to", "")))
            return self._html(self._pages.login("This link was used already or is older than five minutes."), 401)
        return self._html(self._pages.login(None))

    async def login(self, request: Request) -> Response:
        """Begin a session for who typed the token."""
        form = parse_qs((await http.body(request)).decode(errors="replace"))
        role = self._access.token(form.get("token", [""])[0].strip())
        name = _one_line(form.get("name", [""])[0])
        if role is Role.OPERATOR and not name:
            return self._html(self._pages.login("An operator's decisions are recorded: type your name too."), 401)
        if role is not None:
            return self._begin(Person(role, name))
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
        found = await self._read(lambda: documents(self._reader.catalog(), what, self._home))
        if found is None:
            raise HTTPException(404, f"there is no /api/{what}")
        return self._json(found)

    async def page(self, request: Request) -> Response:
        """Give one page."""
        viewer = self._viewer(request)
        if viewer is None:
            if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
                return RedirectResponse("/login", 303, HEADERS)
            raise _unknown()
        return await self._page(request.path_params["what"], viewer, dict(request.query_params))

    async def decide(self, request: Request) -> Response:
        """Take an operator's decision of a row that waits."""
        viewer, form = await self._operator(request)
        place = request.path_params["place"]
        return await self._change(
            f"queues/{place}", viewer, lambda: decide(self._home, place, form, viewer.person.name)
        )

    async def order(self, request: Request) -> Response:
        """Take an operator's order about a system."""
        viewer, form = await self._operator(request)
        system, who = request.path_params["system"], viewer.person.name
        declared = await self._read(self._reader.declared)
        if all(one.name != system for one in declared.systems):
            raise HTTPException(404, f"there is no system {system!r}")
        place = (declared.name, system)
        return await self._change(f"systems/{system}", viewer, lambda: order(self._home, place, form, who))

    async def _change(self, page: str, viewer: Viewer, doing: Callable[[], str]) -> Response:
        """Do what was asked for and show its page again, with what became of it."""
        try:
            told = await run_in_threadpool(doing)
        except NotTaken as error:
            return await self._page(page, replace(viewer, notice=str(error), refused=True), {}, 409)
        self._requests.count("changes", 200)
        return await self._page(page, replace(viewer, notice=told), {})

    async def _operator(self, request: Request) -> tuple[Viewer, dict[str, str]]:
        """Return who changes something, with the form that they sent.

        Raises:
            HTTPException: 401, there is no session; 403, it may only read, or the form is not of it.
        """
        cookie = request.cookies.get(COOKIE, "")
        person = self._access.known(cookie, self._clock())
        if person is None:
            raise _unknown()
        if not person.operates:
            raise HTTPException(
                403, "this session may only read; `mlstrata catalog ENV --link --operator` gives another"
            )
        given = parse_qs((await http.body(request)).decode(errors="replace"), max_num_fields=20)
        form = {name: values[0] for name, values in given.items()}
        if not self._access.is_form_token(cookie, form.get("form", "")):
            raise HTTPException(403, "this form is not of this session; load the page again")
        return Viewer(person, self._access.form_token(cookie)), form

    async def _page(self, what: str, viewer: Viewer, query: dict[str, str], status: int = 200) -> Response:
        found = await self._read(
            lambda: self._pages.page(Asked(self._reader.catalog(), self._reader.declared(), what, query, viewer))
        )
        if found is None:
            return self._html(self._pages.missing(what), 404)
        return self._html(found, status)

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

    def _viewer(self, request: Request) -> Viewer | None:
        """Return who asks for a page; None: somebody who may not read."""
        cookie, follows = request.cookies.get(COOKIE, ""), "follow" in request.query_params
        if person := self._access.known(cookie, self._clock()):
            return Viewer(person, self._access.form_token(cookie), follows)
        return Viewer(follows=follows) if self._access.bearer(request.headers.get("authorization", "")) else None

    def _authorise(self, request: Request) -> None:
        if self._viewer(request) is None:
            raise _unknown()

    def _begin(self, person: Person, page: str = "/") -> Response:
        answer = RedirectResponse(page, 303, HEADERS)
        session = self._access.session(self._clock(), person)
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


def _one_line(text: str) -> str:
    """Return a name as it may be recorded."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:LONGEST_NAME]


def _unknown() -> HTTPException:
    return HTTPException(401, "a bearer token, or a session that a login link began, is needed", _BEARER)


_BEARER = {"WWW-Authenticate": "Bearer"}
