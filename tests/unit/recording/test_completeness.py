"""Every answer in the gateway's log is looked for once, wherever the log has gone meanwhile."""

import gzip
import json
from datetime import UTC, datetime

import pytest

from mlstrata.services.gateway.logfiles import Archive, closing
from mlstrata.services.recording.completeness import FORGET_SECONDS, PATIENCE_SECONDS, Completeness

BEGUN = 1_800_000_000.0
LATER = BEGUN + 100.0


class Recorded(set):
    """What is in the store; notes what it was asked for."""

    asked: list

    def missing(self, ids):
        self.asked = sorted(ids)
        return set(ids) - self


@pytest.fixture
def recorded():
    return Recorded()


@pytest.fixture
def follow(tmp_path, recorded):
    def begin(now=BEGUN):
        return Completeness(tmp_path / "access.log", tmp_path / "state.json", ["credit"], recorded.missing, now)

    return begin


def line(request, at=BEGUN + 1, **more):
    entry = {"time": datetime.fromtimestamp(at, UTC).isoformat(), "request_id": request, "system": "credit"}
    entry |= {"version": "3", "method": "POST", "status": 200, "grpc_status": None}
    return json.dumps(entry | more) + "\n"


def write(path, *lines):
    with path.open("a") as file:
        file.writelines(lines)


def test_what_is_recorded_late_is_not_missing_for_long(follow, recorded, tmp_path):
    following = follow()
    write(tmp_path / "access.log", line("a"), line("b"))
    recorded.add("a")
    assert following.look(BEGUN + 2) == {"credit": 0}, "it has some time to arrive"
    assert following.look(BEGUN + 2 + PATIENCE_SECONDS) == {"credit": 1}
    assert recorded.asked == ["b"], "what was found is not asked for again"
    recorded.add("b")
    assert following.look(LATER) == {"credit": 0}


@pytest.mark.parametrize(
    "more",
    [
        {"status": 503},
        {"system": "other"},
        {"system": None},
        {"version": None},
        {"method": "GET"},
        {"grpc_status": 14},
        {"request_id": None},
        {"at": BEGUN - 1},
    ],
)
def test_what_no_model_answered_is_not_looked_for(follow, tmp_path, more):
    following = follow()
    write(tmp_path / "access.log", line(**{"request": "a", **more}), "cut off\n", '{"time": 1}\n', "[]\n")
    assert following.look(LATER) == {"credit": 0}


def test_nothing_is_missing_before_there_is_a_log(follow):
    assert follow().look(LATER) == {"credit": 0}


def test_a_half_written_line_is_read_once_it_is_whole(follow, tmp_path):
    following, text = follow(), line("a")
    write(tmp_path / "access.log", line("b", status=400), text[:20])
    assert following.look(LATER) == {"credit": 0}
    write(tmp_path / "access.log", text[20:])
    assert following.look(LATER) == {"credit": 1}


@pytest.mark.parametrize("again", [False, True], ids=["going on", "started again"])
def test_no_line_is_read_twice_or_passed_over_when_the_log_moves(follow, recorded, tmp_path, again):
    log, following = tmp_path / "access.log", follow()
    write(log, line("a"))
    recorded.add("a")
    assert following.look(LATER) == {"credit": 0}
    archive = Archive.of(log, datetime.fromtimestamp(LATER, UTC))

    def pack():
        archive.packed.write_bytes(gzip.compress(archive.plain.read_bytes()))
        archive.plain.unlink()

    moves = [lambda: log.rename(closing(log)), lambda: closing(log).rename(archive.plain), pack]
    for number, move in enumerate(moves, 1):
        if number < 3:
            write(log if number == 1 else closing(log), line(f"before-{number}"))
        move()
        write(log, line(f"after-{number}"))
        if again:
            following = follow(LATER + number)
        news = {f"after-{number}", *({f"before-{number}"} if number < 3 else ())}
        recorded.update(news)
        following.look(LATER + number)
        assert set(recorded.asked) == news, "what was found before is not asked for again"
    assert following.look(LATER + 10) == {"credit": 0}


def test_an_archive_is_unpacked_once_and_what_did_not_change_is_not_written_again(follow, tmp_path, monkeypatch):
    log = tmp_path / "access.log"
    archive = Archive.of(log, datetime.fromtimestamp(LATER, UTC))
    archive.packed.write_bytes(gzip.compress(line("a").encode()))
    write(log, line("b"))
    unpacked, seek = [], gzip.GzipFile.seek
    monkeypatch.setattr(gzip.GzipFile, "seek", lambda *given: unpacked.append(1) or seek(*given))
    following, state = follow(), tmp_path / "state.json"
    assert following.look(LATER) == {"credit": 2}
    written, before = state.read_bytes(), state.stat().st_ino
    assert following.look(LATER + 5) == {"credit": 2}
    assert (len(unpacked), state.stat().st_ino) == (1, before)
    # After a restart, too, no line is taken for a new one.
    assert follow(LATER + 10).look(LATER + 10) == {"credit": 2}
    assert (len(unpacked), state.read_bytes()) == (2, written)
    write(log, line("c"))
    following.look(LATER + 10)
    assert state.stat().st_ino != before


def test_what_was_read_while_the_store_did_not_answer_is_read_again(follow, recorded, tmp_path, monkeypatch):
    archive = Archive.of(tmp_path / "access.log", datetime.fromtimestamp(LATER, UTC))
    archive.packed.write_bytes(gzip.compress(line("a").encode()))
    following = follow()

    def fails(_ids):
        raise OSError

    monkeypatch.setattr(following, "_missing", fails)
    with pytest.raises(OSError):  # noqa: PT011 - it has no message
        following.look(LATER)
    monkeypatch.setattr(following, "_missing", recorded.missing)
    assert following.look(LATER) == {"credit": 1}


def test_what_was_missing_for_a_day_was_told(follow, tmp_path):
    following = follow()
    write(tmp_path / "access.log", line("a"))
    assert following.look(LATER) == {"credit": 1}
    assert following.look(BEGUN + 2 + FORGET_SECONDS) == {"credit": 0}


def test_a_damaged_state_is_said(follow, tmp_path):
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(ValueError, match=r"state\.json: not what a recorder writes"):
        follow()
