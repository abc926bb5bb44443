"""A workspace of a test's own, driven by the `mlstrata` command as a person does."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlstrata.components.supervision.client import SupervisorClient
from mlstrata.components.supervision.sockets import is_free
from mlstrata.environments import Workspace
from mlstrata.services.exporter.processes import marked_processes
from tests.support.patience import PATIENCE

ROOT = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("mlstrata")
PORTS = {"gateway": 0, "mlflow": 0, "prometheus": 0, "alertmanager": 0, "runner": 0}
# `MLSTRATA_TEST_STORAGE=s3 pytest tests/local` runs the suite on the other storage; the shipped file says none.
STORAGE = os.environ.get("MLSTRATA_TEST_STORAGE", "")
# What a developer's own shell may carry and a test must not depend on.
FOREIGN = ("MLSTRATA_", "PULUMI_", "MLFLOW_", "NO_COLOR", "FORCE_COLOR", "COLUMNS")


def inherited() -> dict[str, str]:
    """Return the test run's variables without what a developer's shell may carry; where the tools are is kept."""
    return {key: value for key, value in os.environ.items() if key == "MLSTRATA_TOOLS" or not key.startswith(FOREIGN)}


def stored(text: str) -> str:
    """Return the shipped environment's file with the storage that this run of the suite is about."""
    return re.sub(r"(?m)^stage:", f"storage: {{kind: {STORAGE}}}\nstage:", text) if STORAGE else text


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Return everything that a person saw."""
        return self.out + self.err

    @property
    def json(self) -> Any:
        """Return the one document on standard output; fails when there is anything else."""
        return json.loads(self.out)


def first_systems(text: str, count: int) -> str:
    """Return an environment's file with this many of its systems: each costs every test a prediction process."""
    starts = [found.start() for found in re.finditer(r"(?m)^(  #.*\n)*  - name: ", text)]
    if not count:
        return text[: text.index("systems:")]
    return text[: starts[count]] if count < len(starts) else text


class Platform:
    """One workspace with its environment `local`, on free ports."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.workspace = Workspace(root)
        self.home = self.workspace.home("local")
        self.checkpoint = root / ".pulumi/stacks/mlstrata/local.json"
        self.client = SupervisorClient(self.workspace.socket("local"))

    def declare(self, stage: str = "foundation", *, systems: int = 1, ports: Mapping[str, int] | None = None) -> str:
        """Write the shipped environment with these changes and its first `systems`; return its text.

        Below `mature`, what the learning loop alone reads is left out.
        """
        text = (ROOT / "environments/local.yaml").read_text(encoding="utf-8")
        wanted = ", ".join(f"{name}: {port}" for name, port in {**PORTS, **(ports or {})}.items())
        text = re.sub(r"(?m)^target:.*$", f"target: {{kind: local, ports: {{{wanted}}}}}", text)
        text = re.sub(r"(?m)^stage: \w+", f"stage: {stage}", text)
        text = stored(text)
        if stage != "mature":
            text = re.sub(r"(?m)^(# Part of the stage|capabilities:).*\n", "", text)
            text = re.sub(r"(?m)^    (# Minutes where|rollout:|recording:|retrain:|  explain:|  drift:).*\n", "", text)
        text = first_systems(text, systems)
        # A prediction on a busy machine takes longer than people would wait for one.
        text = re.sub(r"\btimeout: 5s", "timeout: 300s", text)
        self.workspace.environments.mkdir(parents=True, exist_ok=True)
        self.workspace.environment_file("local").write_text(text, encoding="utf-8")
        if systems:
            copy_exemptions(self.root)
        return text

    def environment(self, **variables: str) -> dict[str, str]:
        """Return the variables of a command: the test run's, without what a developer's shell may carry."""
        return {**inherited(), "MLSTRATA_WORKSPACE": str(self.root), **variables}

    def run(self, *arguments: str, seconds: float = 2 * PATIENCE, **variables: str) -> Done:
        """Run the command to its end."""
        done = subprocess.run(
            [str(COMMAND), *arguments],
            env=self.environment(**variables),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        """Start the command in a group of its own."""
        return subprocess.Popen(
            [str(COMMAND), *arguments],
            env=self.environment(**variables),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def up(self, *options: str, **variables: str) -> Done:
        """Bring the environment up; it must work."""
        done = self.run("up", "local", "--yes", *options, **variables)
        assert done.code == 0, done.text
        return done

    def pids(self) -> dict[str, int]:
        """Return the process id of each supervised service."""
        return {process["name"]: process["pid"] for process in self.client._call("getAllProcessInfo")}

    def services(self) -> list[str]:
        """Return the service of each live process that carries this environment's mark."""
        return sorted(process.service for process in marked_processes(self.home))

    def recorded(self) -> list[dict[str, Any]]:
        """Return the resources in the state file."""
        document = json.loads(self.checkpoint.read_text(encoding="utf-8"))
        found: list[dict[str, Any]] = (document["checkpoint"].get("latest") or {}).get("resources") or []
        return found

    def exports(self) -> dict[str, Any]:
        """Return what the environment's stack exports."""
        found: dict[str, Any] = next(one["outputs"] for one in self.recorded() if "urls" in one.get("outputs", {}))
        return found

    def ports(self) -> list[int]:
        """Return every port that the environment has."""
        return [int(port) for named in self.exports()["ports"].values() for port in named.values()]

    def files(self) -> dict[str, bytes]:
        """Return every file of the workspace with its content."""
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and not path.is_symlink()
        }

    def end(self) -> None:
        """Take the environment down, whatever state a failed test left it in."""
        done = self.run("down", "local", "--yes")
        for process in marked_processes(self.home):
            os.kill(process.pid, signal.SIGKILL)
        assert done.code == 0, done.text

    def assert_healthy(self) -> None:
        """Every service answers, and each runs once."""
        done = self.run("status", "local", "--json")
        ill = [one for one in done.json["services"] if not one["healthy"]] if done.out else done.err
        assert (done.code, ill) == (0, []), done.text

    def assert_nothing_runs(self, ports: list[int]) -> None:
        """No process carries the environment's mark and nobody listens on its ports."""
        assert self.services() == []
        assert [port for port in ports if not is_free(port)] == []


def assert_one_message(done: Done, *parts: str, code: int = 2) -> None:
    """A mistake was told as it should be: this exit code, these words, no traceback, nothing on standard output."""
    assert done.code == code, done.text
    assert "Traceback" not in done.text
    assert "unexpectedly" not in done.text
    assert done.out == "" or done.out.startswith(" mlstrata  "), done.out
    missing = [part for part in parts if part not in done.err]
    assert not missing, f"{missing} not said in: {done.err}"


def copy_exemptions(root: Path) -> None:
    """Give a workspace the exemptions of the shipped environments, which cover nothing of anybody else's."""
    target = root / "policies/exemptions.yaml"
    target.parent.mkdir(exist_ok=True)
    shutil.copy(Path(__file__).parents[2] / "policies/exemptions.yaml", target)
