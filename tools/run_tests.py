"""`python tools/run_tests.py tests|engines|PYTEST'S ARGUMENTS`: every test, each in the environment that it names.

`tests` are all that need no compiler, `engines` those that need the programs built from Go modules. They run as several
pytest processes, a few at a time: most of them wait for real services. Each prints when it ends, and any failure fails
the whole. Other arguments go to one pytest an environment, in turn.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHON = {
    "mlstrata": ".venv/bin/python",
    "seldon": ".venvs/seldon/bin/python",
}
AT_ONCE = (os.cpu_count() or 1) + 1
"""One more than there are processors, since there is always one that waits."""
NOTHING_FOUND = 5

# These share a registry and its model, which are made once a process.
TOGETHER = ("test_gateway", "test_gateway_attacks", "test_gateway_copies", "test_gateway_edge", "test_serving")
# What takes minutes begins first, so that none of it is alone at the end; the others follow in their order.
LONG = (
    "tests/local/test_storage_s3.py",
    "tests/cluster",
    "tests/local/test_gateway_platform.py",
    "all others",
    "tests/local/test_main_job.py",
    "tests/unit/policies",
    "tests/local/test_training.py",
    "tests/local/test_second_system.py",
    "tests/local/test_storage.py",
)


@dataclass(frozen=True)
class Group:
    """What one pytest process runs.

    Attributes:
        label: What it is called.
        environment: The environment whose interpreter runs it.
        paths: Files and folders.
        without: Files and folders in them that others run.
    """

    label: str
    environment: str
    paths: tuple[str, ...]
    without: tuple[str, ...] = ()

    def command(self, *arguments: str) -> list[str]:
        """Return the command that runs it."""
        return [
            *(str(ROOT / PYTHON[self.environment]), "-m", "pytest", "-q"),
            *(f"--ignore={path}" for path in self.without),
            *self.paths,
            *arguments,
        ]


ENGINES = ("tests/cluster",)
"""Folders of tests that need programs built from Go modules."""


def groups(part: str) -> list[Group]:
    """Divide a part's tests, whatever files are added: none is named here that would be forgotten if it were not."""
    if part == "engines":
        return [Group(path, "mlstrata", (path,)) for path in ENGINES]
    files = {path.stem: f"tests/local/{path.name}" for path in sorted((ROOT / "tests/local").glob("test_*.py"))}
    shared = tuple(files.pop(name) for name in TOGETHER)
    apart = ("tests/local", *ENGINES, "tests/unit/policies")
    found = [
        Group("gateway and serving", "mlstrata", shared),
        *(Group(path, "mlstrata", (path,)) for path in files.values()),
        Group("tests/unit/policies", "mlstrata", ("tests/unit/policies",)),
        Group("all others", "mlstrata", ("tests",), apart),
        Group("packages/pulumi-embedded", "mlstrata", ("packages/pulumi-embedded/tests",)),
        Group("seldon", "seldon", ("tests",)),
    ]
    return sorted(found, key=lambda one: LONG.index(one.label) if one.label in LONG else len(LONG))


def run(group: Group) -> tuple[Group, int, float, str]:
    """Run a group; return it with its exit code, the seconds it took and what it printed."""
    began = time.monotonic()
    # Several at once would write one cache.
    command = group.command("-p", "no:cacheprovider")
    done = subprocess.run(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return group, done.returncode, time.monotonic() - began, done.stdout


def main(arguments: list[str]) -> int:
    """Run what is asked for; 0 when nothing failed."""
    if arguments not in (["tests"], ["engines"]):
        codes = []
        for environment in PYTHON:
            sys.stdout.write(f"== {environment}\n")
            sys.stdout.flush()
            command = Group("", environment, ()).command(*arguments)
            codes.append(subprocess.run(command, cwd=ROOT, check=False).returncode)
        ran = [code for code in codes if code != NOTHING_FOUND]
        return int(not ran or any(ran))
    failed, planned = [], groups(arguments[0])
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for ended in as_completed([pool.submit(run, group) for group in planned]):
            group, code, seconds, printed = ended.result()
            sys.stdout.write(f"== {group.label} ({group.environment}, {seconds:.0f} s)\n{printed}")
            sys.stdout.flush()
            if code:
                failed.append(group.label)
    sys.stdout.write(
        f"== {len(planned) - len(failed)} of {len(planned)} passed{''.join(f' · {one} failed' for one in failed)}\n"
    )
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
