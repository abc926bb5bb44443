"""No version that failed a gate is released; its figures bind where nobody judges them."""

import pytest

from mlstrata.clients.errors import RolloutError
from mlstrata.clients.mlflow_registry import Candidate, Check
from mlstrata.environments import SystemSpec
from mlstrata.operations.releases.gate import require_passed

SYSTEM = {"name": "one", "purpose": "P.", "risk": {"tier": "minimal"}, "model": {"modality": "tabular"}}


class Known:
    def __init__(self, *checks, recorded=True):
        self.found = checks if recorded else None

    def checks(self, candidate):
        return self.found


def declared(*kpis):
    return SystemSpec.model_validate({**SYSTEM, "kpis": list(kpis)})


def candidate(**metrics):
    return Candidate("3", "", metrics)


def test_a_gate_that_failed_is_a_refusal_that_names_it():
    failed, warned = Check("spread", False, "1 value"), Check("later", False, "unknown", warns=True)
    with pytest.raises(RolloutError, match=r"version 3 may not be released: it did not pass 'spread' \(1 value\);"):
        require_passed(Known(failed, warned), candidate(), None)
    require_passed(Known(warned, Check("auc", True, "0.9")), candidate(), None)
    require_passed(Known(recorded=False), candidate(), None)


@pytest.mark.parametrize(
    ("kpi", "metrics", "words"),
    [
        ({"metric": "auc", "at_least": 0.8}, {"auc": 0.79}, "its auc is 0.79; at least 0.8"),
        ({"metric": "log_loss", "at_most": 0.3}, {"log_loss": 0.31}, "its log_loss is 0.31; at most 0.3"),
        ({"metric": "auc", "at_least": 0.8}, {}, "its auc was never measured"),
        ({"metric": "auc", "at_least": 0.8}, {"auc": 0.8}, None),
        ({"metric": "minutes_saved", "at_least": 6, "source": "desk"}, {}, None),
    ],
)
def test_what_is_declared_binds_where_it_is_given(kpi, metrics, words):
    require_passed(Known(), candidate(**metrics), None)
    if words is None:
        require_passed(Known(), candidate(**metrics), declared(kpi))
        return
    with pytest.raises(RolloutError, match=words):
        require_passed(Known(), candidate(**metrics), declared(kpi))
