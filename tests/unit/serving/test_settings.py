"""The settings of a prediction process and the files MLServer reads."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from mlstrata.services.serving.settings import (
    MODEL_FILE,
    RUNTIME,
    SETTINGS_FILE,
    ServingSettings,
    command,
    render_files,
)

GIVEN = {"system": "loans", "directory": Path("/data/loans"), "http_port": 1, "grpc_port": 2, "metrics_port": 3}


def test_the_files_bind_to_loopback_in_one_process():
    files = render_files(ServingSettings(**GIVEN))
    server = json.loads(files[SETTINGS_FILE])
    assert (server["host"], server["parallel_workers"]) == ("127.0.0.1", 0)
    assert (server["http_port"], server["grpc_port"], server["metrics_port"]) == (1, 2, 3)


def test_the_runtime_gets_the_settings_back_as_they_were():
    settings = ServingSettings(**GIVEN, sla_p99_s=0.15, output_range=(0.01, 0.99))
    model = json.loads(render_files(settings)[MODEL_FILE])
    assert (model["name"], model["implementation"]) == ("loans", RUNTIME)
    assert ServingSettings.model_validate(model["parameters"]["extra"]) == settings


def test_the_command_is_of_the_given_environment():
    assert command(Path("/bin"), Path("/conf")) == ["/bin/python", "-m", "mlstrata.services.serving", "/conf"]


@pytest.mark.parametrize(
    "change",
    [
        {"http_port": 2},
        {"http_port": 0},
        {"system": "No Name"},
        {"system": "../x"},
        {"sla_p99_s": 0},
        {"output_range": (0.5, 0.2)},
        {"unknown": 1},
    ],
)
def test_what_cannot_be_is_refused(change):
    with pytest.raises(ValidationError):
        ServingSettings(**(GIVEN | change))


@pytest.mark.parametrize(
    "module",
    ["mlstrata.services.serving.settings", "mlstrata.services.gateway.render", "mlstrata.services.gateway.tokens"],
)
def test_the_program_imports_it_without_the_heavy_libraries(module):
    heavy = ("mlflow", "mlserver", "pandas", "numpy", "prometheus_client", "httpx", "cryptography", "jwt")
    check = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
