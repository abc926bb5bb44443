"""`python tools/run_tests.py tests|PART|PYTEST'S ARGUMENTS`: tests, each in the environment that it names.

The tests are divided into parts, which CI runs on a machine each; `tests` are all parts that need no compiler, and
`engines` is the part that needs programs built from Go modules, `node` the one that needs root and a Linux for a
Kubernetes node too; the node's main job is a part of `engines`, and says so where no node can be run. A part is several
pytest processes, a few at a time, since most tests wait for real services. Each prints when it ends; any failure fails
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
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
"""Threads that wait for each other keep a processor busy: on a shared one a model of trees learnt in 144 s, not 11."""

PARTS = ("unit", "properties", "platform", "models", "storage", "engines", "node")
ENGINES, NODE = "engines", "node"
"""The parts that need programs built from Go modules."""
NEEDS_ENGINES = ("tests/cluster", "tests/pulumi")
CLUSTERS = "tests/pulumi/test_clusters.py"
"""Three environments, one after the other, in a process of its own: as long as all others of its folder."""
NEEDS_NODE = "tests/node"
MAIN_JOB = ("tests/node/test_main_job.py", "tests/node/test_node.py")
"""Of the tests on a node those that are run wherever its programs are: from an empty cluster to a prediction."""
GUEST = "tests/guest"
"""Our wheels in an environment of their own, which is built first."""

# Folders of tests/unit that take long, or that import the same: a process each. The others share one.
UNIT = (
    ("policies", "audit"),
    ("stacks", "components", "exporter"),
    ("project", "pipelines", "kubeflow"),
    ("steps",),
    ("runner", "serving", "gateway", "registry", "rollout"),
)
# These files share a registry and its model, which are made once a process.
TOGETHER = ("test_gateway", "test_gateway_attacks", "test_gateway_copies", "test_gateway_edge", "test_serving")
# What tests/local has for these parts; its other files are the platform's.
LOCAL = {
    "models": ("test_batch", "test_promotion", "test_rollout", "test_second_system", "test_training"),
    "storage": ("test_main_job", "test_storage", "test_storage_s3"),
}
# What takes minutes begins first, so that none of it is alone at the end; the others follow in their order.
LONG = (
    "test_clusters",
    "test_learning_loop",
    "guest",
    "project",
    "test_storage_s3",
    "test_gateway_platform",
    "test_main_job",
    "policies",
    "steps",
    "stacks",
    "test_training",
    "test_learning",
    "test_recording",
)


@dataclass(frozen=True)
class Group:
    """What one pytest process runs.

    Attributes:
        part: The part that it belongs to.
        label: What it is called.
        paths: Files and folders.
        without: Files and folders in them that others run.
        environment: The environment whose interpreter runs it.
    """

    part: str
    label: str
    paths: tuple[str, ...]
    without: tuple[str, ...] = ()
    environment: str = "mlstrata"

    def command(self, *arguments: str) -> list[str]:
        """Return the command that runs it."""
        return [
            *(str(ROOT / PYTHON[self.environment]), "-m", "pytest", "-q"),
            *(f"--ignore={path}" for path in self.without),
            *self.paths,
            *arguments,
        ]

    @property
    def rank(self) -> int:
        """How early it begins."""
        stems = [Path(path).stem for path in self.paths]
        return min((LONG.index(one) for one in stems if one in LONG), default=len(LONG))


def groups() -> list[Group]:
    """Divide all tests, whatever files are added: what is not named above falls to `others` of its folder."""
    named = [tuple(f"tests/unit/{folder}" for folder in bundle) for bundle in UNIT]
    files = {path.stem: f"tests/local/{path.name}" for path in sorted((ROOT / "tests/local").glob("test_*.py"))}
    packages = tuple(str(path.relative_to(ROOT)) for path in sorted((ROOT / "packages").glob("*/tests")))
    shared = tuple(files.pop(name) for name in TOGETHER)
    part = {name: part for part, names in LOCAL.items() for name in names}
    found = [
        *(Group("unit", f"unit: {', '.join(Path(one).name for one in bundle)}", bundle) for bundle in named),
        Group("unit", "unit: others", ("tests/unit",), tuple(one for bundle in named for one in bundle)),
        Group(
            "properties",
            "others",
            ("tests", *packages),
            ("tests/local", "tests/unit", GUEST, NEEDS_NODE, *NEEDS_ENGINES),
        ),
        Group("properties", "seldon", ("tests",), environment="seldon"),
        Group("models", "gateway and serving", shared),
        Group("platform", GUEST, (GUEST,)),
        *(Group(part.get(name, "platform"), path, (path,)) for name, path in files.items()),
        *(Group(ENGINES, path, (path,), (CLUSTERS,)) for path in NEEDS_ENGINES),
        Group(ENGINES, CLUSTERS, (CLUSTERS,)),
        Group(ENGINES, "node: main job", MAIN_JOB),
        Group(NODE, NEEDS_NODE, (NEEDS_NODE,), MAIN_JOB),
    ]
    return sorted(found, key=lambda group: group.rank)


def run(group: Group) -> tuple[Group, int, float, str]:
    """Run a group; return it with its exit code, the seconds it took and what it printed."""
    # Whoever ends the run before its end sees what it waited for.
    sys.stdout.write(f"-- {group.label} begins\n")
    sys.stdout.flush()
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


def run_all(planned: list[Group]) -> int:
    """Run the groups, a few at a time; 0 when nothing failed."""
    failed: list[str] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for ended in as_completed([pool.submit(run, group) for group in planned]):
            group, code, seconds, printed = ended.result()
            sys.stdout.write(f"== {group.label} ({group.environment}, {seconds:.0f} s)\n{printed}")
            sys.stdout.flush()
            if code:
                failed.append(group.label)
    said = "".join(f" · {one} failed" for one in failed)
    sys.stdout.write(f"== {len(planned) - len(failed)} of {len(planned)} groups passed{said}\n")
    return int(bool(failed))


def main(arguments: list[str]) -> int:
    """Run what is asked for; 0 when nothing failed."""
    os.environ.update(ONE_THREAD)
    match arguments:
        case ["tests"]:
            return run_all([group for group in groups() if group.part not in {ENGINES, NODE}])
        case ["node"]:
            # In one process, since one deployment serves all of them.
            return run_all([Group(NODE, NEEDS_NODE, (NEEDS_NODE,))])
        case [part] if part in PARTS:
            return run_all([group for group in groups() if group.part == part])
    codes = []
    for environment in PYTHON:
        sys.stdout.write(f"== {environment}\n")
        sys.stdout.flush()
        command = Group("", "", (), environment=environment).command(*arguments)
        codes.append(subprocess.run(command, cwd=ROOT, check=False).returncode)
    ran = [code for code in codes if code != NOTHING_FOUND]
    return int(not ran or any(ran))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
