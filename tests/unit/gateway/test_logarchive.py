"""The access log's archives: every line is read exactly once and kept its time, whatever ends when."""

import gzip
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mlstrata.services.gateway import logarchive, logfiles
from mlstrata.services.gateway.logarchive import Archiver, Archiving, NotReopenedError, is_written
from mlstrata.services.gateway.logfiles import Archive, LogDamagedError, archives, closing, lines
from mlstrata.services.gateway.names import ARCHIVED
from tests.support.patience import eventually

ROOT = Path(__file__).parents[3]
KEEP = timedelta(days=200)
LIMIT = 200


class Writer:
    """Writes as Envoy does: gathers lines, and opens the file anew before it writes the next ones."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.stream = log.open("ab", buffering=0)
        self.gathered: list[bytes] = []
        self.told, self.deaf = False, False

    def reopen(self) -> None:
        if self.deaf:
            raise NotReopenedError("it does not answer")
        self.told = True

    def flush(self, *, under_way: bool = False) -> None:
        """Write what was gathered, with `under_way` where it began to before it was told."""
        if self.told and not under_way:
            self.stream.close()
            self.stream = self.log.open("ab", buffering=0)
            self.told = False
        self.stream.write(b"".join(self.gathered))
        self.gathered = []

    def restart(self) -> None:
        self.told = True
        self.flush()
        self.deaf = False

    def writes(self, file: Path) -> bool:
        return os.path.samestat(os.fstat(self.stream.fileno()), file.stat())


def entry(number: int, at: datetime) -> bytes:
    return json.dumps({"request_id": number, "time": at.isoformat().replace("+00:00", "Z")}).encode() + b"\n"


def ids(log: Path, since: datetime | None = None) -> Counter[int]:
    return Counter(json.loads(line)["request_id"] for line in lines(log, since))


class Killed(BaseException):
    """The process ended between two of its steps."""


class Dying:
    """Lets so many changes of the disk happen, then none: what a killed process does."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.patches = [
            patch.object(owner, name, self.limited(getattr(owner, name)))
            for owner, name in ((Path, "rename"), (Path, "unlink"), (Path, "touch"), (os, "fsync"))
        ]

    def limited(self, real):
        def change(*given, **named):
            if self.left <= 0:
                raise Killed
            self.left -= 1
            return real(*given, **named)

        return change

    def __enter__(self):
        for one in self.patches:
            one.start()

    def __exit__(self, *_):
        for one in self.patches:
            one.stop()


HOW = st.sampled_from(["later", "now", "under way"])
"""When lines reach the disk: later, at once, or at once by a write that began before Envoy was told."""


class Rotations(RuleBasedStateMachine):
    """Requests, rounds, deaths, full disks and readers in any order."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.log = Path(self.folder.name) / "access.log"
        self.envoy = Writer(self.log)
        # Later than any file was really written, and the same in every run.
        self.time = datetime(2100, 1, 1, 22, tzinfo=UTC)
        self.numbers = count()
        self.logged: dict[int, datetime] = {}
        self.pending: dict[int, datetime] = {}
        self.archiver = Archiver(
            self.log,
            KEEP,
            self.envoy.reopen,
            limit=LIMIT,
            patience=0,
            quiet=0,
            now=lambda: self.time,
            written=self.envoy.writes,
        )

    def teardown(self):
        self.envoy.stream.close()
        self.folder.cleanup()

    @rule(requests=st.integers(1, 12), written=HOW)
    def ask(self, requests, written):
        for _ in range(requests):
            number = next(self.numbers)
            self.envoy.gathered.append(entry(number, self.time))
            self.pending[number] = self.time
        if written != "later":
            self.flush(under_way=written == "under way")

    @rule(under_way=st.booleans())
    def flush(self, under_way):
        self.envoy.flush(under_way=under_way)
        self.logged |= self.pending
        self.pending = {}

    @rule(hours=st.sampled_from([1, 7, 24, 24 * 40, 24 * 150]))
    def later(self, hours):
        self.time += timedelta(hours=hours)

    @rule()
    def round(self):
        try:
            self.archiver.round()
        except NotReopenedError:
            assert self.envoy.deaf

    @rule(before=HOW, after=HOW)
    def round_amid_requests(self, before, after):
        self.ask(6, before)
        self.round()
        self.ask(2, after)

    @rule(before=HOW, changes=st.integers(0, 9))
    def round_that_dies(self, before, changes):
        self.ask(3, before)
        with Dying(changes):
            try:
                self.archiver.round()
            except (Killed, NotReopenedError):
                return

    @rule()
    def round_on_a_full_disk(self):
        def full(*_):
            raise OSError(28, "No space left on device")

        with patch.object(logarchive.shutil, "copyfileobj", full):
            try:
                self.archiver.round()
            except (OSError, NotReopenedError):
                return

    @rule()
    def envoy_hears_nothing(self):
        self.envoy.deaf = True

    @rule()
    def envoy_starts_anew(self):
        self.envoy.restart()
        self.logged |= self.pending
        self.pending = {}

    @rule(data=st.data())
    def read_while_it_is_archived(self, data):
        wanted = set(self.young())
        reading, found = lines(self.log), Counter()
        for line in reading:
            found[json.loads(line)["request_id"]] += 1
            match data.draw(st.sampled_from(["nothing", "nothing", "round", "flush"])):
                case "round":
                    self.round()
                case "flush":
                    self.flush(under_way=False)
        assert wanted <= set(found)
        assert max(found.values(), default=1) == 1

    def young(self):
        return {number for number, at in self.logged.items() if at + KEEP >= self.time}

    @invariant()
    def every_line_is_read_once_for_as_long_as_it_is_kept(self):
        found = ids(self.log)
        assert set(found) <= set(self.logged)
        assert self.young() <= set(found)
        assert max(found.values(), default=1) == 1

    @invariant()
    def what_is_asked_since_a_time_is_all_there(self):
        since = self.time - timedelta(hours=8)
        assert {number for number, at in self.logged.items() if at >= since} <= set(ids(self.log, since))

    @rule()
    def undisturbed_it_comes_to_rest(self):
        self.envoy_starts_anew()
        for _ in range(2):
            self.archiver.round()
            self.flush(under_way=False)
        self.archiver.round()
        names = {path.name for path in self.log.parent.iterdir()}
        assert not closing(self.log).exists()
        assert not [name for name in names if name.endswith(".part")]
        assert all(archive.packed.name in names and archive.plain.name not in names for archive in archives(self.log))
        assert self.log.stat().st_size < LIMIT + 12 * 100
        assert all(archive.closed + KEEP >= self.time for archive in archives(self.log))


TestRotations = Rotations.TestCase
TestRotations.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)


def archiver(log: Path, reopen=lambda: None, **given) -> Archiver:
    return Archiver(log, KEEP, reopen, **({"quiet": 0.0, "written": lambda _: False} | given))


def test_a_log_of_another_day_is_archived_and_an_empty_one_never(tmp_path):
    log = tmp_path / "access.log"
    log.write_bytes(entry(1, datetime(2026, 3, 1, 23, 59, tzinfo=UTC)))
    now = datetime.now(UTC) + timedelta(days=1)
    same_day = archiver(log, now=lambda: datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC))
    same_day.round()
    assert archives(log) == []
    archiver(log, now=lambda: now).round()
    (one,) = archives(log)
    assert (one.closed, log.stat().st_size) == (now, 0)
    assert gzip.decompress(one.packed.read_bytes()) == entry(1, datetime(2026, 3, 1, 23, 59, tzinfo=UTC))
    assert one.packed.stat().st_mode & 0o777 == 0o600
    archiver(log, now=lambda: now + timedelta(days=5)).round()
    assert archives(log) == [one]


def test_a_request_of_yesterday_that_ended_today_does_not_end_todays_log(tmp_path):
    log = tmp_path / "access.log"
    now = datetime.now(UTC) + timedelta(days=1)
    Archive.of(log, now.replace(hour=0, minute=0, second=1)).plain.write_bytes(b"{}\n")
    log.write_bytes(entry(1, now.replace(hour=0) - timedelta(hours=1)))
    archiver(log, now=lambda: now).round()
    assert len(archives(log)) == 1


def test_it_goes_by_time_and_never_by_count(tmp_path):
    log = tmp_path / "access.log"
    now = datetime.now(UTC)
    log.touch()
    closed = [now - timedelta(days=day) for day in (199, 199.9, 200.1, 400)] + [
        now - timedelta(minutes=minute) for minute in range(300)
    ]
    for at in closed:
        Archive.of(log, at).packed.write_bytes(gzip.compress(b"{}\n"))
    archiver(log, now=lambda: now).round()
    assert {archive.closed for archive in archives(log)} == {at for at in closed if at + KEEP >= now}


def test_what_was_closed_before_is_not_even_opened(tmp_path):
    log = tmp_path / "access.log"
    log.write_bytes(entry(2, datetime(2026, 3, 2, 1, tzinfo=UTC)))
    old = Archive.of(log, datetime(2026, 3, 1, tzinfo=UTC))
    old.packed.write_bytes(b"no gzip")
    assert ids(log, old.closed + timedelta(seconds=1)) == {2: 1}
    with pytest.raises(LogDamagedError, match=str(old.packed)):
        ids(log, old.closed)


def test_names_that_are_no_archive_are_left_alone(tmp_path):
    log = tmp_path / "access.log"
    log.touch()
    others = ["access-20260230T000000.000000Z.log", "access-old.log.gz", "gateway.log", "xaccess-20260301T000000.log"]
    for name in others:
        (tmp_path / name).write_text("garbage")
    archiver(log, now=lambda: datetime(2036, 1, 1, tzinfo=UTC)).round()
    assert {path.name for path in tmp_path.iterdir()} == {"access.log", *others}
    assert list(lines(log)) == []


def test_a_listing_that_passed_over_what_was_renamed_meanwhile_is_made_again(tmp_path):
    log, closed = tmp_path / "access.log", datetime(2026, 3, 1, tzinfo=UTC)
    all_there = {Archive.of(log, closed), Archive.of(log, closed + timedelta(days=1))}
    with patch.object(logfiles, "_listed", side_effect=[set(list(all_there)[:1]), all_there, all_there]):
        assert archives(log) == sorted(all_there)


def test_without_any_log_there_is_nothing_to_read_or_archive(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(lines(tmp_path / "access.log"))
    archiver(tmp_path / "access.log").round()
    assert not list(tmp_path.iterdir())


def test_who_writes_to_a_file_is_seen_and_who_reads_does_not_count(tmp_path):
    file = tmp_path / "file"
    file.touch()
    assert is_written(file) is False
    with file.open("rb"):
        assert is_written(file) is False
    code = "import sys, time; stream = open(sys.argv[1], 'ab'); print('open', flush=True); time.sleep(3600)"
    child = subprocess.Popen([sys.executable, "-S", "-c", code, str(file)], stdout=subprocess.PIPE)
    try:
        assert child.stdout.readline() == b"open\n"
        file = file.rename(tmp_path / "renamed")
        assert is_written(file) is True
    finally:
        child.kill()
        child.wait()
    assert is_written(file) is False


@pytest.mark.parametrize(
    ("written", "idle_seconds", "closed"),
    [
        pytest.param(True, 3600, False, id="held by an Envoy that nobody asks"),
        pytest.param(None, 3600, True, id="nobody can say, and nothing was added for long"),
        pytest.param(None, 1, False, id="nobody can say"),
        pytest.param(False, 0, True, id="held by nobody"),
    ],
)
def test_a_log_is_closed_when_nobody_may_write_to_it_any_more(tmp_path, written, idle_seconds, closed):
    log, told = tmp_path / "access.log", []
    log.write_bytes(entry(1, datetime.now(UTC)))
    os.utime(log, (time.time() - idle_seconds,) * 2)
    archiver(log, lambda: told.append(1), limit=1, patience=0, written=lambda _: written).round()
    assert closing(log).exists() is not closed
    assert bool(archives(log)) is closed
    assert bool(told) is (written is not False)
    assert ids(log) == {1: 1}


SMALL = """
import resource, sys
from datetime import timedelta
from pathlib import Path
from mlstrata.services.gateway.logarchive import Archiver
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
Archiver(Path(sys.argv[1]), timedelta(days=200), lambda: None, limit=1, quiet=0).round()
"""


def test_with_no_room_for_the_compressed_one_the_plain_one_stays_whole(tmp_path):
    log = tmp_path / "access.log"
    # Of random bytes, so that it does not fit however it is compressed.
    log.write_bytes(content := entry(1, datetime.now(UTC)) + os.urandom(9000).hex().encode() + b"\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", SMALL, str(log)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "File too large" in done.stderr, done.stderr
    (one,) = archives(log)
    assert one.plain.read_bytes() == content
    assert {path.name for path in tmp_path.iterdir()} == {"access.log", one.plain.name}
    archiver(log).round()
    assert gzip.decompress(one.packed.read_bytes()) == content
    assert not one.plain.exists()


def test_a_reader_beside_an_archiver_that_never_rests(tmp_path):
    """Real threads: the files move on between any two steps of the reader's."""
    log = tmp_path / "access.log"
    writer, ended, written = Writer(log), threading.Event(), []
    busy = archiver(log, limit=1, patience=0, written=writer.writes, reopen=writer.reopen)

    def write():
        for number in count():
            if ended.is_set():
                return
            writer.gathered.append(entry(number, datetime.now(UTC)))
            writer.flush()
            written.append(number)
            if number % 3 == 0:
                busy.round()
            if number > 250:
                time.sleep(0.001)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        reads = 0
        while len(archives(log)) <= 20 or reads <= 10:
            wanted = len(written)
            found = ids(log)
            assert set(range(wanted)) <= set(found)
            assert max(found.values(), default=1) == 1
            reads += 1
    finally:
        ended.set()
        thread.join()
        writer.stream.close()
    assert len(archives(log)) > 20


def test_when_it_was_last_done_stands_still_while_it_cannot_be_and_goes_on_after(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(logarchive, "ROUND_SECONDS", 0.01)
    full, rounds = [True], []

    class Disk:
        log = tmp_path / "access.log"

        def round(self):
            rounds.append(full[0])
            if full[0]:
                raise OSError("no space left")

    archiving = Archiving(Disk())
    begun = archiving.done

    eventually(lambda: len(rounds) > 3)
    assert archiving.done == begun
    full[0] = False
    eventually(lambda: archiving.done > begun)
    known = archiving.done
    name, shown = archiving.exposition().splitlines()[-1].split()
    assert (name, float(shown) >= known) == (ARCHIVED, True)
    assert capsys.readouterr().err.count("no space left") == 1


def test_an_archive_that_cannot_be_touched_keeps_no_other_from_its_turn(tmp_path):
    log, now = tmp_path / "access.log", datetime(2026, 11, 21, 12, tzinfo=UTC)
    old, torn, fine = (Archive.of(log, now - timedelta(days=days)) for days in (KEEP.days + 1, 2, 1))
    old.plain.mkdir()  # a folder is not unlinked
    torn.plain.mkdir()  # nor compressed
    fine.plain.write_bytes(entry(1, now - timedelta(days=1)))
    log.write_bytes(entry(2, now) * LIMIT)
    writer = Writer(log)
    archiver = Archiver(
        log,
        KEEP,
        lambda: (writer.reopen(), writer.flush())[0],
        LIMIT,
        quiet=0.0,
        now=lambda: now,
        written=writer.writes,
    )
    with pytest.raises(OSError, match="access-"):
        archiver.round()
    assert fine.packed.exists()
    assert not closing(log).exists(), "the log was archived all the same"
    assert log.stat().st_size == 0
