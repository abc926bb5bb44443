"""What is packed with a model: the lock's entries that serving needs, and the code of the features."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlstrata_steps import StepError
from mlstrata_steps.estimator import load
from mlstrata_steps.package import LOCKED, entries, file_hash, needed, package, pinned
from mlstrata_steps.served import _environment
from mlstrata_steps.tables import canonical, write_table
from mlstrata_steps.train import train

LOCK = Path(__file__).parents[3] / "locks/services.txt"
USE = """
import json, sys
sys.path = [path for path in sys.path if not path.endswith("pipelines/steps")]
sys.meta_path = [finder for finder in sys.meta_path if "editable" not in repr(finder)]
import mlflow.pyfunc
model = mlflow.pyfunc.load_model(sys.argv[1])
import mlstrata_steps
import pandas as pd
from mlstrata_steps.columns import feature_frame
from mlstrata_steps.tables import canonical
raw = canonical(pd.DataFrame(json.loads(sys.argv[2])))
scores = model.predict(feature_frame(raw, model.metadata.signature.inputs.input_names()))
print(json.dumps([mlstrata_steps.__file__, sorted(scores[:, 1].tolist())]))
"""


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    folder, random = tmp_path_factory.mktemp("packed"), np.random.default_rng(4)
    x = random.normal(size=200)
    table = canonical(
        pd.DataFrame({"x": np.where(x > 1, np.nan, x), "colour": random.choice(["red", None], 200), "y": x > 0})
    )
    write_table(table, str(folder / "rows"))
    columns = {"target": "y", "positive": "True"}
    train(str(folder / "rows"), str(folder / "model"), columns)
    lock = {"lock": str(LOCK), "lock_hash": file_hash(str(LOCK))}
    found = package(str(folder / "model"), str(folder / "rows"), str(folder / "out"), columns, **lock)
    return folder, found


def test_the_lock_beside_the_model_is_that_of_this_environment(packed):
    folder, found = packed
    locked = entries((folder / "out" / LOCKED).read_text())
    assert len(locked) == found["requirements"] > 50
    assert {"scikit-learn", "mlserver", "numpy", "threadpoolctl"} <= set(locked)
    assert "kfp" not in locked, "what only the pipeline needs stays out"
    assert all("--hash=sha256:" in lines for lines in locked.values())
    assert _environment(str(folder / "out"), str(LOCK)).passed


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [("numpy==", "numpy==9", "numpy 9"), ("--hash=sha256:", "--hash=sha256:0", "other hashes in this environment")],
)
def test_another_environment_is_found_out(packed, tmp_path, old, new, says):
    text = (packed[0] / "out" / LOCKED).read_text()
    at = text.index(old, text.index("\nnumpy==") + (0 if old.startswith("n") else 1))
    (tmp_path / LOCKED).write_text(text[:at] + new + text[at + len(old) :])
    check = _environment(str(tmp_path), str(LOCK))
    assert not check.passed
    assert says in check.detail


def test_the_model_brings_the_code_of_its_features(packed):
    folder, _ = packed
    raw = {"x": [0.5, None], "colour": ["red", "green"]}
    command = [sys.executable, "-c", USE, str(folder / "out"), json.dumps(raw)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    used, scores = json.loads(done.stdout.splitlines()[-1])
    assert used.startswith(str(folder / "out" / "code"))
    frame = pd.DataFrame({"x": [0.5, np.nan], "colour": np.array(["red", "green"], dtype=object)})
    assert scores == pytest.approx(sorted(load(str(folder / "model")).predict_proba(frame)[:, 1]))


def test_the_example_shows_no_gaps(packed):
    example = json.loads((packed[0] / "out/serving_input_example.json").read_text())["dataframe_split"]
    assert example["columns"] == ["x", "colour"]
    assert all(None not in row and "NaN" not in map(str, row) for row in example["data"])


def test_a_lock_that_changed_or_lacks_something_is_refused(packed, tmp_path):
    folder, _ = packed
    files = (str(folder / "model"), str(folder / "rows"), str(tmp_path / "out"))
    with pytest.raises(StepError, match="has changed since"):
        package(*files, {"target": "y"}, lock=str(LOCK), lock_hash="sha256:0")
    with pytest.raises(StepError, match="numpy is installed and needed"):
        needed({}, ["numpy"])


def test_entries_keep_their_hashes():
    other = "A_b==1.1 ; python_version < '3' \\\n    --hash=sha256:3\n"
    this = "A_b[x]==1.2 ; python_version > '3' \\\n    --hash=sha256:1 \\\n    --hash=sha256:2\n"
    found = entries(f"# a\n{other}{this}    # via c\nd==3\n")
    assert list(found) == ["a-b", "d"]
    assert (pinned(found["a-b"]), found["a-b"].count("--hash")) == ("1.2", 2)
