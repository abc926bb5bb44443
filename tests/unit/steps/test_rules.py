"""A rule of the wrong name or type is one sentence: where, what, and what is allowed, whichever step reads it."""

import pytest

from mlstrata_steps import StepError
from mlstrata_steps.compare import ComparisonRules
from mlstrata_steps.fairness import FairnessRules
from mlstrata_steps.leakage import LeakageRules
from mlstrata_steps.mitigation import MitigationRules
from mlstrata_steps.plausibility import PlausibilityRules
from mlstrata_steps.privacy import PrivacyRules
from mlstrata_steps.quality import ColumnRule, QualityRules
from mlstrata_steps.search import SearchRules
from mlstrata_steps.signal import SignalRules

KINDS = {
    "privacy": PrivacyRules,
    "quality": QualityRules,
    "leakage": LeakageRules,
    "signal": SignalRules,
    "fairness": FairnessRules,
    "plausibility": PlausibilityRules,
    "search": SearchRules,
    "mitigation": MitigationRules,
    "comparison": ComparisonRules,
}


@pytest.mark.parametrize("name", KINDS)
def test_what_is_left_out_has_its_default_and_what_is_unknown_is_refused(name):
    assert KINDS[name].parse({}) == KINDS[name]()
    with pytest.raises(StepError, match=rf"^{name}: unknown rule 'speed'; allowed \w+"):
        KINDS[name].parse({"speed": 1})


@pytest.mark.parametrize(
    ("name", "rule", "value", "allowed"),
    [
        ("quality", "min_rows", "many", "a whole number"),
        ("quality", "min_rows", 2.5, "a whole number"),
        ("quality", "min_rows", True, "a whole number"),
        ("quality", "max_nulls", "0.2", "a number"),
        ("quality", "columns", ["x"], "a mapping"),
        ("privacy", "enforce", "no", "true or false"),
        ("privacy", "allow", "phone", "a list of values"),
        ("privacy", "allow", [["phone"]], "a list of values"),
        ("leakage", "max_auc", None, "a number"),
        ("signal", "permutations", "19", "a whole number, or nothing"),
        ("fairness", "at_most", "low", "a number, or nothing"),
        ("fairness", "metric", 3, "a text"),
        ("plausibility", "monotonic", "up", "a mapping"),
        ("search", "trials", "12", "a whole number"),
        ("search", "space", [1, 2], "a mapping"),
        ("comparison", "enforce", 1, "true or false"),
    ],
)
def test_a_value_of_another_type_is_refused(name, rule, value, allowed):
    with pytest.raises(StepError) as refused:
        KINDS[name].parse({rule: value})
    assert str(refused.value) == f"{name}.{rule}: got {value!r}; allowed {allowed}"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"at_least": "0"}, "quality.columns.x.at_least: got '0'; allowed a number, or nothing"),
        (3, "quality.columns.x: got 3; allowed a mapping of rules"),
    ],
)
def test_a_column_s_rule_is_read_as_strictly(rule, said):
    with pytest.raises(StepError) as refused:
        QualityRules.parse({"columns": {"x": rule}})
    assert str(refused.value) == said


def test_values_that_fit_are_taken_and_names_become_texts():
    rules = QualityRules.parse({"min_rows": 7, "max_nulls": 0, "columns": {"x": {"allowed": [1, "b"], "nulls": None}}})
    assert rules == QualityRules(min_rows=7, max_nulls=0, columns={"x": ColumnRule(allowed=("1", "b"))})
    assert LeakageRules.parse({"allow": [2019, "score"]}).allow == ("2019", "score")
    assert SignalRules.parse({"permutations": None}).permutations is None
