"""A version is answered by its ONNX form where it has one, else by the pipeline; and nothing heavy is imported."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from mlstrata.services.serving import model
from mlstrata.services.serving.admission import RefusedError, place
from mlstrata.services.serving.converted import ConvertedModel, converted
from mlstrata.services.serving.metrics import FALLBACKS
from mlstrata_steps.converted.form import FILE
from mlstrata_steps.package import package
from mlstrata_steps.seal import folder_digest
from mlstrata_steps.tables import canonical, write_table
from mlstrata_steps.train import train

ROW = {"x": None, "colour": "red"}
LOAD = """
import sys
from pathlib import Path
from mlstrata.services.serving.model import load
found = load("1", Path(sys.argv[1]))
print(type(found).__name__, found.predict(found.example).shape, [
    name for name in ("mlflow", "pandas", "scipy", "sklearn", "onnx", "skl2onnx") if name in sys.modules
])
"""


@pytest.fixture
def served(packed, tmp_path):
    """The packaged model, where a release puts it."""
    folder = tmp_path / "models/1"
    folder.parent.mkdir()
    subprocess.run(["cp", "-r", str(packed), str(folder)], check=True)
    return folder


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
    found = package(str(folder / "model"), str(folder / "rows"), str(folder / "out"), columns)
    assert "reason" not in found["onnx"]
    return folder / "out"


def fallbacks():
    return FALLBACKS.labels("1")._value.get()


def test_nothing_that_the_model_learnt_with_is_imported(served):
    done = subprocess.run([sys.executable, "-c", LOAD, str(served)], capture_output=True, text=True, check=True)
    assert done.stdout.split(maxsplit=1) == ["ConvertedModel", "(3,) []\n"]


def test_it_is_what_the_pipeline_is(served):
    found, pipeline = model.load("1", served), model.LoadedModel("1", served)
    assert isinstance(found, ConvertedModel)
    assert found.schema.columns == pipeline.schema.columns
    assert (found.output, found.example) == (pipeline.output, pipeline.example)
    rows = [*found.example, ROW, {"x": 3.0, "colour": "never seen"}, {"x": -1.0, "colour": None}]
    assert found.predict(rows) == pytest.approx(pipeline.predict(rows), abs=1e-12)


def test_without_the_file_the_pipeline_answers(served):
    (served / FILE).unlink()
    assert converted("1", served) is None
    assert isinstance(model.load("1", served), model.LoadedModel)


@pytest.mark.parametrize("content", [b"", b"no model", b"\x3a\x02\x0a\x00"])
def test_where_the_form_cannot_be_computed_the_pipeline_answers_and_that_is_counted(served, content):
    (served / FILE).write_bytes(content)
    before = fallbacks()
    assert isinstance(model.load("1", served), model.LoadedModel)
    assert fallbacks() == before + 1


def test_a_form_that_was_not_released_is_not_even_read(served):
    place(served).parent.mkdir()
    place(served).write_text(json.dumps({"digest": folder_digest(served)}))
    assert isinstance(model.load("1", served), ConvertedModel)
    content = (served / FILE).read_bytes()
    (served / FILE).write_bytes(content + b"\x00")
    with pytest.raises(RefusedError, match="not those that were judged"):
        model.load("1", served)
