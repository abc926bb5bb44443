"""Models: kept in a format that runs no code when it is loaded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from mlstrata.policies.core.graph import Resource, System
from mlstrata.policies.core.rule import (
    Context,
    Domain,
    Level,
    Rule,
    Severity,
    Verdicts,
    cannot_tell,
    fails,
    not_applicable,
    passes,
    spares,
    violates,
)
from mlstrata.policies.core.values import UNKNOWN, Value, dig
from mlstrata.policies.fixtures.compliant_world import HIGH_RISK, LIMITED
from mlstrata.policies.fixtures.world import facts, having, put, without
from mlstrata.policies.views.kubernetes import KSERVE, SELDON, units
from mlstrata.policies.views.serving import serving

PICKLES = re.compile(r"\.(pkl|pickle|joblib|sav|pt|pth|ckpt|dill)([?#].*)?$", re.IGNORECASE)
PICKLING_SERVERS = ("SKLEARN_SERVER", "sklearn")


def _safe(system: System, context: Context) -> Verdicts:
    if not context.environment.production:
        yield not_applicable("it is asked of production")
        return
    places = [str(system.get("model.source", ""))]
    for resource in serving(system):
        for unit in _models(resource):
            places += [str(dig(unit, key, "")) for key in ("modelUri", "storageUri", "storage.path")]
            served = (dig(unit, "implementation"), dig(unit, "modelFormat.name"))
            if any(one in PICKLING_SERVERS for one in served):
                yield fails("its server unpickles the model, which runs any code in it", "serve it by MLflow")
    for place in places:
        if PICKLES.search(place):
            yield fails(f"the model {place} is a pickle, which runs any code in it", "keep it as skops or ONNX")


def _models(resource: Resource) -> Iterator[Value]:
    """Yield what says which model a resource serves."""
    if resource.type.startswith(SELDON):
        for predictor in resource.all("spec.predictors"):
            yield from units(dig(predictor, "graph"))
    elif resource.type.startswith(KSERVE):
        predictor = resource.get("spec.predictor", {})
        yield from (inner for key, inner in predictor.items() if key in ("model", "sklearn") and inner)
        if "sklearn" in predictor:
            yield {"implementation": "sklearn"}


_GRAPH = "spec.predictors.0.graph"
_PICKLED: dict[str, dict[str, Any]] = {
    "by its format": {"model": {"modelFormat": {"name": "sklearn"}}},
    "by its older key": {"sklearn": {"storageUri": "s3://m/1"}},
    "by its place": {"model": {"modelFormat": {"name": "x"}, "storageUri": "s3://m/1.joblib"}},
    "by its path": {"model": {"modelFormat": {"name": "x"}, "storage": {"path": "m/1.joblib"}}},
}


def _kserve(predictor: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"labels": {"mlstrata.io/system": LIMITED}}, "spec": {"predictor": predictor}}


RULES = (
    Rule(
        number=47,
        id="sec-model-format-safe",
        title="Models in production are kept in a format that runs no code.",
        holds="its models run no code when they are loaded",
        domain=Domain.SECURITY,
        references=("AI Act Art. 15(5)", "NIST AI RMF MEASURE 2.7"),
        level=Level.ADVISORY,
        severity=Severity.MEDIUM,
        system=_safe,
        cases=(
            violates("a pickle", put(LIMITED, "model.source", "s3://models/tickets.pkl")),
            *(
                violates(f"a file {ending}", put(LIMITED, "model.source", f"s3://models/tickets{ending}"))
                for ending in (".pickle", ".pt", ".dill", ".pth", ".ckpt", ".sav", ".pkl?versionId=3", ".pkl#1")
            ),
            violates("a joblib file that is served", put("mortgage", f"{_GRAPH}.modelUri", "s3://m/Model.JOBLIB")),
            violates("a server that unpickles", put("mortgage", f"{_GRAPH}.implementation", "SKLEARN_SERVER")),
            *(
                violates(
                    f"KServe unpickles {name}",
                    having(KSERVE + "v1beta1:InferenceService", "kserve", _kserve(model)),
                    companions=("*",),
                )
                for name, model in _PICKLED.items()
            ),
            passes("MLflow"),
            passes(
                "KServe's ONNX",
                having(
                    KSERVE + "v1beta1:InferenceService", "kserve", _kserve({"model": {"modelFormat": {"name": "onnx"}}})
                ),
                companions=("*",),
            ),
            spares("no production", facts(name="dev"), companions=("*",)),
            spares("no system", without(HIGH_RISK, LIMITED), companions=("*",)),
            cannot_tell("known later", put("mortgage", f"{_GRAPH}.modelUri", UNKNOWN)),
        ),
    ),
)
