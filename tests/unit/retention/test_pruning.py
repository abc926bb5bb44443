"""What has been kept long enough goes, and nothing else: whatever the ages, whoever is killed, wherever links lead."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlstrata.files import write
from mlstrata.services.own_environment import READY
from mlstrata.services.retention.kept import items
from mlstrata.services.retention.lock import in_use
from mlstrata.services.retention.needed import Need, needed
from mlstrata.services.retention.pruning import prune
from mlstrata.services.retention.settings import DOCUMENTS, KEPT, RetentionSettings
from mlstrata.services.retention.walking import DOOMED, measured
from mlstrata.services.serving.releases import HistoryEntry, Releases

DAY, NOW = 86400.0, 2_000_000_000.0
DAYS = {"runs": 90, "caches": 30, "logs": 200, "predictions": 400, "documents": 3660}
HELD = "a" * 64
"""A snapshot that a version needs for good; that of `LENT` it needs until 1000 days from now."""
LENT = "b" * 64
RUNS, SCORES = "data/runner/loans", "data/batch/loans"
KINDS = {
    "run_files": (f"{RUNS}/artifacts/training-1", "runs", True),
    "snapshots": (f"{RUNS}/data/{'c' * 64}.parquet", "runs", False),
    "trials": (f"{RUNS}/trials/1", "runs", True),
    "step_results": (f"{RUNS}/cache/1.json", "caches", False),
    "pipelines": (f"{RUNS}/compiled/training-1.yaml", "caches", False),
    "fetched_models": (f"{RUNS}/elsewhere/1", "caches", True),
    "run_logs": ("logs/runs/1.log", "logs", False),
    "scores": (f"{SCORES}/scores-1.csv", "predictions", False),
    "unfinished_scores": (f"{SCORES}/work/1", "runs", True),
    "environments": ("data/environments/1", "caches", True),
}
"""By kind: one of it, the retention that holds, and whether it is a folder."""
NEVER = (
    "data/audit/audit.jsonl", "data/mlflow/mlflow.db", "data/serving/loans/models/1/MLmodel", "data/runner/runner.db",
    f"{RUNS}/requirements.txt", f"{RUNS}/elsewhere/fetched.json", f"{RUNS}/data/{HELD}.parquet", "logs/mlflow.log",
    "data/runner/gone/artifacts/training-1/file", f"{SCORES}/runs.jsonl", "config/seal/key",
)  # fmt: skip


def settings_of(home: Path) -> RetentionSettings:
    return RetentionSettings(
        home=home, tracking_uri="", systems={"loans": False}, **{name: days * DAY for name, days in DAYS.items()}
    )


NEEDS = {"loans": {HELD: Need(None, "version 1 answers"), LENT: Need(NOW + 1000 * DAY, "version 2 was released")}}


def make(home: Path, kind: str, name: str, age: float, size: int = 3) -> Path:
    """Make one of a kind, changed last `age` days ago."""
    place, _, folder = KINDS[kind]
    path = (home / place).with_name(("scores-" if kind == "scores" else "") + name + Path(place).suffix)
    put(path / "file" if folder else path, age, size)
    if kind == "environments":
        put(path / READY, age, 0)
    if folder:
        aged(path, age)
    return path


def put(path: Path, age: float, size: int = 3) -> None:
    write(path, b"x" * size)
    aged(path, age)


def aged(path: Path, age: float) -> None:
    os.utime(path, (NOW - age * DAY, NOW - age * DAY), follow_symlinks=False)


def there(home: Path) -> set[str]:
    found = (path for path in home.rglob("*") if path.is_file() and path.name not in {".in-use", "1.lock"})
    return {path.relative_to(home).as_posix() for path in found if path.suffix != ".lock"}


@contextmanager
def a_home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp())
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


THINGS = st.lists(st.tuples(st.sampled_from(sorted(KINDS)), st.floats(0, 800), st.integers(0, 2000)), max_size=12)


@settings(max_examples=30, deadline=None)
@given(things=THINGS)
def test_what_is_old_goes_and_what_is_needed_stays_however_often_it_is_done(things: list) -> None:
    with a_home() as home:
        young = set()
        for number, (kind, age, size) in enumerate(things):
            path = make(home, kind, f"n{number}", age, size)
            if age < DAYS[KINDS[kind][1]]:
                young.add(path)
        for name in NEVER:
            put(home / name, 5000)
        done = prune(settings_of(home), NEEDS, NOW)
        assert done.failed == done.busy == ()
        left = {item.path for item in items(settings_of(home), NEEDS) if "gone" not in item.path.parts}
        assert left - {home / RUNS / f"data/{HELD}.parquet"} == young
        assert {name for name in NEVER if not (home / name).exists()} == set()
        before = there(home)
        again = prune(settings_of(home), NEEDS, NOW)
        assert (again.removed, again.size, there(home)) == (0, 0, before)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_stays_as_long_as_the_file_says(kind: str, tmp_path: Path) -> None:
    days = DAYS[KINDS[kind][1]]
    old, young = make(tmp_path, kind, "old", days + 0.1, 7), make(tmp_path, kind, "young", days - 0.1)
    assert prune(settings_of(tmp_path), NEEDS, NOW).size == 7
    assert (old.exists(), young.exists()) == (False, True)


def test_a_snapshot_stays_for_the_versions_that_were_made_of_it(tmp_path: Path) -> None:
    for name in (HELD, LENT, "c" * 64):
        put(tmp_path / RUNS / f"data/{name}.parquet", 95)
    prune(settings_of(tmp_path), {"loans": None}, NOW)
    assert len(there(tmp_path)) == 3, "nobody can say what is needed"
    prune(settings_of(tmp_path), NEEDS, NOW)
    assert there(tmp_path) == {f"{RUNS}/data/{name}.parquet" for name in (HELD, LENT)}
    prune(settings_of(tmp_path), NEEDS, NOW + 1001 * DAY)
    assert there(tmp_path) == {f"{RUNS}/data/{HELD}.parquet"}


@pytest.mark.parametrize("high_risk", [True, False])
def test_what_answers_what_was_released_and_all_of_a_high_risk_system_is_needed(high_risk: bool) -> None:
    def version(number: int, data: str, tag: str = "data_version") -> dict:
        tags = [{"key": tag, "value": f"sha256:{data}"}]
        return {"version": str(number), "creation_timestamp": NOW * 1000, "tags": tags}

    def released(number: str, before: str | None) -> HistoryEntry:
        when = "2026-11-21T06:00:00Z"
        return HistoryEntry(kind="release", when=when, who="a", why="b", from_=before, to=number)

    releases = Releases(
        champion="4", loaded=("4", "3"), history=(released("1", None), released("3", "1"), released("4", "3"))
    )
    versions = [version(1, "one"), version(2, "two"), version(3, "one"), version(4, "four", "evaluation_data_version")]
    found = needed(versions, releases, high_risk=high_risk, documents=10 * DAY)
    assert set(found) == ({"one", "two", "four"} if high_risk else {"one", "four"})
    assert found["one"].until is found["four"].until is None, "of two that need it, the longer"
    assert not high_risk or found["two"].until == NOW + 10 * DAY
    earlier = needed(versions[:1], releases, high_risk=False, documents=10 * DAY)
    assert earlier["one"].until == releases.history[0].when.timestamp() + 10 * DAY


def test_what_a_job_uses_is_left_to_the_next_round(tmp_path: Path) -> None:
    path = make(tmp_path, "run_files", "old", 100)
    other = make(tmp_path, "scores", "old", 500)
    with in_use(tmp_path / RUNS), in_use(tmp_path / RUNS):
        done = prune(settings_of(tmp_path), NEEDS, NOW)
        assert done.busy == (str(tmp_path / RUNS),)
        assert (path.exists(), other.exists()) == (True, False)
    assert prune(settings_of(tmp_path), NEEDS, NOW).removed == 1


def test_an_environment_that_a_process_runs_in_stays(tmp_path: Path) -> None:
    path = make(tmp_path, "environments", "old", 100)
    with path.with_suffix(".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        prune(settings_of(tmp_path), NEEDS, NOW)
        assert path.exists()
    prune(settings_of(tmp_path), NEEDS, NOW)
    assert not path.exists()


def test_links_are_never_followed(tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    for place in ("run/file", "runs/loans/artifacts/1/file", "caches/1.json"):
        put(elsewhere / place, 5000)
    (home / RUNS / "artifacts").mkdir(parents=True)
    (home / RUNS / "artifacts/linked").symlink_to(elsewhere / "run")
    aged(home / RUNS / "artifacts/linked", 5000)
    (home / RUNS / "cache").symlink_to(elsewhere / "caches")
    within = make(home, "run_files", "old", 100)
    (within / "out").symlink_to(elsewhere / "run")
    aged(within / "out", 100)
    aged(within, 100)
    (home / "data/batch").symlink_to(elsewhere / "runs")
    before = there(elsewhere)
    prune(settings_of(home), NEEDS, NOW)
    assert not within.exists()
    assert there(elsewhere) == before


def test_documents_stay_until_their_day(tmp_path: Path) -> None:
    for name, until in (("late", NOW + 1), ("over", NOW - 1)):
        write(tmp_path / DOCUMENTS / name / KEPT, json.dumps({"until": until}))
    write(tmp_path / DOCUMENTS / "odd" / KEPT, "{")
    prune(settings_of(tmp_path), NEEDS, NOW)
    assert {one.name for one in (tmp_path / DOCUMENTS).iterdir() if one.is_dir()} == {"late", "odd"}


def test_what_cannot_be_removed_is_said_and_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "run_files", "old", 100)
    make(tmp_path, "scores", "old", 500)
    real = shutil.rmtree

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(shutil, "rmtree", refuse)
    done = prune(settings_of(tmp_path), NEEDS, NOW)
    assert (done.removed, len(done.failed)) == (1, 1)
    assert "Permission denied" in done.failed[0]
    monkeypatch.setattr(shutil, "rmtree", real)
    assert prune(settings_of(tmp_path), NEEDS, NOW).removed == 1
    assert there(tmp_path) == set()


def test_a_round_that_is_killed_leaves_what_the_next_one_ends(tmp_path: Path) -> None:
    now = time.time()
    file = tmp_path / "retention.json"
    home = tmp_path / "home"
    file.write_text(settings_of(home).model_dump_json())
    for number in range(40):
        for name in range(50):
            write(home / RUNS / f"artifacts/training-{number}/{name}", b"x")
        put(home / SCORES / f"scores-{number}.csv", 0)
        put(home / SCORES / f"scores-{number}.csv.manifest.json", 0)
    for path in sorted(home.rglob("*"), reverse=True):
        os.utime(path, (now - 500 * DAY, now - 500 * DAY))
    young = home / RUNS / "artifacts/young/file"
    write(young, b"x")
    command = [sys.executable, "-m", "mlstrata.services.retention", "--settings", str(file)]
    folders = (home / RUNS / "artifacts", home / SCORES)
    kills = 0
    for turn in range(5):
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        before = [sorted(folder.iterdir()) for folder in folders]
        while turn < 4 and process.poll() is None and [sorted(folder.iterdir()) for folder in folders] == before:
            pass
        if turn < 4 and process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        said, _ = process.communicate()
        for run in folders[0].iterdir():
            whole = run.name == "young" or len(list(run.iterdir())) == 50
            assert whole or run.name.endswith(DOOMED), "half of a thing never looks like the whole"
        for manifest in (home / SCORES).glob("*.manifest.json"):
            assert manifest.with_name(manifest.name.removesuffix(".manifest.json")).exists()
    assert kills, "at least one was killed"
    assert (process.returncode, json.loads(said)["failed"]) == (0, [])
    assert there(home) == {young.relative_to(home).as_posix()}


def test_a_tree_is_measured_without_what_links_lead_to(tmp_path: Path) -> None:
    put(tmp_path / "tree/a/b", 3, 100)
    put(tmp_path / "outside", 0, 1000)
    (tmp_path / "tree/link").symlink_to(tmp_path / "outside")
    assert measured(tmp_path / "tree").size == 100
    assert measured(tmp_path / "nothing") == (0, 0.0)
