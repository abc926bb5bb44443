"""Settings of one system's prediction process, and the files MLServer reads at its start.

Imported by the Pulumi program too, so nothing of MLServer or MLflow is imported here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from mlstrata.closed import Closed
from mlstrata.services.serving.observing import ExplainSettings, FallbackSettings, RecordingSettings

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
Port = Annotated[int, Field(ge=1, le=65535)]
OutputRange = tuple[float, float] | dict[str, tuple[float, float]] | None
"""Lowest and highest plausible prediction, of several outputs by their names."""

HOST = "127.0.0.1"
MOST_AT_ONCE = 64
"""Requests that a process is given at once: bounds what it holds, not how many it can take, which it finds out."""
MODULE = "mlstrata.services.serving"
"""What `python -m` takes: MLServer without the interfaces that nobody here uses."""
BUILDER = "mlstrata.services.own_environment"
"""What `python -m` takes before it: goes on in the environment of a system's own lock, built where it is not there."""
RUNTIME = "mlstrata.services.serving.runtime.SystemRuntime"
SETTINGS_FILE = "settings.json"
MODEL_FILE = "model-settings.json"
READY_PATH = "/v2/health/ready"
"""Answers 200 once the released version is in memory: cheap, for who asks every second."""
LEAVING_HEADER = "x-envoy-immediate-health-check-fail"
"""In an answer: ask other processes from now on. Envoy's own name for it."""
UNTOUCHED_HEADER = "x-mlstrata-untouched"
"""In an answer: the request was refused before anything was done with it, so another process may be asked."""

OVERLOADED_HEADER = "x-mlstrata-overloaded"
"""In an answer: the process is well and has more to do than it can, so asking another one now only adds to it."""
TIMEOUT_HEADER = "x-envoy-expected-rq-timeout-ms"
"""In a request: how long its caller waits, in milliseconds. Envoy's own name for it."""

SHADOW_HEADER = "x-mlstrata-shadow"
"""In a request: a copy of one that another version answers; nobody is given the answer to this one."""


class ServingSettings(Closed):
    """What the prediction process of one system needs to know."""

    system: Name = Field(description="The system served; also the name of the model in MLServer and in the registry.")
    directory: Path = Field(description="Holds releases.json and models/<version>/; written by the rollout only.")
    http_port: Port = Field(description="Loopback port of predictions and of the versions interface.")
    grpc_port: Port = Field(description="Loopback port of the V2 protocol over gRPC, which MLServer always opens.")
    metrics_port: Port = Field(description="Loopback port of the Prometheus metrics.")
    secret_file: Path | None = Field(
        default=None,
        description="Holds what a release proves itself with at the versions interface; none: there is no interface.",
    )
    sla_p99_s: float = Field(
        default=0.25,
        gt=0,
        le=600,
        description="Promised 99th percentile of the latency, in seconds; a bucket of the histogram ends there.",
    )
    output_range: OutputRange = Field(
        default=None,
        description="A prediction outside is implausible and is not given out, of several outputs by their names; "
        "none: what the model's contract says.",
    )
    ranges: dict[str, tuple[float, float]] = Field(
        default_factory=dict,
        description="Input to its lowest and highest plausible value; of the others it is what training saw.",
    )
    recording: RecordingSettings | None = Field(
        default=None, description="How predictions are recorded; none: they are not."
    )
    explain: ExplainSettings | None = Field(
        default=None, description="How predictions are explained; none: they are not."
    )
    fallback: FallbackSettings | None = Field(
        default=None, description="What happens when the model is unsure; none: its answer stands."
    )
    threads: int = Field(default=2, ge=1, le=64, description="Predictions computed at once; more only adds waiting.")
    waiting: int = Field(
        default=MOST_AT_ONCE,
        ge=1,
        le=10_000,
        description="Requests that wait for their turn at most; the next one is refused, with 503.",
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        given = self.output_range
        for ends in given.values() if isinstance(given, dict) else (given,):
            if ends is not None and not ends[0] < ends[1]:
                raise ValueError(f"output_range: got {list(ends)}; the first must be the smaller")
        ports = (self.http_port, self.grpc_port, self.metrics_port)
        if len(set(ports)) != len(ports):
            raise ValueError(f"http_port, grpc_port, metrics_port: got {ports}; three different ports are needed")
        return self


def answers_path(system: str) -> str:
    """Return the path that answers 200 once the released version predicts its own input example."""
    return f"/systems/{system}/answers"


def render_files(settings: ServingSettings) -> dict[str, str]:
    """Return the files of the process's configuration folder: name to content.

    The folder must hold nothing else: MLServer searches it for models, so `settings.directory` lies elsewhere.
    """
    server = {
        "debug": False,
        "host": HOST,
        "http_port": settings.http_port,
        "grpc_port": settings.grpc_port,
        "metrics_port": settings.metrics_port,
        # One process: a version is in memory once, and its metrics need no shared folder.
        "parallel_workers": 0,
        "gzip_enabled": False,
        "use_structured_logging": True,
    }
    model = {
        "name": settings.system,
        "implementation": RUNTIME,
        "parameters": {"extra": settings.model_dump(mode="json")},
    }
    return {SETTINGS_FILE: _text(server), MODEL_FILE: _text(model)}


def command(binaries: Path, folder: Path, lock: Path | None = None, home: Path | None = None) -> list[str]:
    """Return the command that serves `folder` with the environment whose `bin` folder is `binaries`.

    Args:
        binaries: Where this installation's programs are.
        folder: The configuration.
        lock: The system's own requirements, which the process then holds too; None: it has none.
        home: The environment's home, where what they add is built.
    """
    if lock is not None and home is not None:
        built = ["-m", BUILDER, "--lock", str(lock), "--home", str(home), "--"]
        return [str(binaries / "python"), *built, "-m", MODULE, str(folder)]
    return [str(binaries / "python"), "-m", MODULE, str(folder)]


def environment(settings: ServingSettings) -> dict[str, str]:
    """Return the environment variables of the process."""
    return {
        # A request holds a few rows: a thread pool below each prediction only takes the cores from the others.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # MLServer's working folders, should one ever be made, stay beside the data.
        "MLSERVER_ENVIRONMENTS_DIR": str(settings.directory / "environments"),
        "MLSERVER_METRICS_DIR": str(settings.directory / "metrics"),
    }


def _text(document: Mapping[str, object]) -> str:
    return json.dumps(document, indent=2, sort_keys=True) + "\n"
