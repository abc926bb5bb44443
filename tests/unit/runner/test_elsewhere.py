"""Models that were trained elsewhere: had by their hash, and nothing of them runs before they were looked at."""

import json
import shutil

import pytest

from mlstrata.clients.mlflow import Registry
from mlstrata.services.runner.elsewhere import RECORD, NotFetched, fetch
from mlstrata_steps import StepError
from mlstrata_steps.brought import bring
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
