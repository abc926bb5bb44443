"""One request has one clock, which begins once all of it is there: however slowly it came, and however it ends."""

import asyncio
import time
from types import SimpleNamespace

import pytest
from mlserver import ModelSettings
from mlserver.settings import ModelParameters
from prometheus_client import REGISTRY

from mlstrata.services.serving.problem import ProblemError
from mlstrata.services.serving.runtime import SystemRuntime
from mlstrata.services.serving.settings import ServingSettings

UPLOAD, COMPUTING = 5.0, 0.25


class Recorder:
    """Notes the milliseconds of what it is to record."""

    def __init__(self) -> None:
        self.ms = []

    async def answered(self, asked, _prediction) -> None:
        self.ms.append(asked.ms)

    async def refused(self, asked, _problem) -> None:
        self.ms.append(asked.ms)


@pytest.mark.parametrize("refused", [False, True], ids=["answered", "refused"])
def test_the_time_of_a_request_is_without_its_upload(tmp_path, monkeypatch, refused):
    system = f"one-clock-{str(refused).lower()}"
    settings = ServingSettings(system=system, directory=tmp_path, http_port=1, grpc_port=2, metrics_port=3)
    parameters = ModelParameters(extra=settings.model_dump(mode="json"))
    runtime = SystemRuntime(ModelSettings(name=system, implementation=SystemRuntime, parameters=parameters))
    runtime._recorder = recorder = Recorder()
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def predict(_asked, _read):
        now[0] += COMPUTING
        if refused:
            problem = ProblemError(422, "invalid_request", "no")
            problem.version = "3"
            raise problem
        return SimpleNamespace(model=SimpleNamespace(version="3"))

    monkeypatch.setattr(runtime._predictor, "predict", predict)
    monkeypatch.setattr(runtime._predictor, "written", lambda _: {"model": {"version": "3"}})

    async def stream():
        now[0] += UPLOAD
        yield b"{}"

    async def stays():
        return False

    request = SimpleNamespace(headers={}, stream=stream, is_disconnected=stays)
    answer = asyncio.run(runtime.predict_v1(request, system, "v1"))
    assert answer.status_code == (422 if refused else 200)
    assert recorder.ms == [1000 * COMPUTING]
    labels = {"system": system, "version": "3"}
    assert REGISTRY.get_sample_value("mlstrata_predict_seconds_sum", labels) == COMPUTING
