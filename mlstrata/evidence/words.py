"""How declared things are called in a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mlstrata.environments.assessment.questions import CONDITIONS, POINTS
from mlstrata.evidence.blocks import plain
from mlstrata.evidence.facts import Evidence
from mlstrata.evidence.language import first_upper, say

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


def named(key: str) -> str:
    """Return a key of the declaration as an English name, as a catalogue of another language has it."""
    return _NAMES.get(key, key.replace("_", " "))


def label(key: str) -> str:
    """Return a key of the declaration as a name in the language that is spoken."""
    return say(named(key))


def rows(value: object, prefix: str = "", *, skip: tuple[str, ...] = ()) -> list[tuple[str, object]]:
    """Return a declaration as names and values, one a leaf; what is empty is left out."""
    return list(_rows(value, prefix, skip))


def _rows(value: object, prefix: str, skip: tuple[str, ...]) -> Iterator[tuple[str, object]]:
    for key, inner in value.items() if isinstance(value, Mapping) else ():
        if str(key) in skip or inner is None or inner in ("", (), [], {}):
            continue
        name = f"{prefix}, {label(str(key))}" if prefix else first_upper(label(str(key)))
        if isinstance(inner, Mapping) and len(inner) > 1:
            yield from _rows(inner, name, ())
        else:
            yield name, inner


def risk(evidence: Evidence) -> list[tuple[str, object]]:
    """Return how the system is classified, in words."""
    point, exemption = evidence.get("risk.annex_iii"), evidence.get("risk.exemption")
    found: list[tuple[str, object]] = [(say("Risk tier"), tier(evidence))]
    if point and point != "none":
        found.append((say("Point of Annex III"), f"{point}: {say(_POINTS.get(str(point), ''))}".rstrip(": ")))
    product = evidence.get("risk.product")
    found.append((say("Product under Annex I"), plain(product) if product else _flag(evidence, "annex_i")))
    if isinstance(exemption, Mapping):
        condition = exemption.get("condition")
        text = say(
            "{condition}: {means}; documented at {memo}",
            condition=condition,
            means=say(_CONDITIONS.get(str(condition), "")),
            memo=plain(exemption.get("memo")),
        )
        found.append((say("Condition of Article 6(3)"), text))
    found.append((say("Practice of Article 5"), _told(evidence.get("risk.practice"))))
    found.append((say("Role in the sense of the Act"), _told(evidence.get("risk.role"))))
    found.append((say("Profiles natural persons"), _flag(evidence, "profiling")))
    found.append((say("People interact with it"), _flag(evidence, "contact")))
    found.append((say("Public body, or for one"), bool(evidence.get("risk.public_body"))))
    found.append((say("For a public service"), bool(evidence.get("risk.public_service"))))
    return found


def tier(evidence: Evidence) -> object:
    """Return the declared tier of risk."""
    found = evidence.get("risk.tier")
    return say(str(found)) if found else None


def _told(value: object) -> object:
    """Return a choice of the file, or several, in words."""
    if isinstance(value, list | tuple):
        return [say(str(one)) for one in value]
    return say(str(value)) if value else say(NOT_ANSWERED)


def _flag(evidence: Evidence, answer: str) -> object:
    said = evidence.get(f"risk.{answer}")
    return say(NOT_ANSWERED) if said is None else bool(said)


def ranges(evidence: Evidence) -> list[tuple[str, object]]:
    """Return features, as they are called in the data, with the values that are allowed."""
    declared = evidence.get("monitor.range")
    return [
        (
            str(name),
            say("{low} to {high}", low=plain(ends[0]), high=plain(ends[-1]))
            if isinstance(ends, list | tuple)
            else ends,
        )
        for name, ends in (declared.items() if isinstance(declared, Mapping) else ())
    ]


def _bounds() -> tuple[tuple[str, str], ...]:
    return (("at_least", say("at least")), ("at_most", say("at most")))


def kpi(declared: object) -> tuple[str, str, str]:
    """Return metric, limit and where it is measured."""
    if not isinstance(declared, Mapping):
        return plain(declared), "", ""
    bounds = [f"{words} {plain(declared[key])}" for key, words in _bounds()
              if declared.get(key) is not None]  # fmt: skip
    return (
        plain(declared.get("metric")),
        ", ".join(bounds),
        plain(declared.get("source") or say("the test rows of training")),
    )
