"""Several answers by name: each is judged as a single one is, the worst decides, and one package answers them all."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from jsonschema import Draft202012Validator

from mlstrata.services.serving.model import load as served
from mlstrata.services.serving.openapi import document
from mlstrata_steps import StepError
from mlstrata_steps.columns import Columns
from mlstrata_steps.compare import compare
from mlstrata_steps.estimator import load
from mlstrata_steps.evaluate import evaluate
from mlstrata_steps.fairness import check_fairness
from mlstrata_steps.gates import gate
from mlstrata_steps.leakage import check_leakage
from mlstrata_steps.outcome import StepRefused, require
from mlstrata_steps.package import package
from mlstrata_steps.plausibility import check_plausibility
from mlstrata_steps.quality import check_quality
from mlstrata_steps.reference import FILE, Reference
from mlstrata_steps.register import Lineage, register
from mlstrata_steps.search import search
from mlstrata_steps.signal import check_signal
from mlstrata_steps.split import split
from mlstrata_steps.tables import canonical, read_table, write_table
from mlstrata_steps.tasks.output import METADATA, Classes, Output, OutputError, Probability, Value
from mlstrata_steps.tasks.several_outputs import Answers
from mlstrata_steps.train import train

ROWS = 1200
COLUMNS = {
    "outputs": {
        "worth": {"target": "price", "task": "regression"},
        "cooled": {"target": "aircon", "positive": "yes", "threshold": 0.4},
        "kind": {"target": "style", "algorithm": "logistic_regression"},
    },
    "protected": ["sex"],
}


def houses(seed: int = 1) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    size, rooms, noise = random.normal(size=ROWS), random.integers(1, 6, ROWS), random.normal(size=(3, ROWS))
    return pd.DataFrame(
        {
            "size": size,
            "rooms": rooms,
            "sex": random.choice(["f", "m"], ROWS),
            "price": 50_000 + 9_000 * size + 4_000 * rooms + 3_000 * noise[0],
            "aircon": np.where(size + noise[1] > 0.3, "yes", "no"),
            "style": np.array(["flat", "house", "villa"])[np.digitize(rooms + noise[2], [2.5, 4.0])],
        }
    )


class Judged:
    """All steps up to the package, of one table."""

    def __init__(self, folder, table, columns=COLUMNS, **rules):
        self.columns, self.rules = columns, rules
        self.data, self.train, self.test, self.model = (
            str(folder / name) for name in ("data", "train", "test", "model")
        )
        self.packed = str(folder / "packed")
        write_table(canonical(table), self.data)
        self.quality = check_quality(self.data, columns, {})
        split(self.data, self.train, self.test, columns)
        self.leakage = check_leakage(self.train, self.test, columns, rules.get("leakage", {}))
        self.answers = train(self.train, self.model, columns, parameters=rules.get("parameters", {})).answers
        self.evaluation = evaluate(self.test, self.model, columns, answers=self.answers)
        self.fairness = check_fairness(self.test, self.model, columns, rules.get("fairness", {}))

    def plausibility(self, rules):
        return check_plausibility(self.test, self.model, self.columns, rules, answers=self.answers)

    def signal(self, rules):
        files = (self.train, self.test, self.model, self.columns)
        return check_signal(*files, evaluation=self.evaluation, rules=rules)

    def package(self):
        package(self.model, self.train, self.packed, self.columns, test=self.test, evaluation=self.evaluation)
        return self.packed


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    return Judged(tmp_path_factory.mktemp("several"), houses())


def test_each_answer_passes_each_gate_under_its_name(judged):
    rules = {"permutations": 1}
    reports = {
        "leakage": judged.leakage,
        "signal": judged.signal(rules),
        "fairness": judged.fairness,
        "plausibility": judged.plausibility({"outputs": {"worth": {"monotonic": {"size": "up"}}}}),
    }
    require(judged.quality)
    kpis = [{"metric": "worth.mae", "at_most": 4000}, {"metric": "cooled.auc", "at_least": 0.7}]
    found = gate(judged.evaluation, kpis, reports)
    assert found["passed"]
    names = {check["name"] for check in found["checks"]}
    assert {"worth: better than chance", "kind: better than the base rate", "cooled.auc"} <= names
    assert {"leakage: cooled: no two features hold the answer", "fairness: worth: sex"} <= names
    assert set(found["curves"]) == {"worth.size"}
    assert {"worth.signal_r2_low", "kind.signal_auc_low", "cooled.fairness_sex"} <= set(found["numbers"])
    assert set(judged.evaluation["outputs"]) == {"cooled", "kind", "worth"}


def test_the_worst_answer_decides(judged, tmp_path):
    with pytest.raises(StepRefused, match=r"^worth\.mae: .*at most 100 asked for$"):
        gate(judged.evaluation, [{"metric": "worth.mae", "at_most": 100}])
    with pytest.raises(StepRefused, match=r"cooled: sex: .*at most 0 allowed"):
        require(check_fairness(judged.test, judged.model, COLUMNS, {"outputs": {"cooled": {"at_most": 0.0}}}))
    with pytest.raises(StepRefused, match=r"^worth: value falls with size"):
        require(judged.plausibility({"outputs": {"worth": {"monotonic": {"size": "down"}}}}))
    luck = houses().assign(aircon=np.random.default_rng(5).choice(["yes", "no"], ROWS))
    found = Judged(tmp_path, luck)
    refused = {check["name"] for check in found.evaluation["checks"] if not check["passed"]}
    assert refused == {"cooled: better than chance", "cooled: better than the base rate"}
    leaked = houses().assign(told=lambda table: table["style"].str.upper())
    with pytest.raises(StepRefused, match=r"^kind: .*told"):
        require(Judged(tmp_path, leaked).leakage)


def test_no_model_sees_the_answer_of_another(judged):
    models = load(judged.model)
    assert list(models.feature_names_in_) == ["size", "rooms"]
    assert {tuple(one.feature_names_in_) for one in models.models.values()} == {("size", "rooms")}
    assert load(judged.model, "worth").predict(pd.DataFrame({"size": [0.0], "rooms": [3]}))[0] == pytest.approx(
        62_000, rel=0.02
    )
    with pytest.raises(StepError, match="has no answer 'other'"):
        load(judged.model, "other")


def test_both_sides_of_the_split_hold_every_class_of_every_answer(judged):
    for side in (judged.train, judged.test):
        table = read_table(side)
        assert set(table["style"]) == {"flat", "house", "villa"}
        assert set(table["aircon"]) == {"yes", "no"}
    share = read_table(judged.test)["aircon"].eq("yes").mean()
    assert share == pytest.approx(houses()["aircon"].eq("yes").mean(), abs=0.02)


def test_one_package_answers_all_by_name(judged):
    model = served("1", Path(judged.package()))
    rows = [{"size": 1.5, "rooms": 4}, {"size": -1.5, "rooms": 1}]
    values = model.predict(rows)
    rich, poor = model.output.predictions(values)
    assert set(rich) == {"worth", "cooled", "kind"}
    assert rich["worth"]["value"] == pytest.approx(79_500, rel=0.02)
    assert (rich["cooled"]["label"], poor["cooled"]["label"]) == (1, 0)
    assert (rich["kind"]["label"], poor["kind"]["label"]) == ("villa", "flat")
    described = document("houses", "v1", "1", model.schema.columns, model.output)
    answer = {"predictions": [rich, poor], "model": {"system": "houses", "version": "1"}, "request_id": "a"}
    schema = {"$ref": "#/components/schemas/Answer", "components": described["components"]}
    assert list(Draft202012Validator(schema).iter_errors(answer)) == []
    assert list(Draft202012Validator(schema).iter_errors({**answer, "predictions": [rich["worth"]]})) != []
    assert set(model.output.cells(rich)) == set(model.output.columns)
    assert "cooled.probability" in model.output.columns
    assert {name for name, *_ in model.output.tensors(values)} >= {"worth.value", "kind.label"}
    reference = Reference.parse((Path(judged.packed) / FILE).read_bytes())
    assert (reference.task, reference.answers, reference.calibration) == ("several", (), ())
    assert reference.metrics["worth.mae"]["low"] < reference.metrics["worth.mae"]["high"]


def test_an_implausible_answer_is_told_by_its_name():
    output = Answers({"b": Value((0.0, 10.0)), "a": Probability(), "c": Classes(("x", "y", "z"))})
    values = output.read([[0.25, 0.75, 5.0, 0.2, 0.3, 0.5]], 1)
    assert values.tolist() == [[0.75, 5.0, 0.2, 0.3, 0.5]]
    assert output.outside(values, None) is None
    assert output.outside(values, {"b": (6.0, 9.0)}) == (5.0, "6.0 to 9.0 of b")
    assert output.outside(output.read([[0.25, 0.75, 11.0, 0.2, 0.3, 0.5]], 1), None) == (11.0, "0.0 to 10.0 of b")
    with pytest.raises(OutputError, match=r"gave shape \(1, 2\) for 1 instances; needed \(1, 6\)"):
        output.read([[0.25, 0.75]], 1)
    # In whichever order a mapping of it comes back.
    mixed = {**output.document(), "outputs": dict(reversed(output.document()["outputs"].items()))}
    assert Output.of({METADATA: json.loads(json.dumps(mixed))}) == output
    for odd in ({"a": Value().document()}, {"a": Value().document(), "b": output.document()}, [], None):
        with pytest.raises(StepError, match="allowed a contract of"):
            Output.of({METADATA: {"task": "several", "outputs": odd}})


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({**COLUMNS, "target": "price"}, "columns.target: got 'price' beside outputs"),
        ({"outputs": {"a": {"target": "x"}, "b": {"target": "x"}}}, "'x' is the target of two"),
        ({"outputs": {"a": {"target": "x", "colour": 1}}}, "columns.outputs.a: got 'colour'; needed target"),
        ({"outputs": {"a": {"task": "regression"}}}, "columns.outputs.a: got .*; needed target"),
        ({"outputs": {"a": {"target": "x", "task": "ranking"}}}, "columns.task: got 'ranking'"),
        ({"outputs": {"a": {"target": "x"}}, "features": ["x"]}, "columns.features: 'x' is the target"),
        ({"outputs": ["a"]}, "columns.outputs: got"),
    ],
)
def test_odd_roles_are_refused(columns, says):
    with pytest.raises(StepError, match=says):
        Columns.parse(columns)


def test_what_knows_of_one_answer_alone_refuses_several(judged):
    assert search(judged.train, COLUMNS, algorithm="", parameters={"a": 1}, rules={})["parameters"] == {"a": 1}
    with pytest.raises(StepError, match="of several answers none is searched for"):
        search(judged.train, COLUMNS, algorithm="", parameters={}, rules={"trials": 2})


def test_the_roles_of_a_single_answer_are_written_as_before():
    assert set(Columns.parse({"target": "y"}).document()) == {
        *(
            "target",
            "positive",
            "features",
            "protected",
            "exclude",
            "task",
            "quantile",
            "metrics",
            "texts",
            "text_length",
        )
    }


def test_a_version_is_registered_with_each_figure_and_compared_answer_by_answer(judged, tmp_path, monkeypatch):
    import mlflow

    monkeypatch.chdir(tmp_path)
    store = f"sqlite:///{tmp_path}/mlflow.db"
    made = {"commit": "abc", "pipeline_run": "run1", "environment": "local", "source": "houses"}
    lineage = Lineage.of({"seed": 0}, "sha256:1", "sha256:2", **made)
    found = register(
        *("houses", judged.model, judged.train, judged.evaluation, lineage),
        columns=COLUMNS, settings={"seed": 0, "test_fraction": 0.25}, tracking_uri=store, package=judged.package(),
        kpis=[{"metric": "worth.mae", "at_most": 4000}],
    )  # fmt: skip
    client = mlflow.MlflowClient(store)
    tags = client.get_model_version("houses", found["version"]).tags
    assert {"metric.worth.mae", "metric.cooled.auc_low", "metric.baseline_kind.auc"} <= set(tags)
    client.set_registered_model_alias("houses", "champion", found["version"])

    def against(columns, answers, rules):
        return compare(
            judged.test, judged.model, columns, answers=answers, system="houses", tracking_uri=store, rules=rules,
            settings={"seed": 0, "test_fraction": 0.25}, data_version="sha256:2",
        )  # fmt: skip

    same = against(COLUMNS, judged.answers, {"enforce": True})
    assert same["passed"]
    assert same["numbers"]["worth.against_champion_mae"] == pytest.approx(0, abs=1e-9)
    assert same["headline"].count("to champion 1 on the same") == len(COLUMNS["outputs"])
