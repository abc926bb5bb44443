"""How declared things are called in a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mlstrata.environments.assessment.questions import CONDITIONS, POINTS
from mlstrata.evidence.blocks import plain
from mlstrata.evidence.facts import Evidence

METRICS = {
    "auc": "AUC, area under the ROC curve (1 is best)",
    "pr_auc": "PR AUC, average precision (1 is best)",
    "accuracy": "accuracy, share of right labels",
    "balanced_accuracy": "balanced accuracy, mean recall of the classes",
    "precision": "precision, share of positive labels that are right",
    "recall": "recall, share of positives that are found",
    "f1": "F1, harmonic mean of precision and recall",
    "specificity": "specificity, share of the others that are told so",
    "brier": "Brier score, squared error of probabilities (0 is best)",
    "log_loss": "log loss, nats (0 is best)",
    "r2": "R², share of the variance that is explained (1 is best)",
    "mae": "mean absolute error, in the target's unit (0 is best)",
    "rmse": "root mean squared error, in the target's unit (0 is best)",
    "median_absolute_error": "median absolute error, in the target's unit (0 is best)",
    "pinball": "pinball loss of the declared quantile, in the target's unit (0 is best)",
    "mape": "mean absolute percentage error, as a share (0 is best)",
}
_POINTS = {point.value: text for point, text in POINTS.items()}
_CONDITIONS = {condition.value: text for condition, text in CONDITIONS.items()}
_NAMES = {
    "p99": "99th percentile of latency",
    "sla": "service level",
    "availability": "availability (%)",
    "body_bytes": "largest request (bytes)",
    "psi": "population stability index",
    "api_versions": "API versions",
    "cpu": "processors",
    "gpu": "accelerators",
    "annex_iii": "point of Annex III",
    "annex_i": "product under Annex I",
    "kill_switch": "to be stopped at once by the overseer",
    "two_person": "two people to confirm each result",
    "min_sample": "smallest sample",
}

NOT_ANSWERED = "not answered"


def label(key: str) -> str:
    """Return a key of the declaration as a name."""
    return _NAMES.get(key, key.replace("_", " "))


def rows(value: object, prefix: str = "", *, skip: tuple[str, ...] = ()) -> list[tuple[str, object]]:
    """Return a declaration as names and values, one a leaf; what is empty is left out."""
    return list(_rows(value, prefix, skip))


def _rows(value: object, prefix: str, skip: tuple[str, ...]) -> Iterator[tuple[str, object]]:
    for key, inner in value.items() if isinstance(value, Mapping) else ():
        if str(key) in skip or inner is None or inner in ("", (), [], {}):
            continue
        name = f"{prefix}, {label(str(key))}" if prefix else label(str(key)).capitalize()
        if isinstance(inner, Mapping) and len(inner) > 1:
            yield from _rows(inner, name, ())
        else:
            yield name, inner


def risk(evidence: Evidence) -> list[tuple[str, object]]:
    """Return how the system is classified, in words."""
    point, exemption = evidence.get("risk.annex_iii"), evidence.get("risk.exemption")
    found: list[tuple[str, object]] = [("Risk tier", evidence.get("risk.tier"))]
    if point and point != "none":
        found.append(("Point of Annex III", f"{point}: {_POINTS.get(str(point), '')}".rstrip(": ")))
    product = evidence.get("risk.product")
    found.append(("Product under Annex I", plain(product) if product else _flag(evidence, "annex_i")))
    if isinstance(exemption, Mapping):
        condition = exemption.get("condition")
        text = f"{condition}: {_CONDITIONS.get(str(condition), '')}; documented at {plain(exemption.get('memo'))}"
        found.append(("Condition of Article 6(3)", text))
    found.append(("Practice of Article 5", evidence.get("risk.practice") or NOT_ANSWERED))
    found.append(("Role in the sense of the Act", evidence.get("risk.role") or NOT_ANSWERED))
    found.append(("Profiles natural persons", _flag(evidence, "profiling")))
    found.append(("People interact with it", _flag(evidence, "contact")))
    found.append(("Public body, or for one", bool(evidence.get("risk.public_body"))))
    found.append(("For a public service", bool(evidence.get("risk.public_service"))))
    return found


def _flag(evidence: Evidence, answer: str) -> object:
    said = evidence.get(f"risk.{answer}")
    return NOT_ANSWERED if said is None else bool(said)


def ranges(evidence: Evidence) -> list[tuple[str, object]]:
    """Return features, as they are called in the data, with the values that are allowed."""
    declared = evidence.get("monitor.range")
    return [
        (str(name), " to ".join(plain(end) for end in ends) if isinstance(ends, list | tuple) else ends)
        for name, ends in (declared.items() if isinstance(declared, Mapping) else ())
    ]


def kpi(declared: object) -> tuple[str, str, str]:
    """Return metric, limit and where it is measured."""
    if not isinstance(declared, Mapping):
        return plain(declared), "", ""
    bounds = [f"{words} {plain(declared[key])}" for key, words in (("at_least", "at least"), ("at_most", "at most"))
              if declared.get(key) is not None]  # fmt: skip
    return (
        plain(declared.get("metric")),
        ", ".join(bounds),
        plain(declared.get("source") or "the test rows of training"),
    )
