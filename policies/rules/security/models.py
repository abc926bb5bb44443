"""Models: kept in a format that runs no code when it is loaded."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlstrata.policies.core.graph import Resource, System
from mlstrata.policies.core.kinds import KSERVE, SELDON
from mlstrata.policies.core.rule import Context, Domain, Level, Rule, Severity, Verdicts, fails, not_applicable
from mlstrata.policies.core.values import Value, dig
from mlstrata.policies.views.kubernetes import units
from mlstrata.policies.views.serving import serving

PICKLES = re.compile(r"\.(pkl|pickle|joblib|sav|pt|pth|ckpt|dill)([?#].*)?$", re.IGNORECASE)
PICKLING_SERVERS = ("SKLEARN_SERVER", "sklearn")


def _safe(system: System, context: Context) -> Verdicts:
    if not context.environment.in_production:
        yield not_applicable("required in production")
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


RULES = (
    Rule(
        id="sec-model-format-safe",
        title="Models in production are kept in a format that runs no code.",
        holds="its models run no code when they are loaded",
        references=("AI Act Art. 15(5)", "NIST AI RMF MEASURE 2.7"),
        domain=Domain.SECURITY,
        level=Level.ADVISORY,
        severity=Severity.MEDIUM,
        system=_safe,
    ),
)
