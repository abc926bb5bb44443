"""What the spec promises about training is what the pipeline's steps can do, and the schema accepts what we ship."""

import json
from pathlib import Path

import pytest

from mlstrata.environments.loading.document import parse, to_data
from mlstrata.environments.spec.kpis import MEASURED, EvaluationMetric
from mlstrata.environments.spec.monitor import COMPARED
from mlstrata.environments.spec.rules import RULES
from mlstrata.environments.spec.tasks import Algorithm

FOLDER = Path(__file__).parents[3] / "environments"


def validator() -> object:
    import jsonschema

    schema = json.loads((FOLDER / "environment.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_algorithms_are_those_of_the_pipeline() -> None:
    from mlstrata_steps.estimator import ALGORITHMS

    assert set(Algorithm) == set(ALGORITHMS)


def test_the_learner_of_several_processes_is_the_one_that_the_file_may_name() -> None:
    from mlstrata_steps.distributed import ALGORITHM

    assert ALGORITHM == Algorithm.LOGISTIC_REGRESSION


def test_the_metrics_are_those_of_the_evaluation() -> None:
    from mlstrata_steps.tasks.binary import Binary
    from mlstrata_steps.tasks.multiclass import MultiClass
    from mlstrata_steps.tasks.regression import Regression

    assert {*MEASURED["classification"], *MEASURED["regression"]} == set(EvaluationMetric)
    for task in (Binary(), MultiClass("abc")):
        assert MEASURED["classification"] == tuple(task.metrics)
        assert COMPARED["classification"] == task.fairness
    assert MEASURED["regression"] == tuple(Regression().metrics)
    assert COMPARED["regression"] == Regression.fairness


@pytest.mark.parametrize("step", RULES)
def test_the_rules_are_those_that_the_step_reads(step: str) -> None:
    from importlib import import_module
    from typing import get_type_hints

    from mlstrata_steps.rules import described

    module = import_module(f"mlstrata_steps.{'compare' if step == 'comparison' else step}")
    hints = get_type_hints(getattr(module, f"{step.capitalize()}Rules"))
    taken = {rule: described(hint)[0].removesuffix(", or nothing") for rule, hint in hints.items()}
    for rule, choices in (("metric", "METRICS"), ("method", "METHODS")):
        if rule in taken:
            # A text, and only some.
            assert taken[rule] == "a text"
            taken[rule] = ", ".join(getattr(module, choices))
    assert RULES[step] == taken


@pytest.mark.parametrize("name", ["local", "dev", "staging", "prod"])
def test_the_schema_accepts_what_we_ship(name: str) -> None:
    # Our own reading: PyYAML's YAML 1.1 makes dates of texts, where editors read YAML 1.2 as we do.
    document = to_data(parse((FOLDER / f"{name}.yaml").read_text(encoding="utf-8")))
    assert list(validator().iter_errors(document)) == []


@pytest.mark.parametrize(
    "change", [{"stage": "scael"}, {"onwer": "a@b.example"}, {"target": {"kind": "aws"}}, {"retention": {"logs": 5}}]
)
def test_the_schema_refuses_what_the_loader_refuses(change: dict[str, object]) -> None:
    good = {"name": "prod", "target": {"kind": "local"}, "stage": "scale"}
    assert validator().is_valid(good)
    assert not validator().is_valid({**good, **change})
