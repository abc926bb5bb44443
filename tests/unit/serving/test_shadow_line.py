"""Copies for a shadow hold up nobody: they have a thread and a line of their own."""

import asyncio
import threading
from types import SimpleNamespace

from mlserver import ModelSettings
from mlserver.settings import ModelParameters

from mlstrata.services.serving.problem import OverloadProblem
from mlstrata.services.serving.runtime import SystemRuntime
from mlstrata.services.serving.settings import SHADOW_HEADER, ServingSettings
from tests.support.patience import PATIENCE


def asked(**headers):
    async def stays():
        return False

    return SimpleNamespace(
        headers={name.replace("_", "-"): value for name, value in headers.items()}, is_disconnected=stays
    )


def test_an_answer_is_given_while_every_copy_hangs(tmp_path):
    settings = ServingSettings(system="shadow-line", directory=tmp_path, http_port=1, grpc_port=2, metrics_port=3)
    extra = settings.model_dump(mode="json")
    runtime = SystemRuntime(
        ModelSettings(name="shadow-line", implementation=SystemRuntime, parameters=ModelParameters(extra=extra))
    )
    free = threading.Event()

    async def answers():
        copies = [
            asyncio.create_task(runtime._in_turn(lambda: free.wait(PATIENCE), None, asked(**{SHADOW_HEADER: "1"})))
            for _ in range(40)
        ]
        await asyncio.sleep(0)
        try:
            return await asyncio.wait_for(runtime._in_turn(lambda: "answered", None, asked()), PATIENCE)
        finally:
            free.set()
            ended = await asyncio.gather(*copies, return_exceptions=True)
            assert any(isinstance(one, OverloadProblem) for one in ended), "beyond its line a copy is refused"
            assert True in ended

    assert asyncio.run(answers()) == "answered"
