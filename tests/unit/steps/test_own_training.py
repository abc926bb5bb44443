"""A training function of a workspace, such as that of the docs: trained, stored, judged and packed as ours are."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlstrata_steps import StepError
from mlstrata_steps.estimator import build, load, own_code, save
from mlstrata_steps.own import PREFIX, OwnModel

PAGE = Path(__file__).parents[3] / "docs/your-model.md"
HEAD = "import numpy as np\nimport re\nfrom sklearn.svm import LinearSVC\n\n"
MODEL = """
class Rule:
    def __init__(self, cut, pattern=None):
        self.cut, self.pattern = cut, pattern

    def predict_proba(self, features):
        positive = 1 / (1 + np.exp(self.cut - features["calls"].fillna(0).to_numpy()))
        return np.column_stack([1 - positive, positive])

"""
FUNCTION = """
def train(data, context):
    return {made}
"""


def forget(path: list[str]) -> None:
    """Be as a process that has imported nothing of the workspace."""
    for name in [one for one in sys.modules if one.partition(".")[0] in {"churn", "acme_own"}]:
        del sys.modules[name]
    sys.path[:] = path


@pytest.fixture
def rows() -> tuple[pd.DataFrame, np.ndarray]:
    drawn = np.random.default_rng(0)
    target = drawn.integers(0, 2, 120)
    words = np.where(target == 1, "Never AGAIN", "all fine").astype(object)
    words[::9] = None
    return pd.DataFrame({"calls": drawn.normal(size=120), "complaint": words}), target


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    before = list(sys.path)
    # Folders that other tests have put there may hold a module of the package's name.
    forget([one for one in before if "pytest-of-" not in one])
    yield tmp_path
    forget(before)


@pytest.fixture
def write(workspace: Path):
    def write(made: str, package: str = "acme_own") -> str:
        (workspace / package).mkdir(exist_ok=True)
        (workspace / package / "training.py").write_text(HEAD + MODEL + FUNCTION.format(made=made))
        return f"{PREFIX}{package}.training:train@1"

    return write


@pytest.fixture
def documented(workspace: Path) -> str:
    for name, source in re.findall(r"```python\n# (churn/\S+)\n(.*?)```", PAGE.read_text(), re.DOTALL):
        (workspace / name).parent.mkdir(exist_ok=True)
        (workspace / name).write_text(source)
    return f"{PREFIX}churn.training:train"


def test_the_function_of_the_docs_learns_from_texts_round_by_round(
    documented: str, rows: tuple, tmp_path: Path
) -> None:
    model = build(documented, {"rounds": 4}, rows[0], seed=1).fit(*rows)
    given = model.predict_proba(rows[0])
    assert given.shape == (120, 2)
    assert np.mean(given[:, 1].round() == rows[1]) > 0.9
    path = str(tmp_path / "model")
    save(model, path)
    assert Path(path).read_bytes()[:2] == b"PK", "skops holds it: scikit-learn's types and a function of the package"
    assert np.array_equal(load(path).predict_proba(rows[0]), given)
    assert own_code(path) == [tmp_path / "churn"]


def test_what_skops_cannot_hold_is_a_pickle_under_its_hash(write, rows: tuple, tmp_path: Path, monkeypatch) -> None:
    model = build(write("Rule(0.5, re.compile('a'))"), {}, rows[0], seed=0).fit(*rows)
    path = tmp_path / "model"
    save(model, str(path))
    assert path.read_bytes().startswith(b"mlstrata-pickle ")
    assert np.array_equal(load(str(path)).predict_proba(rows[0]), model.predict_proba(rows[0]))
    whole = path.read_bytes()
    path.write_bytes(whole[:-20] + bytes([whole[-20] ^ 1]) + whole[-19:])
    with pytest.raises(StepError, match="its hash differs"):
        load(str(path))
    path.write_bytes(whole)
    forget([one for one in sys.path if not one.startswith(str(tmp_path))])
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path / "elsewhere"))
    with pytest.raises(StepError, match="cannot be imported"):
        load(str(path))


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("1 / 0", r"ZeroDivisionError: division by zero \(training.py:\d+\)"),
        ("3", "returned int; allowed what has predict_proba or predict"),
        ("LinearSVC().fit(data.features[['calls']], data.target)", "LinearSVC, which gives labels"),
        ("type('Wide', (), {'predict_proba': lambda self, x: np.ones((len(x), 3))})()", r"\(5, 3\); needed \(5, 2\)"),
        ("type('Odd', (), {'predict': lambda self, x: np.full(len(x), 7.0)})()", "Odd gives -6 to 7; allowed prob"),
    ],
)  # fmt: skip
def test_what_is_no_model_is_refused_where_it_is_made(made: str, said: str, write, rows: tuple) -> None:
    with pytest.raises(StepError, match=said):
        build(write(made), {}, rows[0], seed=0).fit(*rows)


def test_what_is_not_there_or_elsewhere_too_is_refused(write, rows: tuple) -> None:
    write("Rule(1)")
    with pytest.raises(StepError, match="has no function 'trian'"):
        build(f"{PREFIX}acme_own.training:trian", {}, rows[0], seed=0).fit(*rows)
    with pytest.raises(StepError, match=r"another skops\.io is installed"):
        build(f"{PREFIX}skops.io:dump", {}, rows[0], seed=0).fit(*rows)


def test_a_class_that_no_module_defines_cannot_be_stored(write, rows: tuple, tmp_path: Path) -> None:
    made = "type('Odd', (), {'predict': lambda self, x: np.full(len(x), 0.5)})()"
    with pytest.raises(StepError, match="define what it is made of at the top of a module"):
        save(build(write(made), {}, rows[0], seed=0).fit(*rows), str(tmp_path / "model"))


def test_it_gets_the_weights_and_settings_and_keeps_no_rows(write, rows: tuple) -> None:
    model = build(write("Rule(context.weights.sum() + context.settings['more'])"), {"more": 2}, rows[0], seed=0)
    model.fit(*rows, classify__sample_weight=np.ones(120))
    assert isinstance(model, OwnModel)
    assert model.model.cut == 122
    assert not any(isinstance(one, pd.DataFrame) for one in model.__getstate__().values())


@pytest.mark.parametrize("made", ["Rule(0.5)", "Rule(0.5, re.compile('a'))"])
def test_packed_it_answers_where_the_workspace_is_not(made: str, write, rows: tuple, tmp_path: Path) -> None:
    from mlstrata_steps.package import package
    from mlstrata_steps.tables import canonical, write_table

    write_table(canonical(rows[0].assign(y=rows[1])), str(tmp_path / "rows"))
    model = build(write(made), {}, rows[0], seed=0).fit(*rows)
    save(model, str(tmp_path / "model"))
    found = package(str(tmp_path / "model"), str(tmp_path / "rows"), str(tmp_path / "packed"), {"target": "y"})
    assert found["code"] == ["mlstrata_steps", "acme_own"]
    use = (
        "import mlflow.pyfunc, pandas, sys; model = mlflow.pyfunc.load_model(sys.argv[1]);"
        "print(model.predict(pandas.DataFrame({'calls': [0.5], 'complaint': ['x']}))[0][1])"
    )
    elsewhere = {name: value for name, value in os.environ.items() if name != "MLSTRATA_WORKSPACE"}
    command = [sys.executable, "-c", use, str(tmp_path / "packed")]
    served = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/", env=elsewhere)
    assert float(served.stdout) == 0.5
