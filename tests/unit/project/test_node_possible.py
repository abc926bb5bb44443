"""A machine that can run no Kubernetes node says why, where everybody sees it, and fails nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
POSSIBLE = ROOT / "tests/support/node/possible.py"


def asked(*before: str, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    command = [*before, sys.executable, "-I", str(POSSIBLE)]
    return subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, check=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be less than root")
@pytest.mark.parametrize(
    ("before", "path", "why"),
    [
        (("setpriv", "--bounding-set=-sys_admin"), os.environ["PATH"], "it needs namespaces of its own"),
        ((), "/nowhere", "it needs unshare on PATH"),
    ],
)
def test_it_says_what_is_lacking(before, path, why):
    done = asked(*before, path=path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"no Kubernetes node can run here: {why}")
    assert ": " in done.stderr.partition(why)[2], "what to do"


def test_tests_that_need_one_are_skipped_with_the_reason_on_the_screen(tmp_path):
    environ = {**os.environ, "MLSTRATA_TOOLS": str(tmp_path)}
    environ.pop("MLSTRATA_TEST_CLUSTER", None)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/node/test_node.py"]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    said = done.stdout.partition("NO NODE WAS STARTED")[2]
    assert "nothing of tests/node ran: " in said
    assert "run the tests" in said or "`make test-node` builds them once" in said
    assert " passed" not in done.stdout
