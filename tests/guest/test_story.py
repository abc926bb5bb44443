"""The story of somebody else: the wheels in an empty environment, a repository of their own, no checkout of ours.

Their repository has modules called as ours once were, a policy that blocks, a capability, a step, and an environment
`prod` of this machine. Each test goes on where the one before stopped.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.wheels import ROOT, build

PORTS = "ports: {gateway: 0, mlflow: 0, prometheus: 0, alertmanager: 0, runner: 0}"
CAPABILITY = '''
"""A capability of our own: a greeting, which this machine has."""

from mlstrata.components.base import Component
from mlstrata.components.capability import Declaration, LocalBuilder, register
from mlstrata.environments import Stage, stages


class Greeting(Component):
    def __init__(self, name: str, words: str) -> None:
        super().__init__("greeting", name, {"words": words})
        self.register_outputs({"words": words})


def build(site: object) -> None:
    Greeting("greeting", "hello")


register(
    Declaration("greeting", local=LocalBuilder("greeting:build")),
    stages.Entry("greeting", Stage.SCALE, "People like to be greeted."),
)
'''
FOREIGN = ("MLSTRATA_WORKSPACE", "PULUMI_", "MLFLOW_", "PYTHON", "VIRTUAL_ENV")


@dataclass(frozen=True)
class Guest:
    """Somebody with the wheels installed and a repository.

    Attributes:
        python: Of their virtual environment.
        folder: Their repository.
    """

    python: Path
    folder: Path

    def run(self, *command: str, code: int = 0) -> str:
        """Run a program of their environment in their repository; return what it said."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        done = subprocess.run(
            [self.python.with_name(command[0]), *command[1:]],
            cwd=self.folder,
            env=environ | {"PATH": os.pathsep.join(("/usr/local/bin", "/usr/bin", "/bin"))},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + (done.stderr if code else "")

    def mlstrata(self, *arguments: str, code: int = 0) -> str:
        return self.run("mlstrata", *arguments, code=code)

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    base = tmp_path_factory.mktemp("guest")
    wheels = build(base / "wheels")
    python = base / "venv/bin/python"
    uv = shutil.which("uv") or str(ROOT / ".venvs/uv/bin/uv")
    # Its wheels are in the cache, where this environment came from; only ours are new.
    for command in (
        [uv, "venv", "--quiet", "--python", sys.executable, str(base / "venv")],
        [uv, "pip", "sync", "--quiet", "--python", str(python), "--require-hashes", str(ROOT / "locks/mlstrata.txt")],
        [uv, "pip", "install", "--quiet", "--python", str(python), "--offline", *map(str, wheels)],
    ):
        subprocess.run(command, check=True, cwd=base)
    folder = base / "demo"
    found = Guest(python, folder)
    subprocess.run([python.with_name("mlstrata"), "init", folder], check=True, cwd=base)
    for name in ("services.py", "cli.py", "components/__init__.py", "policies/_notes.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("raise SystemExit('this is not mlstrata')\n", encoding="utf-8")
    found.edit("environments/local.yaml", "target: {kind: local}", f"target: {{kind: local, {PORTS}}}")
    subprocess.run(["git", "init", "--quiet"], check=True, cwd=folder)
    yield found
    if (folder / ".mlstrata/local").exists():
        found.mlstrata("down", "local", "--yes")


def test_it_runs_from_the_wheel_and_knows_no_checkout(guest: Guest) -> None:
    where = guest.run("python", "-c", "import mlstrata, mlstrata.stacks; print(mlstrata.stacks.__file__)")
    assert where.startswith(str(guest.python.parents[1]))
    assert "customer-churn" in guest.mlstrata("validate")
    assert str(ROOT) not in guest.mlstrata("plan", "local", "--json")


def test_the_shipped_check_passes_with_the_guests_policy_among_the_others(guest: Guest) -> None:
    for environment in ("local", "dev"):
        (report,) = json.loads(guest.mlstrata("check", environment, "--format", "json"))
        outcome = {one["policy"]: one["outcome"] for one in report["results"]}
        assert report["passed"]
        assert outcome["org-cost-centre"] == "pass"


def test_the_guests_policy_blocks_and_passes_when_mended(guest: Guest) -> None:
    paid = '    cost_centre: "1042"           # policies/cost_centre.py asks for it\n'
    guest.edit("environments/local.yaml", paid, "")
    said = guest.mlstrata("check", "local", code=1)
    assert re.search(r"FAIL org-cost-centre +customer-churn", said)
    assert "nothing was changed" in guest.mlstrata("up", "local", "--yes", code=1)
    guest.edit("environments/local.yaml", "    risk:\n", f"{paid}    risk:\n")
    guest.mlstrata("check", "local")


def test_an_environment_called_prod_of_this_machine_plans_its_own_few_resources(guest: Guest) -> None:
    text = f"name: prod\ntarget: {{kind: local, {PORTS}}}\nstage: prerequisites\nsystems: []\n"
    (guest.folder / "environments/prod.yaml").write_text(text, encoding="utf-8")
    plan = json.loads(guest.mlstrata("plan", "prod", "--json"))
    assert plan["target"] == "local"
    assert 0 < len(plan["steps"]) < 60
    assert not [step["type"] for step in plan["steps"] if step["type"].startswith(("aws:", "kubernetes:"))]
    assert {step["urn"].split("::")[1] for step in plan["steps"]} == {"demo"}


def test_the_guests_capability_is_planned_where_it_is_switched_on(guest: Guest) -> None:
    (guest.folder / "capabilities").mkdir()
    (guest.folder / "capabilities/greeting.py").write_text(CAPABILITY, encoding="utf-8")
    file = guest.folder / "environments/prod.yaml"
    before = file.read_text(encoding="utf-8")
    file.write_text(f"{before}capabilities: {{on: [greeting]}}\n", encoding="utf-8")
    plan = json.loads(guest.mlstrata("plan", "prod", "--json"))
    assert "mlstrata:greeting:Greeting" in {step["type"] for step in plan["steps"]}
    file.write_text(f"{before}capabilities: {{on: [greetings]}}\n", encoding="utf-8")
    assert "did you mean 'greeting'" in guest.mlstrata("validate", "prod", code=2)
    file.write_text(before, encoding="utf-8")


def test_what_does_not_exist_is_refused_before_anything_trains(guest: Guest) -> None:
    guest.edit("environments/local.yaml", "churn:pipeline", "churn:pipelin")
    for command in ("validate", "plan"):
        assert "did you mean 'pipeline'" in guest.mlstrata(command, "local", code=2)
    guest.edit("environments/local.yaml", "churn:pipelin ", "churn:pipeline ")


def test_the_machine_and_the_version_are_told(guest: Guest) -> None:
    findings = json.loads(guest.mlstrata("doctor", "--json"))["findings"]
    assert {"mlserver", "prometheus", "pulumi", "git"} <= {one["what"] for one in findings}
    assert json.loads(guest.mlstrata("upgrade", "--check", "--json"))["changes"] == []
    assert json.loads(guest.mlstrata("schema"))["$id"].endswith(".json")


@pytest.mark.local
def test_up_trains_with_the_guests_step_releases_answers_and_leaves_nothing(guest: Guest) -> None:
    said = guest.mlstrata("up", "local", "--yes", "--train")
    assert "tidied" in said
    assert re.search(r'a prediction: .*"probability": 0\.\d+.* by version 1', said)
    subprocess.run(["git", "add", "-A"], check=True, cwd=guest.folder)
    listed = subprocess.run(["git", "ls-files"], check=True, cwd=guest.folder, capture_output=True, text=True).stdout
    assert not [name for name in listed.split() if name.startswith((".mlstrata", ".pulumi", "Pulumi.local"))]
    assert json.loads(guest.mlstrata("status", "local", "--json"))
    assert "nothing to do" in guest.mlstrata("up", "local", "--yes")
    guest.mlstrata("down", "local", "--yes")
    assert not (guest.folder / ".mlstrata/local").exists()
