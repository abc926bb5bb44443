"""The learning process's HTTP interface. `/healthz` and `/metrics` are open on loopback; all else asks for the token.

A cause is on the disk before 202 is answered, and nothing else is done meanwhile: Alertmanager ends a notification
that takes longer than its group_interval, and sends it again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from pydantic import Field, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mlstrata.closed import Closed
from mlstrata.environments.spec.retrain import RetrainSpec
from mlstrata.services import http
from mlstrata.services.retraining import inbox, policy
from mlstrata.services.retraining.journal import Journal
from mlstrata.services.retraining.metrics import exposition
from mlstrata.services.retraining.orders import CarryOut, Ordered, OrderRefused
from mlstrata.services.retraining.trigger import BY_HAND, Trigger
from mlstrata.services.rounds import Rounds

MOST = 500
"""Most decisions in one answer."""


class Asked(Closed):
    """Body of `POST /systems/{system}/retrain`."""

    id: str = Field(pattern=r"^[0-9a-f]{12,64}$", description="Of this wish; sent again, it is the same one.")
    who: str = Field(min_length=1, max_length=100, description="Who asks.")
    reason: str = Field(min_length=1, max_length=300, description="Why.")


def build(
    journal: Journal,
    token: str,
    *,
    envelopes: Callable[[], dict[str, RetrainSpec]],
    clock: Callable[[], float],
    rounds: Rounds,
    orders: CarryOut | None = None,
) -> Starlette:
    """Build the application.

    Args:
        journal: Where causes are kept.
        token: The bearer token that callers must send.
        envelopes: Gives the systems that may learn, and what bounds each.
        clock: Seconds since 1970.
        rounds: What is woken after a cause was kept; its last time is among the metrics.
        orders: Carries out what a person orders about a system; None: nothing is.
    """
    api = Api(journal, token, envelopes, clock, rounds=rounds, orders=orders)
    routes = [
        Route("/healthz", api.health),
        Route("/metrics", api.metrics),
        Route("/alerts", api.alerts, methods=["POST"]),
        Route("/systems/{system}", api.show),
        Route("/systems/{system}/orders", api.order, methods=["POST"]),
        Route("/systems/{system}/retrain", api.retrain, methods=["POST"]),
        Route("/systems/{system}/retrain/{id}", api.wish),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: http.refusal})


class Api:
    """The handlers."""

    def __init__(
        self,
        journal: Journal,
        token: str,
        envelopes: Callable[[], dict[str, RetrainSpec]],
        clock: Callable[[], float],
        *,
        rounds: Rounds,
        orders: CarryOut | None,
    ) -> None:
        self._journal, self._token, self._envelopes = journal, token, envelopes
        self._clock, self._rounds, self._orders = clock, rounds, orders

    async def health(self, _: Request) -> Response:
        """Say that it answers and its journal does."""
        await run_in_threadpool(self._journal.systems)
        return JSONResponse({"status": "ok"})

    async def metrics(self, _: Request) -> Response:
        """Give the metrics."""
        text = await run_in_threadpool(exposition, self._journal, self._envelopes)
        text += self._rounds.exposition().encode()
        return Response(text, media_type="text/plain; version=0.0.4")

    async def alerts(self, request: Request) -> Response:
        """Take a notification of Alertmanager: 202 with how many causes were new, once they are kept."""
        self._authorise(request)
        try:
            found = inbox.triggers(await http.body(request))
        except inbox.NoNotification as error:
            raise HTTPException(400, str(error)) from error
        return await self._accepted(found)

    async def retrain(self, request: Request) -> Response:
        """Take a person's wish: 202, once it is kept."""
        self._authorise(request)
        system = self._known(request)
        try:
            asked = Asked.model_validate_json(await http.body(request))
        except ValidationError as error:
            raise http.invalid(error) from error
        return await self._accepted([Trigger(f"{system}|{asked.id}", system, BY_HAND, asked.who, asked.reason)])

    async def wish(self, request: Request) -> Response:
        """Say which training a person's wish started: `training` is empty where it waits."""
        self._authorise(request)
        key = f"{self._known(request)}|{request.path_params['id']}"
        started = await run_in_threadpool(self._journal.answer_to, key)
        if started is None:
            raise HTTPException(404, f"nobody asked for {request.path_params['id']!r}")
        return JSONResponse({"training": started})

    async def order(self, request: Request) -> Response:
        """Carry out a person's order about a system: 200 with what holds now; 409 where it cannot be."""
        self._authorise(request)
        try:
            ordered = Ordered.model_validate_json(await http.body(request))
        except ValidationError as error:
            raise http.invalid(error) from error
        if self._orders is None:
            raise HTTPException(404, "no orders are carried out here")
        try:
            told = await run_in_threadpool(self._orders, str(request.path_params["system"]), ordered)
        except OrderRefused as error:
            raise HTTPException(409, str(error)) from error
        self._rounds.wake()
        return JSONResponse({"told": told})

    async def show(self, request: Request) -> Response:
        """Say where a system's learning is, with its newest trainings and decisions, newest first."""
        self._authorise(request)
        system, limit = self._known(request), http.page_size(request, 50, MOST)
        return JSONResponse(await run_in_threadpool(self._state, system, limit))

    def _state(self, system: str, limit: int) -> dict[str, object]:
        past = self._journal.trainings(system)
        return {
            "system": system,
            "stopped": policy.has_stopped(self._envelopes()[system], past),
            "waiting": [{**asdict(one), "received": at} for one, at in self._journal.waiting(system)],
            "trainings": [
                {name: value for name, value in asdict(one).items() if name != "request"}
                for one in reversed(past[-limit:])
            ],
            "decisions": [asdict(one) for one in self._journal.decisions(system, limit)],
        }

    async def _accepted(self, found: list[Trigger]) -> Response:
        new = await run_in_threadpool(self._journal.accept, found, self._clock())
        if new:
            self._rounds.wake()
        return JSONResponse({"causes": len(found), "new": new}, 202)

    def _known(self, request: Request) -> str:
        system = str(request.path_params["system"])
        known = self._envelopes()
        if system not in known:
            raise HTTPException(404, f"there is no system {system!r} that learns; known: {', '.join(sorted(known))}")
        return system

    def _authorise(self, request: Request) -> None:
        http.authorise(request, self._token)
