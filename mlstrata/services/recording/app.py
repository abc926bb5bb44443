"""The recorder's HTTP interface. `/healthz` and `/metrics` are open on loopback; everything else asks for the token.

What is answered with 200 is on the disk. 507 says that the disk is full and nothing of the request was kept, 503 that
the store's engine does not answer: whoever sends records keeps them until they are answered with 200, so nothing is
lost.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from typing import Any, TypeVar

from pydantic import Field, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from mlstrata.closed import Closed
from mlstrata.services import http
from mlstrata.services.recording import given
from mlstrata.services.recording.metrics import RecorderMetrics, Seen, exposition
from mlstrata.services.recording.remote import line
from mlstrata.services.recording.settings import Keeping
from mlstrata.services.recording.store import (
    Feedback,
    Known,
    Queue,
    Store,
    StoreAwayError,
    StoreFullError,
    StoreRefusedError,
    Waiting,
)
from mlstrata.services.rounds import Rounds

MOST = 1000
"""Most rows in one answer."""
BATCH_BYTES = 16 * 1024 * 1024
"""Largest batch of records or feedback: some 25,000 records, or one request of 16 MB; a shipper sends less at once."""
_Result = TypeVar("_Result")


class Decision(Closed):
    """What a person decided of a row that waited."""

    id: str = Field(min_length=1, max_length=128, description="The request's id.")
    instance: int = Field(default=0, ge=0, description="The row of the request, from 0.")
    truth: str | int | float | bool = Field(description="What it really was, or what the person decided.")
    reviewer: str = Field(min_length=1, max_length=256, description="The person.")


class Erase(Closed):
    """Whose records are to be erased."""

    system: str = Field(min_length=1, description="The system.")
    subject: str = Field(min_length=1, description="The person's keyed hash.")


def build(
    settings: Keeping,
    store: Store,
    token: str,
    missing: Callable[[], Mapping[str, int]] | None = dict,
    upkeep: Sequence[Rounds] = (),
    *,
    appending: str | None = None,
) -> Starlette:
    """Build the application.

    Args:
        settings: The recorder's settings.
        store: Where records are kept.
        token: The bearer token that callers must send.
        missing: Says by system how many answers are missing; None: nobody can say here.
        upkeep: Rounds whose last time is among the metrics.
        appending: The token of what sends records, which may do nothing else; None: the same one.
    """
    api = Api(settings, store, (token, appending or token), missing, upkeep)
    routes = [
        Route("/alive", api.alive),
        Route("/healthz", api.health),
        Route("/metrics", api.metrics),
        Route("/records", api.record, methods=["POST"]),
        Route("/feedback", api.feedback, methods=["POST"]),
        Route("/predictions/{id}", api.prediction),
        Route("/rows/{system}", api.rows),
        Route("/queue/{queue}/{system}", api.waiting),
        Route("/queue/{queue}/{system}", api.decide, methods=["POST"]),
        Route("/erasures", api.erase, methods=["POST"]),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: http.refusal})


class Api:
    """The handlers."""

    def __init__(
        self,
        settings: Keeping,
        store: Store,
        tokens: tuple[str, str],
        missing: Callable[[], Mapping[str, int]] | None,
        upkeep: Sequence[Rounds],
    ) -> None:
        self._settings, self._store, self._upkeep = settings, store, upkeep
        self._token, self._appending = tokens
        self._seen = Seen()
        self._metrics = RecorderMetrics(store, self._seen, missing)

    async def alive(self, _: Request) -> Response:
        """Say that the recorder answers, whatever becomes of its store: ending it would not bring that back."""
        return JSONResponse({"status": "ok"})

    async def health(self, _: Request) -> Response:
        """Say that the recorder answers and its store does."""
        await self._do(self._store.counts)
        return JSONResponse({"status": "ok"})

    async def metrics(self, _: Request) -> Response:
        """Give the metrics."""
        text = await self._do(lambda: exposition(self._metrics))
        text += "".join(one.exposition() for one in self._upkeep).encode()
        return Response(text, media_type="text/plain; version=0.0.4")

    async def record(self, request: Request) -> Response:
        """Keep records: 200 with how many were new, once all are on the disk."""
        body = await self._body(request, self._appending)
        records = await self._do(lambda: given.records(body))
        new = await self._do(lambda: self._store.add(records))
        self._seen.add("new", new)
        self._seen.add("duplicate", len(records) - new)
        return JSONResponse({"new": new})

    async def feedback(self, request: Request) -> Response:
        """Keep what became known of predictions: 200 with how many rows it changed."""
        body = await self._body(request, self._token)
        told = await self._do(lambda: given.feedback(body, time.time()))
        return JSONResponse({"changed": await self._tell(told)})

    async def prediction(self, request: Request) -> Response:
        """Say what was recorded of a request, and what became known of it."""
        self._authorise(request)
        wanted = request.path_params["id"]
        found = await self._do(lambda: self._store.find(wanted))
        if not found:
            raise HTTPException(404, f"nothing is recorded under {wanted!r}")
        known = await self._do(lambda: self._store.known(wanted))
        return JSONResponse(
            {"records": [one.model_dump(mode="json") for one in found], "feedback": [*_feedback(known)]}
        )

    async def rows(self, request: Request) -> Response:
        """Give the newest rows of a system in a time, oldest first, a JSON line each, without protected attributes."""
        self._authorise(request)
        system, asked = request.path_params["system"], request.query_params
        if system not in self._settings.systems:
            raise HTTPException(404, f"system {system!r} is not recorded; known: {self._known()}")
        try:
            since, until = float(asked["since"]), float(asked["until"])
            limit = int(asked["limit"]) if "limit" in asked else None
        except (KeyError, ValueError):
            raise HTTPException(422, "since, until: two times in seconds since 1970; limit: a number of rows") from None
        # Begun here: what the store refuses is said before the first line.
        found = self._store.window(system, since=since, until=until, limit=limit)
        first = await self._do(lambda: next(found, None))
        lines = map(line, chain(() if first is None else (first,), found))
        return StreamingResponse(lines, media_type="application/x-ndjson")

    async def waiting(self, request: Request) -> Response:
        """List the rows of a system that wait for a person, the oldest first, with what was answered."""
        queue, system = self._queue(request)
        limit = http.page_size(request, 50, MOST)
        rows = await self._do(lambda: self._store.waiting(queue, system, limit))
        length = (await self._do(self._store.lengths)).get((queue, system), 0)
        return JSONResponse({"waiting": length, "rows": await self._do(lambda: [*self._shown(system, rows)])})

    async def decide(self, request: Request) -> Response:
        """Take a person's decision of a row, whether it waits still or not."""
        queue, system = self._queue(request)
        try:
            decided = Decision.model_validate_json(await http.body(request))
        except ValidationError as error:
            raise http.invalid(error) from error
        records = [one for one in await self._do(lambda: self._store.find(decided.id)) if one.system == system]
        if not any(decided.instance < len(one.instances) for one in records):
            raise HTTPException(404, f"{system}: no row {decided.instance} is recorded under {decided.id!r}")
        told = Feedback(
            id=decided.id,
            at=time.time(),
            instance=decided.instance,
            truth=given.written(decided.truth),
            reviewer=decided.reviewer,
            sampled=await self._do(lambda: self._sampled(queue, decided)),
        )
        return JSONResponse({"changed": await self._tell([told])})

    async def erase(self, request: Request) -> Response:
        """Erase what is recorded of a person, as far as the law lets it go."""
        self._authorise(request)
        try:
            wanted = Erase.model_validate_json(await http.body(request))
        except ValidationError as error:
            raise http.invalid(error) from error
        system = self._settings.systems.get(wanted.system)
        if system is None:
            raise HTTPException(404, f"system {wanted.system!r} is not recorded; known: {self._known()}")
        done = await self._do(
            lambda: self._store.erase(system=wanted.system, subject=wanted.subject, asked=time.time(), hold=system.hold)
        )
        return JSONResponse(asdict(done))

    async def _tell(self, told: list[Feedback]) -> int:
        changed = await self._do(lambda: self._store.tell(told))
        self._seen.add("feedback", changed)
        return changed

    async def _body(self, request: Request, token: str) -> bytes:
        http.authorise(request, token)
        return await http.body(request, BATCH_BYTES)

    def _queue(self, request: Request) -> tuple[Queue, str]:
        self._authorise(request)
        name, system = request.path_params["queue"], request.path_params["system"]
        if name not in set(Queue):
            raise HTTPException(404, f"there is no queue {name!r}; allowed {', '.join(Queue)}")
        if system not in self._settings.systems:
            raise HTTPException(404, f"system {system!r} is not recorded; known: {self._known()}")
        return Queue(name), system

    def _sampled(self, queue: Queue, decided: Decision) -> float:
        """Return the probability with which a row was chosen, also where it was decided before."""
        told = [one.feedback for one in self._store.known(decided.id) if one.instance == decided.instance]
        before = [one.sampled for one in told if one and one.truth is not None]
        return before[0] if before else self._store.sampled(queue, decided.id, decided.instance)

    def _shown(self, system: str, rows: Sequence[Waiting]) -> Iterator[dict[str, Any]]:
        found = self._store.given(system, [(row.id, row.instance) for row in rows])
        for row in rows:
            # It may have been erased since it was listed.
            if (one := found.get((row.id, row.instance))) is not None:
                shown = one.record.instances[row.instance].model_dump(mode="json")
                yield {**asdict(row), "version": one.record.version, **shown}

    def _known(self) -> str:
        return ", ".join(self._settings.systems) or "none"

    async def _do(self, work: Callable[[], _Result]) -> _Result:
        """Do what takes the disk beside the event loop.

        Raises:
            HTTPException: 422, a line cannot be used; 503, the store does not answer; 507, the disk is full.
        """
        try:
            return await run_in_threadpool(work)
        except (given.GivenError, StoreRefusedError) as error:
            raise HTTPException(422, str(error)) from error
        except StoreFullError as error:
            self._seen.add("refused_full")
            raise HTTPException(507, str(error)) from error
        except StoreAwayError as error:
            self._seen.add("refused_away")
            raise HTTPException(503, str(error)) from error

    def _authorise(self, request: Request) -> None:
        http.authorise(request, self._token)


def _feedback(known: list[Known]) -> list[dict[str, Any]]:
    """Return what became known, once a row: a champion and its shadow share it. Without protected attributes."""
    rows = {one.instance: one.feedback for one in known if one.feedback is not None}
    return [{name: value for name, value in asdict(one).items() if name != "groups"} for one in rows.values()]
