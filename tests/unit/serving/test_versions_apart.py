"""Versions that bring one package each: every one answers by its own code, in a process that ends with whoever asks."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

from mlstrata.files import write
from mlstrata.services.serving.admission import Admission, digest_of, place
from mlstrata.services.serving.model import LoadedModel, ModelApart, load
from mlstrata.services.serving.problem import ProblemError
from mlstrata.services.serving.settings import ServingSettings
from mlstrata.services.serving.versions import Versions
from mlstrata_steps.apart import Apart, OwnCodeError
from tests.support.patience import eventually

RULE = """
from acme_rule.limits import LIMIT


class Rule:
    def predict(self, table):
        print("seen by nobody who reads our lines")
        {does}


def _load_pyfunc(path):
    return Rule()
"""
ANSWERS = "return [LIMIT] * len(table)"
ROW = [{"a": 1.0, "b": 2, "c": None}]


@pytest.fixture
def bring(tmp_path):
    def bring(version: str, limit: object, does: str = ANSWERS) -> Path:
        """Pack a version of the package `acme_rule`, as training packs one of a system that brings code."""
        package = tmp_path / f"source-{version}" / "acme_rule"
        write(package / "__init__.py", "")
        write(package / "limits.py", f"LIMIT = {limit}\n")
        write(package / "rule.py", RULE.format(does=does))
        folder = tmp_path / "models" / version
        columns = [ColSpec("double", "a"), ColSpec("long", "b"), ColSpec("string", "c", required=False)]
        signature = ModelSignature(Schema(columns), Schema([ColSpec("double")]))
        mlflow.pyfunc.save_model(
            folder, loader_module="acme_rule.rule", code_paths=[str(package)], signature=signature,
            input_example=pd.DataFrame(ROW),
        )  # fmt: skip
        write(place(folder), Admission(digest=digest_of(folder), own_code=True).model_dump_json())
        return folder

    return bring


@pytest.fixture
def versions(tmp_path):
    return Versions(ServingSettings(system="loans", directory=tmp_path, http_port=1, grpc_port=2, metrics_port=3))


def children() -> set[int]:
    """Return the processes that hold a model for this one."""
    found = subprocess.run(
        ["pgrep", "-f", "mlstrata_steps.apart", "-P", str(os.getpid())], capture_output=True, text=True, check=False
    )
    return {int(one) for one in found.stdout.split()}


def test_two_versions_of_one_package_answer_by_their_own_code(bring, versions, monkeypatch, tmp_path, capfd):
    # A package of that name in the workspace is neither's.
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path / "source-2"))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "")
    before = {number: digest_of(bring(number, limit)) for number, limit in (("1", 0.1), ("2", 0.2))}
    first, second = versions.load("1"), versions.load("2")
    assert (first.predict(ROW).tolist(), second.predict(ROW).tolist()) == ([0.1], [0.2])
    assert first.predict(ROW).tolist() == [0.1], "also after the other was loaded"
    assert not [one for one in sys.modules if one.startswith("acme_rule")]
    assert {number: digest_of(tmp_path / "models" / number) for number in before} == before, "nothing is compiled there"
    assert "seen by nobody" not in capfd.readouterr().out


def test_what_brings_no_code_stays_in_this_process(bring):
    folder = bring("1", 0.1)
    assert isinstance(load("1", folder), ModelApart)
    place(folder).unlink()
    with pytest.raises(Exception, match="loader_module"):
        load("1", folder)


@pytest.mark.parametrize(
    ("limit", "does", "said"),
    [
        ("0.1", "raise KeyError('gone')", "OwnCodeError: KeyError: 'gone'"),
        ("0.1", "raise SystemExit(3)", "OwnCodeError: its process ended with code 3"),
        ("0.1", "import os; os.kill(os.getpid(), 9)", "OwnCodeError: its process ended with code -9"),
        ("absent", ANSWERS, "OwnCodeError: NameError: name 'absent' is not defined"),
        ("'a'", ANSWERS, "OutputError: "),
    ],
)
def test_a_version_that_fails_says_how_and_leaves_no_process(bring, versions, limit, does, said):
    bring("3", limit, does)
    with pytest.raises(ProblemError) as error:
        versions.load("3")
    assert said in error.value.message
    assert children() == set()


def test_a_process_that_was_ended_is_started_anew_and_ends_with_the_model(bring, versions):
    bring("1", 0.1)
    model = versions.load("1")
    (process,) = children()
    os.kill(process, signal.SIGTERM)
    assert model.predict(ROW).tolist() == [0.1], "whoever asks decides when it ends"
    assert children() == {process}
    os.kill(process, signal.SIGKILL)
    assert model.predict(ROW).tolist() == [0.1]
    assert len(children() - {process}) == 1
    del model
    versions.unload("1")
    eventually(lambda: children() == set())


def test_it_ends_with_a_process_that_is_killed(bring):
    folder = bring("1", 0.1)
    code = f"""
from pathlib import Path
from mlstrata.services.serving.model import load
made = load("1", Path({str(folder)!r}))
print(made._model._process._process.pid, flush=True)
input()
"""
    asking = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    process = Path("/proc") / asking.stdout.readline().strip()
    assert process.is_dir()
    asking.kill()
    asking.communicate()
    eventually(lambda: not process.is_dir())


def test_an_error_of_ours_stays_what_it_is(bring):
    folder = bring("1", 0.1)
    write(folder / "MLmodel", (folder / "MLmodel").read_text() + "\n")
    with pytest.raises(Exception, match="not those that were judged and released") as refused:
        load("1", folder)
    with pytest.raises(type(refused.value)):
        LoadedModel("1", folder)
    with pytest.raises(OwnCodeError, match="AttributeError"):
        Apart("mlstrata_steps.apart:nothing_of_this_name")
