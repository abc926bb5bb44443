"""A learner of somebody's own: found by reference, built, saved, loaded with the types that it brings and no others."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlstrata_steps import StepError
from mlstrata_steps.estimator import ALGORITHMS, build, learner, load, require_known, save, served_with, trusted

MODULE = """
from sklearn.ensemble import GradientBoostingClassifier

from mlstrata_steps.estimator import Learner

class Careful(GradientBoostingClassifier):
    pass


boosting = Learner(Careful, defaults={"n_estimators": 5}, trusted=("acme_learner.Careful",))
Plain = GradientBoostingClassifier
number = 3
"""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "learners").mkdir()
    (tmp_path / "learners/acme_learner.py").write_text(MODULE)
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    return tmp_path


@pytest.fixture
def rows() -> tuple[pd.DataFrame, np.ndarray]:
    drawn = np.random.default_rng(0)
    table = pd.DataFrame({"a": drawn.normal(size=80), "b": drawn.choice(["x", "y"], 80)})
    return table, (table["a"] > 0).to_numpy().astype(int)


def test_it_is_built_with_its_defaults_and_the_seed(workspace: Path, rows: tuple) -> None:
    made = build("acme_learner:boosting", {"max_depth": 2}, rows[0], seed=4)
    given = made[-1].get_params()
    assert (given["n_estimators"], given["max_depth"], given["random_state"]) == (5, 2, 4)
    assert type(build("acme_learner:Plain", {}, rows[0], seed=4)[-1]).__name__ == "GradientBoostingClassifier"


def test_a_saved_model_is_read_where_its_learner_is_and_nowhere_else(
    workspace: Path, rows: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build("acme_learner:boosting", {}, rows[0], seed=0).fit(*rows)
    path = str(workspace / "model.skops")
    save(model, path)
    assert "acme_learner.Careful" in trusted()
    assert np.array_equal(load(path).predict_proba(rows[0]), model.predict_proba(rows[0]))
    monkeypatch.delenv("MLSTRATA_WORKSPACE")
    with pytest.raises(StepError, match="types that are not trusted"):
        load(path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("xgboost", f"got 'xgboost'; allowed {', '.join(ALGORITHMS)}, or MODULE:NAME"),
        ("acme_learner:bosting", "has no 'bosting'"),
        ("acme_learner:number", "number is int; allowed a Learner, or a classifier's class"),
        ("no_such_module:x", "no_such_module cannot be imported: ModuleNotFoundError"),
    ],
)
def test_what_is_no_learner_is_refused(name: str, said: str, workspace: Path) -> None:
    with pytest.raises(StepError, match=said):
        learner(name)


def test_its_hyperparameters_are_known_by_name(workspace: Path) -> None:
    with pytest.raises(StepError, match=r"parameters.max_dept: .*did you mean 'max_depth'"):
        require_known("acme_learner:boosting", ["max_dept"], "parameters")


def test_what_it_is_from_is_asked_for_when_it_is_served(rows: tuple) -> None:
    from sklearn.pipeline import Pipeline

    class Own:
        __module__ = "pyarrow.lib"

    assert served_with(Pipeline([("classify", Own())])) == ("pyarrow",)
    assert served_with(build("random_forest", {}, rows[0], seed=0)) == ()
