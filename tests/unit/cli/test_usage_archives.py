"""`mlstrata usage` counts the log and its archives, and opens none that is too old."""

import gzip
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlstrata.cli.main import main
from mlstrata.environments import Workspace
from mlstrata.services.gateway.logfiles import Archive, closing
from mlstrata.services.gateway.names import ACCESS_LOG

ROOT = Path(__file__).parents[3]
NOW = datetime.now(UTC)


def line(at):
    entry = {"time": at.isoformat(), "system": "loans", "consumer": "desk", "api": "v1", "version": "1"}
    return json.dumps({**entry, "status": 200, "duration_ms": 7}).encode() + b"\n"


@pytest.fixture
def log(tmp_path, monkeypatch):
    (tmp_path / "environments").mkdir()
    shutil.copy(ROOT / "environments/local.yaml", tmp_path / "environments")
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    made = Workspace(tmp_path).home("local") / ACCESS_LOG
    made.parent.mkdir(parents=True)
    made.write_bytes(line(NOW))
    closing(made).write_bytes(line(NOW - timedelta(minutes=1)) * 2)
    Archive.of(made, NOW - timedelta(hours=1)).plain.write_bytes(line(NOW - timedelta(hours=2)) * 4)
    yesterday = line(NOW - timedelta(hours=30)) * 8 + line(NOW - timedelta(hours=23)) * 16
    Archive.of(made, NOW - timedelta(hours=22)).packed.write_bytes(gzip.compress(yesterday))
    Archive.of(made, NOW - timedelta(days=100)).packed.write_bytes(gzip.compress(line(NOW - timedelta(days=101)) * 32))
    return made


@pytest.mark.parametrize(
    ("since", "requests"), [("", 63), ("30m", 3), ("3h", 7), ("24h", 23), ("7d", 31), ("199d", 63)]
)
def test_every_request_of_the_period_counts_once(log, capsys, since, requests):
    assert main(["usage", "local", "--json", *(["--since", since] if since else [])]) == 0
    (one,) = json.loads(capsys.readouterr().out)["usage"]
    assert (one["requests"], one["p99_ms"]) == (requests, 7)


def test_a_damaged_archive_is_named_and_matters_to_its_own_time_alone(log, capsys):
    damaged = Archive.of(log, NOW - timedelta(days=100)).packed
    damaged.write_bytes(damaged.read_bytes()[:-5])
    assert main(["usage", "local", "--since", "7d"]) == 0
    assert main(["usage", "local"]) == 1
    told = capsys.readouterr().err
    assert damaged.name in told.replace("\n", "")
    assert "Traceback" not in told


def test_after_everything_was_archived_the_archives_are_enough(log, capsys):
    log.unlink()
    closing(log).unlink()
    assert main(["usage", "local", "--json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)["usage"]
    assert one["requests"] == 60


def test_no_log_at_all_says_what_to_do(log, capsys):
    shutil.rmtree(log.parent)
    assert main(["usage", "local"]) == 2
    assert "`mlstrata up local` first" in capsys.readouterr().err.replace("\n", " ")
