"""The rules of the training pipeline's steps, as far as a file can be judged by them: their names and what they take.

A test holds this table to what the steps themselves read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlstrata.environments.redaction import shown
from mlstrata.environments.spec.base import Problem, suggestion
from mlstrata.environments.spec.kpis import EvaluationMetric
from mlstrata.environments.spec.monitor import FairnessMetric

WHOLE, NUMBER, FLAG, NAMES, MAPPING = "a whole number", "a number", "true or false", "a list of values", "a mapping"
_KINDS = (WHOLE, NUMBER, FLAG, NAMES, MAPPING)
_MEASURED = ", ".join(EvaluationMetric)

RULES: Mapping[str, Mapping[str, str]] = {
    "privacy": {"allow": NAMES, "free_text_words": NUMBER, "distinct": NUMBER, "enforce": FLAG},
    "quality": {
        "min_rows": WHOLE,
        "min_class_rows": WHOLE,
        "min_class_share": NUMBER,
        "max_nulls": NUMBER,
        "max_duplicates": NUMBER,
        "columns": MAPPING,
    },
    "leakage": {
        "max_auc": NUMBER,
        "jump_auc": NUMBER,
        "max_jump": NUMBER,
        "max_overlap": NUMBER,
        "max_rows": WHOLE,
        "max_features": WHOLE,
        "allow": NAMES,
    },
    "signal": {"margin": NUMBER, "permutations": WHOLE, "max_rows": WHOLE},
    "fairness": {"metric": ", ".join(FairnessMetric), "at_most": NUMBER},
    "plausibility": {
        "monotonic": MAPPING,
        "tolerance": NUMBER,
        "nudge": NUMBER,
        "max_shift": NUMBER,
        "max_rows": WHOLE,
    },
    "search": {
        "trials": WHOLE,
        "seconds": NUMBER,
        "folds": WHOLE,
        "processes": WHOLE,
        "metric": _MEASURED,
        "space": MAPPING,
    },
    "mitigation": {"method": "none, reweigh"},
    "comparison": {"metric": _MEASURED, "enforce": FLAG},
}
"""Step to its rules, each with what it takes: one of the five above, or the texts that are allowed."""


def rules_schema(step: str) -> dict[str, Any]:
    """Return the JSON schema of a step's rules."""
    kinds: dict[str, dict[str, Any]] = {
        WHOLE: {"type": "integer"},
        NUMBER: {"type": "number"},
        FLAG: {"type": "boolean"},
        NAMES: {"type": "array", "items": {"type": ["string", "number", "boolean", "null"]}},
        MAPPING: {"type": "object"},
    }
    known = {rule: kinds.get(takes) or {"enum": takes.split(", ")} for rule, takes in RULES[step].items()}
    return {"type": "object", "properties": known, "additionalProperties": False}


def check_rules(step: str, rules: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what a step would refuse of its rules."""
    known = RULES[step]
    for rule, value in rules.items():
        at = ("settings", step, rule)
        if rule not in known:
            fix = suggestion(rule, tuple(known)) or "remove it"
            yield Problem(at, f"unknown key {shown(rule)}; allowed {', '.join(known)}", fix)
        elif not _fits(value, known[rule]):
            fix = f"write {known[rule]}" if known[rule] in _KINDS else "write one of them"
            yield Problem(at, f"got {shown(value, *at)}; allowed {known[rule]}", fix)


def _fits(value: object, allowed: str) -> bool:
    # To YAML as to JSON, true is no number.
    whole = isinstance(value, int) and not isinstance(value, bool)
    fits = {
        WHOLE: whole,
        NUMBER: whole or isinstance(value, float),
        FLAG: isinstance(value, bool),
        NAMES: isinstance(value, list) and not any(isinstance(one, dict | list) for one in value),
        MAPPING: isinstance(value, dict),
    }
    return fits[allowed] if allowed in fits else value in allowed.split(", ")
