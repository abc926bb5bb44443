"""A learner of somebody's own: found by reference, built, saved, loaded with the types that it brings and no others."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlstrata_steps import StepError
from mlstrata_steps.estimator import (
    ALGORITHMS,
    build,
    learner,
    load,
    own_code,
    require_known,
    save,
    served_with,
    trusted,
)
from mlstrata_steps.package import package
from mlstrata_steps.tables import canonical, write_table

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
    assert "acme_learner.Careful" in trusted(path)
    assert np.array_equal(load(path).predict_proba(rows[0]), model.predict_proba(rows[0]))
    monkeypatch.delenv("MLSTRATA_WORKSPACE")
    with pytest.raises(StepError, match="types that are not trusted"):
        load(path)


def test_it_goes_with_the_model_to_where_it_is_served(workspace: Path, rows: tuple, tmp_path: Path) -> None:
    table, target = rows
    (workspace / "learners/acme_learner.py").write_text(
        MODULE.replace("class Careful", "import acme_common\n\nclass Careful")
    )
    (workspace / "learners/acme_common.py").write_text("")
    (workspace / "learners/test_acme.py").write_text("raise AssertionError")
    write_table(canonical(table.assign(y=target)), str(tmp_path / "rows"))
    save(build("acme_learner:boosting", {}, table, seed=0).fit(table, target), str(tmp_path / "model.skops"))
    found = package(str(tmp_path / "model.skops"), str(tmp_path / "rows"), str(tmp_path / "packed"), {"target": "y"})
    assert found["code"] == ["mlstrata_steps", "acme_common.py", "acme_learner.py"]
    use = (
        "import mlflow.pyfunc, pandas, sys; model = mlflow.pyfunc.load_model(sys.argv[1]);"
        "model.predict(pandas.DataFrame({'a': [0.5], 'b': ['x']}));"
        "print(sys.modules['acme_learner'].__file__)"
    )
    elsewhere = {name: value for name, value in os.environ.items() if name != "MLSTRATA_WORKSPACE"}
    command = [sys.executable, "-c", use, str(tmp_path / "packed")]
    served = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/", env=elsewhere)
    assert served.stdout.split() == [str(tmp_path / "packed/code/acme_learner.py")]


def test_a_model_of_ours_takes_none_of_it_along(workspace: Path, rows: tuple, tmp_path: Path) -> None:
    save(build("random_forest", {}, rows[0], seed=0).fit(*rows), str(tmp_path / "model.skops"))
    assert own_code(str(tmp_path / "model.skops")) == []


@pytest.mark.parametrize(
    "name", ["sklearn.ensemble.GradientBoostingClassifier", "sklearn.neighbors:KNeighborsClassifier"]
)
def test_an_installed_estimator_is_named_by_its_path_and_kept_by_skops(name: str, rows: tuple, tmp_path: Path) -> None:
    model, path = build(name, {}, rows[0], seed=0).fit(*rows), str(tmp_path / "model")
    save(model, path)
    assert np.array_equal(load(path).predict_proba(rows[0]), model.predict_proba(rows[0]))


def test_a_function_of_a_library_is_not_rebuilt(rows: tuple, tmp_path: Path) -> None:
    from sklearn.datasets import fetch_openml
    from sklearn.preprocessing import FunctionTransformer

    save(FunctionTransformer(fetch_openml), str(tmp_path / "model"))
    with pytest.raises(StepError, match="types that are not trusted"):
        load(str(tmp_path / "model"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("xgboost", f"got 'xgboost'; allowed {', '.join(ALGORITHMS)}, or MODULE:NAME"),
        ("acme_learner:bosting", "has no 'bosting'"),
        ("acme_learner:number", "number is int; allowed a Learner, or an estimator's class"),
        ("sklearn.ensemble.GradientBosting", "has no 'GradientBosting'"),
        ("no_such_module:x", "no_such_module cannot be imported: ModuleNotFoundError"),
    ],
)
def test_what_is_no_learner_is_refused(name: str, said: str, workspace: Path) -> None:
    with pytest.raises(StepError, match=said):
        learner(name)


def test_its_hyperparameters_are_known_by_name(workspace: Path) -> None:
    with pytest.raises(StepError, match=r"parameters.max_dept: .*did you mean 'max_depth'"):
        require_known("acme_learner:boosting", ["max_dept"], "parameters")


def test_one_that_takes_anything_is_asked_what_is_like_its_own(workspace: Path) -> None:
    (workspace / "learners/acme_free.py").write_text(
        "from sklearn.base import BaseEstimator\n"
        "class Base(BaseEstimator):\n    def __init__(self, *, max_depth=3): ...\n"
        "class Free(Base):\n    def __init__(self, **kwargs): ...\n    def predict_proba(self, rows): ...\n"
    )
    require_known("acme_free:Free", ["max_depth", "tree_method"], "parameters")
    with pytest.raises(StepError, match=r"parameters.max_dept: .*did you mean 'max_depth'"):
        require_known("acme_free:Free", ["max_dept"], "parameters")


def test_what_it_is_from_is_asked_for_when_it_is_served(rows: tuple) -> None:
    from sklearn.pipeline import Pipeline

    class Own:
        __module__ = "pyarrow.lib"

    assert served_with(Pipeline([("classify", Own())])) == ("pyarrow",)
    assert served_with(build("random_forest", {}, rows[0], seed=0)) == ()
