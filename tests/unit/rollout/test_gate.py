"""No version that failed a gate is released; its figures bind where nobody judges them."""

import pytest

from mlstrata.clients.mlflow import Candidate, Check
from mlstrata.environments import SystemSpec
from mlstrata.operations.releases.errors import RolloutError
from mlstrata.operations.releases.gate import require_passed

SYSTEM = {"name": "one", "purpose": "P.", "risk": {"tier": "minimal"}, "model": {"modality": "tabular"}}


def declared(*kpis):
    return SystemSpec.model_validate({**SYSTEM, "kpis": list(kpis)})


def candidate(**metrics):
    return Candidate("3", "", metrics, "run")


PASSED = (Check("auc", True, "0.9"),)


def test_a_gate_that_failed_is_a_refusal_that_names_it():
    failed, warned = Check("spread", False, "1 value"), Check("later", False, "unknown", warns=True)
    with pytest.raises(RolloutError, match=r"version 3 may not be released: it did not pass 'spread' \(1 value\);"):
        require_passed(candidate(), (failed, warned), None)
    with pytest.raises(RolloutError, match="did not pass 'spread'"):
        require_passed(candidate(), (failed, warned), None, without_gates=True)
    require_passed(candidate(), (warned, *PASSED), None)


@pytest.mark.parametrize("checks", [None, ()])
@pytest.mark.parametrize(("run", "words"), [("run", r"gates\.json"), (None, "no training run made it")])
def test_a_version_that_nothing_says_anything_of_is_refused_unless_somebody_answers_for_it(checks, run, words):
    made = Candidate("3", "", {}, run)
    with pytest.raises(RolloutError, match=rf"version 3 may not be released: .*{words}.*--without-gates --reason"):
        require_passed(made, checks, None)
    require_passed(made, checks, None, without_gates=True)
    with pytest.raises(RolloutError, match="its auc was never measured") as raised:
        require_passed(made, checks, declared({"metric": "auc", "at_least": 0.8}), without_gates=True)
    assert "gates" not in str(raised.value)


@pytest.mark.parametrize(
    ("kpi", "metrics", "words"),
    [
        ({"metric": "auc", "at_least": 0.8}, {"auc": 0.79}, "its auc is 0.79, and must be at least 0.8"),
        ({"metric": "log_loss", "at_most": 0.3}, {"log_loss": 0.31}, "its log_loss is 0.31, and must be at most 0.3"),
        ({"metric": "auc", "at_least": 0.8}, {}, "its auc was never measured"),
        ({"metric": "auc", "at_least": 0.8}, {"auc": 0.8}, None),
        ({"metric": "minutes_saved", "at_least": 6, "source": "desk"}, {}, None),
    ],
)
def test_what_is_declared_binds_where_it_is_given(kpi, metrics, words):
    require_passed(candidate(**metrics), PASSED, None)
    if words is None:
        require_passed(candidate(**metrics), PASSED, declared(kpi))
        return
    with pytest.raises(RolloutError, match=words):
        require_passed(candidate(**metrics), PASSED, declared(kpi))
