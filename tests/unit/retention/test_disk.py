"""What takes the disk is told whole; records of updates end; evidence of what was released stays."""

import json
import os
import time
from datetime import UTC, datetime, timedelta

import pytest

from mlstrata.cli.disk import size_of
from mlstrata.cli.main import main
from mlstrata.clients.mlflow import RegistryError
from mlstrata.files import write
from mlstrata.operations import erasure, history
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import Failed
from mlstrata.services.exporter.names import PRUNED
from mlstrata.services.exporter.pruning import Pruning
from mlstrata.services.retention.settings import KEPT
from mlstrata.services.serving.releases import FILE, HistoryEntry, Releases
from tests.support.command import ROOT, first_systems
from tests.support.patience import eventually

SYSTEM, DAY = "mortgage-approval", 86400.0
FILES = {
    f"data/runner/{SYSTEM}/artifacts/training-1/train/model": ("run_files", SYSTEM, 100),
    f"data/runner/{SYSTEM}/data/aa.parquet": ("snapshots", SYSTEM, 200),
    "data/runner/gone/cache/1.json": ("step_results", "gone", 50),
    "data/runner/lineage.jsonl": ("lineage", "", 7),
    f"data/serving/{SYSTEM}/models/1/MLmodel": ("served_models", SYSTEM, 30),
    "data/mlflow/mlflow.db": ("registry", "", 500),
    "data/storage/volume": ("other", "", 11),
    "config/seal/key": ("other", "", 1),
    "logs/access-20200101T000000.000000Z.log.gz": ("access_log", "", 40),
    "logs/mlflow.log": ("service_logs", "", 9),
}


@pytest.fixture
def deployment(tmp_path, monkeypatch):
    file = tmp_path / "environments/local.yaml"
    file.parent.mkdir()
    file.write_text(first_systems((ROOT / "environments/local.yaml").read_text(), 1))
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    return Deployment.open("local")


def test_all_of_it_is_told_with_what_keeps_it(deployment, capsys):
    assert main(["usage", "local", "--disk"]) == 2
    assert "local has no data yet" in capsys.readouterr().err
    for name, (_, _, size) in FILES.items():
        write(deployment.home / name, b"x" * size)
    (deployment.home / "data/runner/linked").symlink_to(ROOT)
    assert main(["usage", "local", "--disk", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    sizes = {(one["kind"], one["system"]): one["size"] for one in told["disk"]}
    wanted: dict = {}
    for kind, system, size in FILES.values():
        wanted[kind, system] = wanted.get((kind, system), 0) + size
    assert sizes == wanted
    assert told["bytes"] == sum(wanted.values())
    by_kind = {one["kind"]: one for one in told["disk"]}
    assert by_kind["snapshots"]["why"] == ["the registry does not say what needs it"]
    assert by_kind["step_results"]["why"] == ["the file declares it no more: `mlstrata erase`"]
    assert (by_kind["access_log"]["may_go"], by_kind["run_files"]["may_go"]) == (40, 0)
    assert datetime.fromisoformat(by_kind["run_files"]["next"]) > datetime.now(UTC) + timedelta(days=89)
    assert main(["usage", "local", "--disk"]) == 0
    shown = capsys.readouterr().out
    assert f"run_files      {SYSTEM}" in shown
    assert "948 B in all; 40 B may go" in shown
    assert main(["usage", "local", "--disk", "--since", "1h"]) == 2


@pytest.mark.parametrize(("count", "said"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**50, "1024.0 TiB")])
def test_sizes_are_said_as_people_do(count, said):
    assert size_of(count) == said


def test_records_of_updates_end_but_for_the_newest(deployment, tmp_path):
    now, folder = time.time(), tmp_path / ".pulumi/history/mlstrata/local"
    for number in range(15):
        for kind in ("history", "checkpoint"):
            path = folder / f"local-{10**18 + number}.{kind}.json"
            write(path, b"xx")
            os.utime(path, (now - (500 - number) * DAY,) * 2)
    copies = tmp_path / ".pulumi/backups/mlstrata/local"
    for number in range(12):
        write(copies / f"local.{10**18 + number}.json", b"x")
        os.utime(copies / f"local.{10**18 + number}.json", (now - 500 * DAY,) * 2)
    state = tmp_path / ".pulumi/stacks/mlstrata/local.json"
    write(state, b"{}")
    history.prune(deployment, now)
    left = sorted(int(one.name.split("-")[1].split(".")[0]) - 10**18 for one in folder.glob("*.history.json"))
    assert left == list(range(5, 15)), "of those that are too old the newest ten stay"
    assert (len(list(folder.iterdir())), len(list(copies.iterdir()))) == (20, 10)
    history.prune(deployment, now)
    assert len(list(folder.iterdir())) == 20
    assert state.exists()


def test_what_is_younger_than_the_file_says_stays(deployment, tmp_path):
    folder = tmp_path / ".pulumi/history/mlstrata/local"
    for number in range(30):
        write(folder / f"local-{10**18 + number}.history.json", b"xx")
    history.prune(deployment, time.time() + 399 * DAY)
    assert len(list(folder.iterdir())) == 30
    history.prune(deployment, time.time() + 401 * DAY)
    assert len(list(folder.iterdir())) == history.NEWEST


class Registry:
    """Knows two versions, each with its reports."""

    down = False

    def versions(self, system):
        return [{"version": number, "run_id": f"run-{number}"} for number in ("2", "1")]

    def reports(self, run):
        if self.down:
            raise RegistryError("no answer")
        return {"gates": {"passed": run}, "evaluation": {"auc": 0.8}, "tuning": {"trials": []}}


def test_evidence_of_what_was_released_is_kept_and_only_that(deployment):
    released = HistoryEntry(kind="release", when="2026-11-21T06:00:00Z", who="a", why="b", from_=None, to="1")
    folder = deployment.home / "data/serving/gone"
    write(folder / FILE, Releases(champion="1", loaded=("1",), history=(released,)).to_json())
    kept = erasure._keep_evidence(deployment, Registry(), "gone", "the contract ended")
    assert kept == deployment.home / "data/documents/gone"
    files = {one.relative_to(kept).as_posix() for one in kept.rglob("*") if one.is_file()}
    assert files == {"1/gates.json", "1/evaluation.json", FILE, KEPT}
    about = json.loads((kept / KEPT).read_text())
    assert (about["reason"], about["versions"]) == ("the contract ended", ["1"])
    assert about["until"] > time.time() + 3652 * DAY
    (folder / FILE).unlink()
    assert erasure._keep_evidence(deployment, Registry(), "gone", "again") == kept, "what was cut off has kept it"
    assert {one.relative_to(kept).as_posix() for one in kept.rglob("*") if one.is_file()} == files
    assert erasure._keep_evidence(deployment, Registry(), "tried", "never released") is None
    write(folder / FILE, "{")
    with pytest.raises(Failed, match="nothing is erased"):
        erasure._keep_evidence(deployment, Registry(), "gone", "damaged")


def test_the_service_prunes_again_and_again_and_says_what_is_wrong(tmp_path, capfd):
    file = tmp_path / "retention.json"
    pruning = Pruning(file, first=0.0, every=0.2)
    began = pruning.done
    said = ""

    def complained():
        nonlocal said
        said += capfd.readouterr().err
        return "not all removed yet" in said

    eventually(complained)
    assert pruning.done == began
    names = ("runs", "caches", "logs", "predictions", "documents")
    known = {"home": str(tmp_path), "tracking_uri": "", "systems": {}, **dict.fromkeys(names, 1.0)}
    write(tmp_path / "logs/runs/1.log", b"x")
    os.utime(tmp_path / "logs/runs/1.log", (0, 0))
    file.write_text(json.dumps(known))
    eventually(lambda: pruning.done > began)
    assert not (tmp_path / "logs/runs/1.log").exists()
    assert pruning.exposition().startswith(f"# TYPE {PRUNED} gauge\n{PRUNED} ")
