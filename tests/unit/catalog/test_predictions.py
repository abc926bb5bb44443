"""One prediction is found wherever the log has gone."""

import gzip
import json
from datetime import UTC, datetime, timedelta

import pytest

from mlstrata.services.catalog import predictions
from mlstrata.services.catalog.predictions import find
from mlstrata.services.gateway.logfiles import Archive, closing

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def line(request, version="1", **more):
    entry = {"request_id": request, "time": "2026-11-20T09:00:00Z", "system": "loans", "version": version}
    return json.dumps({**entry, "status": 200, "consumer": "desk", **more}).encode() + b"\n"


@pytest.fixture
def log(tmp_path):
    """One request in each file that a log may have become, the newest first."""
    made = tmp_path / "access.log"
    made.write_bytes(line("live"))
    closing(made).write_bytes(line("closing"))
    Archive.of(made, NOW).plain.write_bytes(line("plain"))
    Archive.of(made, NOW - timedelta(days=1)).packed.write_bytes(gzip.compress(line("packed") * 3))
    Archive.of(made, NOW - timedelta(days=2)).packed.write_bytes(b"damaged")
    Archive.of(made, NOW - timedelta(days=3)).packed.write_bytes(gzip.compress(line("cut off" * 9))[:-9])
    Archive.of(made, NOW - timedelta(days=190)).packed.write_bytes(gzip.compress(line("oldest", None)))
    return made


@pytest.mark.parametrize("request_id", ["live", "closing", "plain", "packed", "oldest"])
def test_it_is_found_in_the_log_and_in_every_archive(log, request_id):
    found = find(log, request_id)
    assert (found.request_id, found.consumer) == (request_id, "desk")
    assert found.version == (None if request_id == "oldest" else "1")
    assert find(log, "absent") is None


def test_the_newest_of_that_id_counts(log):
    closing(log).write_bytes(line("packed", "2") + line("packed", "3"))
    assert find(log, "packed").version == "3"


def test_the_work_is_bounded(log, monkeypatch):
    monkeypatch.setattr(predictions, "SEARCHED", log.stat().st_size + closing(log).stat().st_size + 1)
    assert find(log, "plain") is None, "of a plain file only the last byte is left to search"
    Archive.of(log, NOW).plain.unlink()
    assert find(log, "packed") is not None, "what is compressed is read to its end"
    assert find(log, "oldest") is None
    log.write_bytes(line("begin") + line("filler") * 10)
    monkeypatch.setattr(predictions, "SEARCHED", 10 * len(line("filler")))
    assert find(log, "filler") is not None
    assert find(log, "begin") is None


def test_without_a_log_nothing_is_found(tmp_path):
    assert find(tmp_path / "logs/access.log", "any") is None
