"""Models that were trained elsewhere: had by their hash, and nothing of them runs before they were looked at."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mlstrata.clients.mlflow import Registry
from mlstrata.services.runner.elsewhere import RECORD, NotFetched, fetch
from mlstrata_steps import StepError
from mlstrata_steps.brought import bring
from mlstrata_steps.converted.file import LARGEST
from mlstrata_steps.estimator import save
from mlstrata_steps.own_store import MAGIC
from mlstrata_steps.package import file_hash
from mlstrata_steps.seal import folder_digest
from tests.support.packed import pack

NOWHERE = Registry("http://127.0.0.1:1")


@pytest.fixture
def root(tmp_path):
    """A workspace with somebody's model in it."""
    pack(tmp_path / "workspace/vendor")
    (tmp_path / "workspace/vendor/model.skops").write_bytes(b"as the vendor packed it")
    return tmp_path / "workspace"


def had(root, source="vendor", declared=""):
    return fetch(source, root.parent / "home", root=root, registry=NOWHERE, declared=declared)


def test_it_is_kept_by_the_hash_that_it_had_first(root):
    found = had(root)
    assert found.digest == folder_digest(root / "vendor")
    assert found.file.read_bytes() == b"as the vendor packed it"
    assert had(root) == found
    assert json.loads((root.parent / "home" / RECORD).read_text()) == {"vendor": found.digest}


def test_one_that_changed_is_refused_until_the_file_names_it(root):
    first = had(root)
    (root / "vendor/model.skops").write_bytes(b"another one")
    new = folder_digest(root / "vendor")
    with pytest.raises(NotFetched, match=f"first fetched .* {first.digest}; .* declare model.digest: {new}"):
        had(root)
    second = had(root, declared=new)
    assert second.digest == new != first.digest
    assert had(root) == second
    with pytest.raises(NotFetched, match="the file says"):
        had(root, declared=first.digest)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nowhere", "no such folder"),
        ("../workspace-of-another", "no such folder"),
        ("/etc", "no such folder"),
        ("ftp://host/model", "allowed models:/NAME/VERSION"),
        ("models:/vendor/latest", "an alias may move"),
        ("models:/vendor@champion", "an alias may move"),
        ("mlflow+http://127.0.0.1:1/vendor/3", "does not answer"),
        ("models:/vendor/3", "does not answer"),
    ],
)
def test_what_cannot_be_had_is_told(root, source, words):
    with pytest.raises(NotFetched, match=words):
        had(root, source)
    assert not list((root.parent / "home").glob("*"))


def test_what_would_run_its_own_code_is_not_kept(root):
    text = (root / "vendor/MLmodel").read_text()
    (root / "vendor/MLmodel").write_text(text.replace("mlflow.sklearn", "evilloader"))
    with pytest.raises(NotFetched, match="loader_module: got 'evilloader'"):
        had(root)
    (root / "vendor/MLmodel").write_text(text.replace("serialization_format: skops", "serialization_format: pickle"))
    with pytest.raises(NotFetched, match="runs code when it is loaded"):
        had(root, "vendor", declared=folder_digest(root / "vendor"))
    shutil.rmtree(root / "vendor")
    (root / "vendor").mkdir()
    (root / "vendor/link").symlink_to("/etc/passwd")
    with pytest.raises(NotFetched, match="no plain file"):
        had(root)


def graph():
    """A graph with a tensor that MLflow writes into a file beside it."""
    weights = numpy_helper.from_array(np.ones((600, 1), dtype="float32"), "w")
    taken, told = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width]) for name, width in (("x", 600), ("y", 1))
    )
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    return helper.make_model(helper.make_graph([node], "theirs", [taken], [told], [weights]), ir_version=10)


def test_an_onnx_file_is_known_by_its_own_hash(root):
    (root / "vendor/theirs.onnx").write_bytes(content := graph().SerializeToString())
    found = had(root, "vendor/theirs.onnx")
    assert found.digest == "sha256:" + hashlib.sha256(content).hexdigest()
    assert found.file.read_bytes() == content
    assert found.file.suffix == ".onnx"
    (root / "vendor/theirs.onnx").write_bytes(content + b"\x12\x00")
    with pytest.raises(NotFetched, match=r"declare model\.digest: sha256:"):
        had(root, "vendor/theirs.onnx")
    with pytest.raises(NotFetched, match="no such file"):
        had(root, "vendor/others.onnx")


def test_one_that_mlflow_logged_is_made_whole_with_what_lies_beside_it(root):
    import mlflow.onnx

    mlflow.onnx.save_model(graph(), str(root / "logged"), pip_requirements=["onnxruntime"])
    file = root / "logged/model.onnx"
    assert onnx.load(str(file), load_external_data=False).graph.initializer[0].external_data
    found = had(root, "logged")
    assert found.digest == folder_digest(root / "logged")
    assert numpy_helper.to_array(onnx.load(str(found.file)).graph.initializer[0]).sum() == 600
    assert had(root, "logged").file == found.file
    outside = onnx.load(str(file), load_external_data=False)
    next(one for one in outside.graph.initializer[0].external_data if one.key == "location").value = "../rows"
    file.write_bytes(outside.SerializeToString())
    with pytest.raises(NotFetched, match=r"keeps data in '\.\./rows'; export it as one file"):
        had(root, "logged", declared=folder_digest(root / "logged"))
    described = (root / "logged/MLmodel").read_text()
    (root / "logged/MLmodel").write_text(described.replace("data: model.onnx", "data: /etc/model.onnx"))
    with pytest.raises(NotFetched, match=r"got '/etc/model\.onnx'; allowed an ONNX file beside it"):
        had(root, "logged", declared=folder_digest(root / "logged"))


class Bucket:
    """A store with one object; it says how large that is, and gives what it has."""

    def __init__(self, content, size=None):
        self.content, self.size = content, len(content) if size is None else size

    def head_object(self, **named):
        assert named == {"Bucket": "models", "Key": "vendor/theirs.onnx"}
        return {"ContentLength": self.size}

    def download_file(self, bucket, key, to):
        assert (bucket, key) == ("models", "vendor/theirs.onnx")
        Path(to).write_bytes(self.content)


def test_one_in_a_bucket_is_had_alone_and_not_where_it_is_too_large(root, monkeypatch):
    content = graph().SerializeToString()
    monkeypatch.setattr("boto3.client", lambda _kind: Bucket(content))
    found = had(root, "s3://models/vendor/theirs.onnx")
    assert found.digest == "sha256:" + hashlib.sha256(content).hexdigest()
    monkeypatch.setattr("boto3.client", lambda _kind: Bucket(content, LARGEST + 1))
    with pytest.raises(NotFetched, match=f"has {LARGEST + 1} bytes; allowed {LARGEST}"):
        had(root, "s3://models/vendor/theirs.onnx")


@pytest.mark.parametrize("domain", ["com.microsoft", "com.example"])
def test_an_onnx_file_that_needs_a_library_is_not_kept(root, domain):
    made = graph()
    made.opset_import.append(helper.make_opsetid(domain, 1))
    (root / "vendor/theirs.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(NotFetched, match=f"operators of '{domain}'; .* other libraries are not loaded"):
        had(root, "vendor/theirs.onnx")


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Rows that a model may be judged on, and one that takes two of their columns."""
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    folder = tmp_path_factory.mktemp("rows")
    table = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.0, 1.0, 0.0], "paid": ["no", "no", "yes", "yes"]})
    table.to_parquet(folder / "rows.parquet")
    save(LogisticRegression().fit(table[["a", "b"]], table["paid"] == "yes"), str(folder / "model.skops"))
    save(LogisticRegression().fit(table[["a", "b"]].to_numpy(), table["paid"] == "yes"), str(folder / "nameless.skops"))
    (folder / "pickle.skops").write_bytes(MAGIC + b"hostile")
    return folder


def brought(rows, tmp_path, name="model.skops", digest="", **roles):
    file = str(rows / name)
    columns = {"target": "paid", "positive": "yes", **roles}
    return bring(file, digest or file_hash(file), str(rows / "rows.parquet"), str(tmp_path / "copied"), columns)


def test_it_is_taken_with_what_it_must_beat(rows, tmp_path):
    found = brought(rows, tmp_path)
    assert found.features == ("a", "b")
    assert found.answers == {"positive": 0.5} or 0.5 in found.answers.values()
    assert (tmp_path / "copied").read_bytes() == (rows / "model.skops").read_bytes()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"name": "nameless.skops"}, "fitted on a data frame"),
        ({"name": "pickle.skops"}, "is a pickle"),
        ({"digest": "sha256:" + "0" * 64}, "has changed since it was fetched"),
        ({"protected": ["a"]}, "takes a, which is the target, protected or excluded"),
        ({"target": "b", "positive": "1.0"}, "takes b, which is the target"),
    ],
)
def test_one_that_cannot_be_judged_is_refused_with_the_reason(rows, tmp_path, asked, words):
    with pytest.raises(StepError, match=words):
        brought(rows, tmp_path, **asked)
