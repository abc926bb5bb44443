# mypy: disable-error-code="misc,untyped-decorator"
"""The MLServer runtime of one system: our predictions interface, the versions interface, and V2.

MLServer reads the annotations of the handlers at run time, so they stay real objects.
"""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from mlserver import MLModel, ModelSettings
from mlserver.errors import MLServerError
from mlserver.handlers import custom_handler
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput

from mlstrata.services.http import is_bearer
from mlstrata.services.serving.metrics import REFUSED, REQUESTS, WAITING, latency
from mlstrata.services.serving.openapi import MODEL, Beside, document
from mlstrata.services.serving.prediction import REQUEST_ID, V2, VERSION, Asked, Prediction, Read
from mlstrata.services.serving.predictor import Predictor
from mlstrata.services.serving.problem import RETRY_AFTER_S, OverloadProblem, ProblemError
from mlstrata.services.serving.queue import OverloadedError, Queue
from mlstrata.services.serving.recorder import Recorder
from mlstrata.services.serving.settings import (
    LEAVING_HEADER,
    OVERLOADED_HEADER,
    SHADOW_HEADER,
    TIMEOUT_HEADER,
    UNTOUCHED_HEADER,
    ServingSettings,
)
from mlstrata.services.serving.v2 import instances_of

Result = TypeVar("Result")

_NO_VERSION = "none"
# Said only of a process that has not the version, before it looks at a request.
_NOT_READY = 503
# A gateway that chooses between processes looks every second; nobody does where there is one process.
_WATCHED_S = 3.0
# It has been told when it has looked again a second later; what it had sent before is answered in another one. A
# gateway that is busy looks late, and one that is gone does not.
_TOLD_S, _ANSWERED_S, _LEAVING_S = 1.0, 1.0, 10.0
# Copies that wait for a shadow; nobody misses one that is refused.
_COPIES = 8
_SENT_S = 3.0
_log = logging.getLogger(__name__)


class SystemRuntime(MLModel):
    """Serves the versions of one system that are released to this process."""

    def __init__(self, settings: ModelSettings) -> None:
        self._started = self._leaving = False
        self._looked_at, self._told_from = float("-inf"), float("inf")
        self._told = asyncio.Event()
        extra = settings.parameters.extra if settings.parameters else None
        self._serving = ServingSettings.model_validate(extra or {})
        self._predictor = Predictor(self._serving)
        # Predictions are computed beside the event loop, which goes on taking requests. None waits for a thread: they
        # wait in the queue, which knows which of them is still wanted.
        self._threads = ThreadPoolExecutor(self._serving.threads, thread_name_prefix="predict")
        # Copies for a shadow have a thread and a line of their own: however slow it is, no caller waits for it.
        self._shadow_thread, self._shadow_queue = ThreadPoolExecutor(1, thread_name_prefix="shadow"), Queue(1, _COPIES)
        self._queue = Queue(self._serving.threads, self._serving.waiting)
        WAITING.labels(self._serving.system).set_function(lambda: len(self._queue))
        self._latency = latency(self._serving.sla_p99_s)
        fallback = self._serving.fallback
        self._told_beside = Beside(self._serving.explain is not None, fallback.to if fallback else "")
        recorded = self._serving.recording
        self._recorder = Recorder(self._serving.system, recorded) if recorded else None
        super().__init__(settings)

    @property
    def ready(self) -> bool:
        """Whether the process does what the releases say, and goes on doing so."""
        self._looked_at = time.monotonic()
        if self._looked_at >= self._told_from:
            self._told.set()
        return self._started and not self._leaving and self._predictor.versions.is_ready()

    @ready.setter
    def ready(self, value: bool) -> None:
        self._started = value

    async def load(self) -> bool:
        """Load the released versions; with none there is nothing to import, and the start is quick."""
        await asyncio.to_thread(self._predictor.versions.load_released)
        if self._recorder is not None:
            await asyncio.to_thread(self._recorder.start)
        # In place of MLServer's own, which is still called by the signal below.
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, lambda: loop.create_task(self._leave()))
        return True

    async def _leave(self) -> None:
        """End; where a gateway looks whether this process is well, only when it has sent its requests elsewhere."""
        if not self._leaving and time.monotonic() - self._looked_at < _WATCHED_S:
            self._leaving, self._told_from = True, time.monotonic() + _TOLD_S
            with suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), _LEAVING_S)
            await asyncio.sleep(_ANSWERED_S)
        if self._recorder is not None:
            # What it does not send now is on disk, and the next process sends it.
            await asyncio.to_thread(self._recorder.stop, _SENT_S)
        os.kill(os.getpid(), signal.SIGINT)

    @custom_handler(rest_path="/systems/{system}/{api}/openapi.json", rest_method="GET")
    async def describe_api(self, request: Request, system: str, api: str) -> Response:
        """Describe the interface of the version that answers, as an OpenAPI 3.1 document."""

        async def describe(*_: object) -> dict[str, Any]:
            self._check_system(system)
            model = await asyncio.to_thread(self._predictor.versions.choose, request.headers.get(VERSION))
            return document(system, api, model.version, model.schema.columns, model.output, beside=self._told_beside)

        return await self._answer(request, describe, identified=False)

    @custom_handler(rest_path="/systems/{system}/{api}/predict", rest_method="POST")
    async def predict_v1(self, request: Request, system: str, api: str) -> Response:
        """Answer `{"instances": [...]}` with a prediction for each; the gateway knows the APIs."""

        async def answer(asked: Asked, body: bytes) -> dict[str, Any]:
            self._check_system(system)
            prediction = await self._predicted(asked, lambda schema: schema.parse(body), request.headers, request)
            return self._predictor.written(prediction)

        return await self._answer(request, answer, api=api)

    @custom_handler(rest_path="/systems/{system}/answers", rest_method="GET")
    async def attempt(self, request: Request, system: str) -> Response:
        """Have the released version predict its input example, as a caller would have it; the gateway has no way here.

        What a caller could not be answered is the status here too. It is for who looks now and then: it costs a
        prediction.
        """

        async def attempt(*_: object) -> dict[str, Any]:
            self._check_system(system)
            return {"system": system, "version": await asyncio.to_thread(self._predictor.attempt)}

        return await self._answer(request, attempt)

    @custom_handler(rest_path="/versions", rest_method="GET")
    async def list_versions(self, request: Request) -> Response:
        """Say which versions are in memory."""

        async def describe(*_: object) -> dict[str, Any]:
            self._check_secret(request)
            return await asyncio.to_thread(self._predictor.versions.describe)

        return await self._answer(request, describe)

    @custom_handler(rest_path="/versions/{version}", rest_method="PUT")
    async def load_version(self, request: Request, version: str) -> Response:
        """Load a version whose files are in place; loaded already is fine."""

        async def load(*_: object) -> dict[str, Any]:
            self._check_secret(request)
            # Not among the threads of the predictions: neither may wait for the other.
            model = await asyncio.to_thread(self._predictor.versions.load, version)
            return {"version": model.version, "loaded_at": model.loaded_at.isoformat()}

        return await self._answer(request, load)

    @custom_handler(rest_path="/versions/{version}", rest_method="DELETE")
    async def unload_version(self, request: Request, version: str) -> Response:
        """Forget a version; not in memory already is fine."""

        async def unload(*_: object) -> dict[str, Any]:
            self._check_secret(request)
            return {"version": version, "unloaded": await asyncio.to_thread(self._predictor.versions.unload, version)}

        return await self._answer(request, unload)

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer the V2 protocol: a column an input, all of one length; the outputs are those of the model's contract.

        Raises:
            MLServerError: with the status and message of the problem.
        """
        headers = (getattr(payload.parameters, "headers", None) or {}) if payload.parameters else {}
        asked, version, status = Asked.of(headers, V2, payload.id or ""), _NO_VERSION, 200
        try:
            prediction = await self._predicted(asked, lambda schema: schema.check(instances_of(payload)), headers)
            version = prediction.model.version
        except ProblemError as problem:
            status, version = problem.status, problem.version or _NO_VERSION
            await self._note(asked, problem)
            parts = [problem.message, *(f"{one['path']}: {one['fix']}" for one in problem.details)]
            raise MLServerError("; ".join(parts), status) from None
        except Exception:
            # MLServer answers 500; that there was such a request is known all the same.
            status = 500
            await self._note(asked, ProblemError(status, "internal", "the prediction failed; the log has the reason"))
            raise
        finally:
            self._count(asked, version, status)
        outputs = [
            ResponseOutput(name=name, shape=shape, datatype=kind, data=data)
            for name, kind, shape, data in prediction.model.output.tensors(prediction.values)
        ]
        return InferenceResponse(model_name=self.name, model_version=version, outputs=outputs)

    async def _predicted(
        self, asked: Asked, read: Read, headers: Mapping[str, str], request: Request | None = None
    ) -> Prediction:
        """Predict what was asked, whichever way it came; what looks at predictions has seen it by then.

        Raises:
            ProblemError: there is none, or it may not be given out.
        """
        waits = headers.get(TIMEOUT_HEADER)
        prediction = await self._in_turn(lambda: self._predictor.predict(asked, read), waits, request)
        if self._recorder is not None:
            await self._recorder.answered(asked, prediction)
        return prediction

    async def _note(self, asked: Asked, problem: ProblemError) -> None:
        """Have it recorded that a request got no prediction."""
        if self._recorder is not None:
            await self._recorder.refused(asked, problem)

    def _check_system(self, system: str) -> None:
        if system != self._serving.system:
            raise ProblemError(404, "unknown_system", f"this process serves {self._serving.system}")

    def _check_secret(self, request: Request) -> None:
        """Refuse who has not the secret that a release reads from the environment's home."""
        if (path := self._serving.secret_file) is None:
            raise ProblemError(404, "unknown_path", "this process takes its version when it starts")
        try:
            secret = path.read_text(encoding="utf-8").strip()
        except OSError as error:
            _log.error("%s: %s", path, error.strerror)
            raise ProblemError(503, "no_secret", "the secret of this interface cannot be read") from None
        if not secret or not is_bearer(request.headers.get("authorization", ""), secret):
            raise ProblemError(401, "unauthenticated", "versions are loaded and unloaded by a release alone")

    async def _answer(
        self,
        request: Request,
        answer: Callable[[Asked, bytes], Awaitable[dict[str, Any]]],
        *,
        api: str = "",
        identified: bool = True,
    ) -> Response:
        """Have a request answered; `api` where it asks for predictions, which are counted and recorded."""
        asked, version, status = Asked.of(request.headers, api), _NO_VERSION, 200
        headers: dict[str, str] = {}
        try:
            body = await _body(request)
            # A request is slow to come where its caller is; the answer's time begins when it is there.
            asked = replace(asked, begun=time.perf_counter())
            content = await answer(asked, body)
            version = content.get("model", content.get(MODEL, {})).get("version", _NO_VERSION)
            if identified:
                content["request_id"] = asked.id
        except ProblemError as problem:
            if api:
                await self._note(asked, problem)
            status, version, content = problem.status, problem.version or _NO_VERSION, problem.body(asked.id)
            if isinstance(problem, OverloadProblem):
                headers = {OVERLOADED_HEADER: "1", "retry-after": str(RETRY_AFTER_S)}
            elif status == _NOT_READY:
                headers = {UNTOUCHED_HEADER: "1"}
        except Exception:  # noqa: BLE001 - the last resort of a server
            # The reason is for our log, the caller gets an id to ask with.
            _log.exception("request %s failed", asked.id)
            status = 500
            failed = ProblemError(status, "internal", "the prediction failed; the log has the reason")
            content = failed.body(asked.id)
            if api:
                await self._note(asked, failed)
        if api:
            self._count(asked, version, status)
        headers |= {REQUEST_ID: asked.id} | ({VERSION: version} if version != _NO_VERSION else {})
        if self._leaving:
            headers[LEAVING_HEADER] = "true"
        return JSONResponse(content, status, headers)

    def _count(self, asked: Asked, version: str, status: int) -> None:
        system = self._serving.system
        REQUESTS.labels(system, version, str(status)).inc()
        if version != _NO_VERSION:
            self._latency.labels(system, version).observe(asked.ms / 1000)

    async def _in_turn(self, work: Callable[[], Result], waits: str | None, request: Request | None = None) -> Result:
        """Return what `work` does, unless nobody waits for it any more or too many do.

        Raises:
            OverloadProblem: it is not done.
        """
        copy = request is not None and SHADOW_HEADER in request.headers
        queue, threads = (self._shadow_queue, self._shadow_thread) if copy else (self._queue, self._threads)
        try:
            async with queue.turn(_until(waits)):
                if request is not None and await request.is_disconnected():
                    raise OverloadedError("gone")  # noqa: TRY301 - it ends as the queue's own refusals do
                return await asyncio.get_running_loop().run_in_executor(threads, work)
        except OverloadedError as error:
            REFUSED.labels(self._serving.system, error.reason).inc()
            raise OverloadProblem from None


def _until(waits: str | None) -> float:
    """Return when a caller who waits so many milliseconds from now goes away; who does not say waits for ever."""
    return time.monotonic() + int(waits) / 1000 if waits and waits.isdecimal() else float("inf")


async def _body(request: Request) -> bytes:
    # Not `request.body()`: MLServer's unpacks gzip of any size there, and the gateway limits what is sent, packed.
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise ProblemError(415, "encoded_body", "compressed bodies are not taken; send plain JSON")
    return b"".join([chunk async for chunk in request.stream()])
