"""Jobs in processes of their own: one protocol, one last line, cancelled with their caller."""

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mlstrata import waiting, worker
from tests.support.patience import PATIENCE

PRELUDE = """
import argparse, os, sys, time
from mlstrata import worker
parser = argparse.ArgumentParser()
parser.add_argument("--settings")
parser.add_argument("--attached", action="store_true")
given, rest = parser.parse_known_args()
assert given.attached
worker.end_with_caller()
"""


@pytest.fixture
def job(tmp_path, monkeypatch):
    """Write a module that is a job, and return its name; what runs it finds it by PYTHONPATH."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    (tmp_path / "temporary").mkdir()
    (tmp_path / "modules").mkdir()

    def write(body: str) -> str:
        (tmp_path / "modules" / "job_of_test.py").write_text(PRELUDE + body)
        return "job_of_test"

    return write


def gone(pid: int) -> bool:
    """Say whether a process has ended; one that nobody has waited for yet counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_progress_and_result_come_apart_and_noise_is_left_out(job, tmp_path):
    module = job(
        "print('a library says hello'); print('[1, 2]'); print('{\"half')\n"
        "import json; asked = json.load(open(given.settings))\n"
        "worker.tell({'done': 1, 'rest': rest}); worker.tell({'done': 2})\n"
        "print('what a library says', file=sys.stderr)\n"
        "sys.exit(worker.finish({'twice': 2 * asked['number']}))\n"
    )
    told = []
    done = worker.run(module, {"number": 21}, told.append, arguments=["score"], log=tmp_path / "deep/job.log")
    assert done == worker.Result({"twice": 42}, None)
    assert told == [{"done": 1, "rest": ["score"]}, {"done": 2}]
    assert (tmp_path / "deep/job.log").read_text() == "what a library says\n"
    assert not list((tmp_path / "temporary").iterdir()), "nothing is left of a job that ended well"


def test_a_failure_is_the_jobs_own_sentence(job, tmp_path):
    module = job("sys.exit(worker.fail('there is no such table', 2, state='failed'))")
    assert worker.run(module) == worker.Result(None, "there is no such table")
    assert list(worker.lines(module)) == [
        {"result": None, "error": "there is no such table", "code": 2, "state": "failed"}
    ]
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.parametrize(
    ("body", "code"),
    [("sys.exit(3)", 3), ("raise RuntimeError('as it is')", 1), ("os.kill(os.getpid(), 9)", 137), ("", 0)],
)
def test_a_job_without_a_last_line_is_told_by_its_code_and_log(job, tmp_path, body, code):
    module = job("print('the reason', file=sys.stderr, flush=True)\n" + body)
    error = worker.run(module).error
    assert error.startswith(f"the job exited with code {code} and no error message; log: {tmp_path / 'temporary'}")
    assert "the reason" in Path(error.rpartition("log: ")[2]).read_text()
    error = worker.run(module, log=tmp_path / "own.log").error
    assert error == f"the job exited with code {code} and no error message; log: {tmp_path / 'own.log'}"


def test_a_job_that_takes_too_long_is_ended(job):
    assert worker.run(job("time.sleep(3600)"), seconds=0.5).error.startswith("the job took over 0.5 s; log: ")


def test_closing_ends_the_job_and_what_it_started(job):
    module = job(
        "import subprocess\n"
        "child = subprocess.Popen(['sleep', '3600'])\n"
        "worker.tell({'pids': [os.getpid(), child.pid]})\ntime.sleep(3600)\n"
    )
    with contextlib.closing(worker.lines(module)) as told:
        pids = next(told)["pids"]
    assert waiting.until(lambda: all(map(gone, pids)), PATIENCE)


def test_a_caller_that_is_killed_takes_its_job_along(job, tmp_path):
    module = job("worker.tell({'pid': os.getpid()}); time.sleep(3600)")
    caller = (
        "import sys, os; from mlstrata import worker\n"
        f"for line in worker.lines({module!r}): print(line['pid'], flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", caller], stdout=subprocess.PIPE, text=True) as process:
        pid = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert waiting.until(lambda: gone(pid), PATIENCE)


def test_a_folder_cannot_replace_a_module_of_the_job(job, tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path)
    assert worker.run(job("sys.exit(worker.finish({}))")) == worker.Result({}, None)


def test_a_result_of_four_megabytes_arrives(job):
    done = worker.run(job("sys.exit(worker.finish({'text': 'x' * 4_000_000}))"))
    assert len(json.dumps(done.value)) > 4_000_000
