"""A gate before registration: the packaged model, served the way it will be, must answer as the trained one does."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata_steps.columns import Columns, feature_frame
from mlstrata_steps.converted.proof import TOLERANCE as CONVERTED
from mlstrata_steps.converted.report import form_of
from mlstrata_steps.estimator import load
from mlstrata_steps.outcome import Check, StepError, report_of
from mlstrata_steps.package import IMAGES, LENGTHS, LOCKED, entries, pinned
from mlstrata_steps.tables import read_table
from mlstrata_steps.tasks import Several, Task, asked_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MLSERVER = "import sys; from mlserver.cli import main; sys.exit(main())"
"""The program `mlserver`: its script need not lie beside the interpreter."""

PORTS = ("http_port", "grpc_port", "metrics_port")
ROWS = 200
"""Test rows whose scores are compared: enough for every category, and one request each way."""
TOLERANCE = 1e-9
PATIENCE = 600
"""Seconds that a living server has to be ready: imports on a busy machine take long; one that ended is seen at once."""
STARTS = 3
"""Times that it is started when another process took its port between the choice and the start."""
OK, REFUSED = 200, 422
_UNLOADED = "cannot be loaded: "
"""What the server's log says before the reason."""


@dataclass(frozen=True)
class Server:
    """How a packaged model is served; wherever a document names a port of `PORTS` or `directory`, ours is put in.

    Attributes:
        files: Name to JSON document of the server's configuration.
        model: Where the package belongs in the served directory.
        data: Name to JSON document of other files there.
        ready: Path that answers 200 when it can predict.
        predict: Path of predictions.
    """

    files: Mapping[str, Any]
    model: str
    data: Mapping[str, Any] = field(default_factory=dict)
    ready: str = "/v2/health/ready"
    predict: str = "/predict"


def check_served(
    package: str,
    test: str,
    model: str,
    columns: Mapping[str, object],
    server: Mapping[str, object],
    *,
    lock: str = "",
) -> dict[str, object]:
    """Serve a package with MLServer in this very environment and ask it.

    Args:
        package: The folder that `package` wrote.
        test: The test rows.
        model: The model that `train` wrote.
        columns: The roles of the columns (`Columns`).
        server: How it is served (`Server`).
        lock: The hashed requirements that this environment was installed from; empty: not compared.

    Returns:
        A gate's report (`outcome.report_of`).

    Raises:
        StepError: MLServer is not installed here, or `server` is malformed.
    """
    import numpy as np

    try:
        wanted = Server(**server)  # type: ignore[arg-type]
    except TypeError as error:
        raise StepError(f"server: {error}; allowed {', '.join(Server.__dataclass_fields__)}") from error
    checks = [_environment(package, lock)]
    pipeline, table = load(model), read_table(test)
    form, said = form_of(package)
    checks.append(said)
    task = asked_of(Columns.parse(columns), table)
    features = feature_frame(table, [str(name) for name in pipeline.feature_names_in_])
    rows = features.iloc[np.linspace(0, len(features) - 1, min(ROWS, len(features)), dtype=int)]
    trained = task.ask(pipeline, rows)
    instances = json.loads(rows.to_json(orient="records", double_precision=15))
    seconds = furthest = None
    began = time.monotonic()
    try:
        with _running(package, wanted) as url:
            seconds = time.monotonic() - began
            checks.append(_smoke(url + wanted.predict, package, task))
            limits = _limits(package)
            checks += _schema(url + wanted.predict, instances[0], _required(package), *limits)
            allowed = TOLERANCE if form is None else max(TOLERANCE, CONVERTED)
            parity, furthest = _parity(url + wanted.predict, instances, trained, task, allowed)
            checks.append(parity)
    except _NotReady as error:
        checks.append(Check("it is served", False, str(error)))
    headline = "not served"
    if seconds is not None:
        shown = "no scores" if furthest is None else f"{len(rows)} scores equal to {furthest:.0e}"
        by = "" if form is None else "by ONNX, "
        headline = f"{by}ready in {seconds:.1f} s, {shown}, {checks[0].detail}"
    return report_of(checks, {"served_ready_seconds": seconds, "served_score_gap": furthest}, headline=headline)


def _environment(package: str, lock: str) -> Check:
    """Is what runs here what the model's lock names, file hash by file hash?"""
    path = Path(package) / LOCKED
    if not path.exists():
        return Check("environment", True, "no lock came with the run", warns=True)
    wanted = entries(path.read_text(encoding="utf-8"))
    installed_from = entries(Path(lock).read_text(encoding="utf-8")) if lock else wanted
    wrong = []
    for name, lines in wanted.items():
        try:
            there = version(name)
        except PackageNotFoundError:
            there = "not installed"
        if there != pinned(lines):
            wrong.append(f"{name} {pinned(lines)} is {there} here")
        elif installed_from.get(name) != lines:
            wrong.append(f"{name} {pinned(lines)} has other hashes in this environment's lock")
    return Check(
        "environment", not wrong, "; ".join(wrong[:3]) if wrong else f"{len(wanted)} locked requirements equal"
    )


def _smoke(url: str, package: str, task: Task | Several) -> Check:
    """Does it answer the model's own example, each with all that its task has?"""
    example = json.loads((Path(package) / "serving_input_example.json").read_text(encoding="utf-8"))["dataframe_split"]
    instances = [dict(zip(example["columns"], row, strict=True)) for row in example["data"]]
    status, answer = _ask(url, instances)
    given = [task.predicted(one) for one in answer.get("predictions", [])] if status == OK else []
    fine = len(given) == len(instances) and all(math.isfinite(value) for one in given for value in one)
    return Check("smoke", fine, f"{len(given)} of {len(instances)} examples answered with {task.answer} ({status})")


def _required(package: str) -> tuple[str, ...]:
    """List the inputs that a request must have: those without a gap in training."""
    from mlflow.models import Model

    signature = Model.load(package).signature
    inputs = signature.inputs.inputs if signature and signature.inputs else ()
    return tuple(str(one.name) for one in inputs if one.required)


def _limits(package: str) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Give the characters that each free text may have, and the bytes that each image may."""
    from mlflow.models import Model

    metadata = Model.load(package).metadata or {}
    return dict(metadata.get(LENGTHS, {})), dict(metadata.get(IMAGES, {}))


def _schema(
    url: str,
    good: Mapping[str, object],
    required: Sequence[str],
    lengths: Mapping[str, int],
    images: Mapping[str, int],
) -> list[Check]:
    """Does it refuse what its signature does not allow?"""
    number = next((key for key, value in good.items() if isinstance(value, int | float)), next(iter(good)))
    broken = {
        "an unknown field": {**good, "mlstrata_unknown_field": 1},
        "a wrong type": {**good, number: {"no": "value"}},
    }
    found = []
    if lengths:
        name = next(iter(lengths))
        broken["a text that is too long"] = {**good, name: "x" * (lengths[name] + 1)}
    if images:
        broken["what is no image"] = {**good, next(iter(images)): "bm8gaW1hZ2U="}
    if required:
        broken["a missing field"] = {key: value for key, value in good.items() if key != required[0]}
    else:
        found.append(Check("schema: a missing field", True, "not tried: every column had gaps, so none is required"))
    for what, instance in broken.items():
        status, _ = _ask(url, [instance])
        found.append(Check(f"schema: {what}", status == REFUSED, f"answered {status}, {REFUSED} expected"))
    return found


def _parity(
    url: str, instances: list[dict[str, object]], trained: NDArray[np.float64], task: Task | Several, allowed: float
) -> tuple[Check, float | None]:
    """Are the scores those of the model that was trained and judged?"""
    import numpy as np

    status, answer = _ask(url, instances)
    given = np.array([task.predicted(one) for one in answer.get("predictions", [])], dtype="float64")
    if status != OK or len(given) != len(trained):
        return Check("score parity", False, f"{len(given)} of {len(instances)} rows answered ({status})"), None
    # JSON carries fifteen digits: of a number in the millions they end sooner than of a probability.
    unit = max(1.0, float(np.abs(trained).max()))
    gap = float(np.abs(given.reshape(trained.shape) - trained).max()) / unit
    return Check("score parity", gap <= allowed, f"scores differ by {gap:.1e} at most, {allowed:g} allowed"), gap


def _ask(url: str, instances: list[dict[str, object]]) -> tuple[int, dict[str, Any]]:
    body = json.dumps({"instances": instances}).encode()
    request = urllib.request.Request(  # noqa: S310 - our own server, on loopback
        url, data=body, headers={"Content-Type": "application/json"}
    )
    try:
        with _opener().open(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, {}
    except (OSError, ValueError):
        return 0, {}


def _opener() -> urllib.request.OpenerDirector:
    # A proxy of the environment must not stand between this process and its own server.
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


class _NotReady(Exception):
    """The server ended, or was not ready in time."""


class _PortTaken(_NotReady):
    """Another process was sooner at one of its ports."""


@contextlib.contextmanager
def _running(package: str, server: Server) -> Iterator[str]:
    """Serve the package on loopback ports until the block ends; gives the address."""
    if find_spec("mlserver") is None:
        raise StepError(f"served: MLServer is not installed beside {sys.executable}; install the package mlserver")
    for left in reversed(range(STARTS)):
        try:
            with _started(package, server) as url:
                yield url
                return
        except _PortTaken:
            if not left:
                raise


@contextlib.contextmanager
def _started(package: str, server: Server) -> Iterator[str]:
    """Start it once, on ports that are free now."""
    with tempfile.TemporaryDirectory() as name:
        config, directory = Path(name) / "config", Path(name) / "data"
        place = directory / server.model
        place.parent.mkdir(parents=True)
        config.mkdir()
        shutil.copytree(package, place)
        ours = {**dict(zip(PORTS, _free_ports(len(PORTS)), strict=True)), "directory": str(directory)}
        for folder, documents in ((config, server.files), (directory, server.data)):
            for file, document in documents.items():
                (folder / file).parent.mkdir(exist_ok=True)
                (folder / file).write_text(json.dumps(_with(document, ours)), encoding="utf-8")
        log = Path(name) / "log"
        threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
        places = {f"MLSERVER_{one}_DIR": str(Path(name) / one.lower()) for one in ("ENVIRONMENTS", "METRICS")}
        with log.open("wb") as written:
            process = subprocess.Popen(
                [sys.executable, "-c", MLSERVER, "start", str(config)], stdout=written, stderr=written, cwd=name,
                env={**os.environ, **threads, **places},
            )  # fmt: skip
        try:
            url = f"http://127.0.0.1:{ours['http_port']}"
            _wait(url + server.ready, process, log)
            yield url
        finally:
            process.kill()  # it has answered everything, and what it keeps is in the folder that goes now
            process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with _opener().open(url, timeout=2):
                return
        except urllib.error.HTTPError:
            if _UNLOADED in log.read_text(encoding="utf-8", errors="replace"):
                break  # it answers, and will never be ready
        except OSError:
            pass
        time.sleep(0.05)
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it said nothing"]
    ended = "was not ready in time" if process.poll() is None else f"ended with code {process.returncode}"
    says = [at for at, line in enumerate(lines) if _UNLOADED in line or "Error" in line]
    # With the lines after it: some errors name the field that they are about only there.
    telling = " ".join(line.strip() for line in lines[says[-1] :][:3]) if says else lines[-1]
    taken = any("address already in use" in line.lower() for line in lines)
    raise (_PortTaken if taken else _NotReady)(f"the server {ended}: {telling[:400]}")


def _with(document: Any, ours: Mapping[str, object]) -> Any:
    if isinstance(document, Mapping):
        return {key: ours[key] if key in ours else _with(value, ours) for key, value in document.items()}
    return [_with(item, ours) for item in document] if isinstance(document, list) else document


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]
