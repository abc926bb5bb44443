"""Selects the tests of the environment that runs them: ours, or seldon-core's."""

import inspect
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.node.possible import NO_NODE
from tests.support.patience import PATIENCE

# Everywhere, not only where a variable says CI: no deadline for an example, as a busy machine is no error of what is
# tested, and the same examples twice. `pytest --hypothesis-profile default` looks for new ones.
settings.load_profile("ci")

# Programs that the tests' installation unpacked, after those of the machine (tools/debian-packages).
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlstrata/tools"
os.environ["PATH"] += os.pathsep + str(Path(os.environ.get("MLSTRATA_TOOLS") or _CACHE) / "bin")

SELDON, WORKSPACE = "seldon", "MLSTRATA_WORKSPACE"


def in_seldon() -> bool:
    """Whether these tests run in the environment of seldon-core, which none of ours can share."""
    return Path(sys.prefix).name == SELDON


def wait_for_answers() -> None:
    """Have httpx wait as long as tests do, where no test says otherwise: five seconds judge a busy machine."""
    try:
        import httpx
    except ModuleNotFoundError:  # seldon-core's environment has none
        return
    default = inspect.signature(httpx.get).parameters["timeout"].default
    default.connect = default.read = default.write = default.pool = PATIENCE


def pytest_configure(config: pytest.Config) -> None:
    wait_for_answers()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # Started to ignore interruptions, as by nohup: the tests that send them, and what they start, heed them.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "seldon: runs in the environment of seldon-core alone")


def _is_for_seldon(path: Path) -> bool:
    """Read the module-level mark without importing: such a test cannot even be imported elsewhere."""
    return "pytest.mark.seldon" in path.read_text(encoding="utf-8")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if collection_path.is_dir():
        # A folder's own conftest may import what only its environment has.
        files = list(collection_path.rglob("test_*.py"))
        return True if files and all(_is_for_seldon(file) != in_seldon() for file in files) else None
    if collection_path.suffix != ".py" or not collection_path.name.startswith("test_"):
        return None
    return True if _is_for_seldon(collection_path) != in_seldon() else None


@pytest.fixture(autouse=True)
def _workspace_of_the_test_alone() -> Iterator[None]:
    """Forget the workspace that a test's command handed on to what it starts."""
    before = os.environ.get(WORKSPACE)
    yield
    os.environ.pop(WORKSPACE, None)
    if before is not None:
        os.environ[WORKSPACE] = before


SKIPPED: list[str] = []


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """Note what was skipped, but for a node: the machine or its cache decides on that, and the report has a section."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and not hasattr(report, "wasxfail") and NO_NODE not in str(report.longrepr):
        SKIPPED.append(item.nodeid)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI a skipped test is a failed one: nobody would notice that a real part was not there."""
    if os.environ.get("CI") and SKIPPED and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        print(f"\nskipped in CI, where nothing may be skipped: {', '.join(SKIPPED)}")
