"""The workflow that `mlstrata init` writes, run as it stands: both its choices say the same of the same repository."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mlstrata.operations.repository.scaffold import create
from tests.support.command import Done, inherited

BASE = "${{ github.event.pull_request.base.sha }}"
# What the runner gets from the index, the environment of the tests has.
INSTALL = "pip install . pytest"
_BLOCKING = re.compile(r"\[mandatory\]\s+(?:\[severity: \w+\]\s+)?([\w-]+)")


class Runner:
    """Runs the steps of a job in a checkout, as the runner does: each by bash, until one fails."""

    def __init__(self, folder: Path, bin_: Path, temporary: Path) -> None:
        self.folder, self.summary = folder, temporary / "summary.md"
        self.jobs = yaml.safe_load((folder / ".github/workflows/mlstrata.yml").read_text(encoding="utf-8"))["jobs"]
        kept = inherited()
        path = os.pathsep.join([str(bin_), str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
        # Its own home: what a developer's CLI is logged in to is nothing to it.
        pulumi = {"PULUMI_HOME": str(temporary / "home"), "PULUMI_SKIP_UPDATE_CHECK": "true"}
        offline = {"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true"}
        summary = {"GITHUB_STEP_SUMMARY": str(self.summary)}
        self.variables = {**kept, "PATH": path, "CI": "true", **pulumi, **offline, **summary}
        self.git("init", "--quiet")
        self.commit()

    def git(self, *arguments: str) -> str:
        author = ["-c", "user.name=guest", "-c", "user.email=guest@example.com"]
        command = ["git", "-C", str(self.folder), *author, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "A change")

    def run(self, job: str) -> tuple[str, Done]:
        """Run a job to its end, or to the step that fails; return the name or text of that step, and how it ended."""
        self.summary.unlink(missing_ok=True)
        base = self.git("rev-parse", "HEAD")
        said = Done(0, "", "")
        for step in self.jobs[job]["steps"]:
            if (command := step.get("run")) is None or command == INSTALL:
                continue
            given = {**self.jobs[job].get("env", {}), **step.get("env", {})}
            variables = {name: str(value).replace(BASE, base) for name, value in given.items()}
            assert not [value for value in variables.values() if "${{" in value], "an expression that is not known here"
            done = subprocess.run(
                ["bash", "-e", "-c", command],
                cwd=self.folder,
                env={**self.variables, **variables},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            said = Done(done.returncode, said.out + done.stdout, said.err + done.stderr)
            if done.returncode:
                return step.get("name", command), said
        return "", said

    def blocking_by_check(self) -> set[str]:
        """Return the policies that block `local` by the report on the lines."""
        (run,) = json.loads((self.folder / "policies.sarif").read_text(encoding="utf-8"))["runs"]
        return {
            one["ruleId"]
            for one in run["results"]
            if one["level"] == "error" and not one.get("suppressions") and "local.yaml" in json.dumps(one["locations"])
        }


@pytest.fixture
def runner(tmp_path: Path, pulumi_bin: Path) -> Runner:
    create(tmp_path / "demo")
    return Runner(tmp_path / "demo", pulumi_bin, tmp_path)


def test_both_choices_let_the_repository_pass_and_block_the_same(runner: Runner) -> None:
    failed, said = runner.run("check")
    assert failed == "", said.text
    assert runner.blocking_by_check() == set()
    assert "local" in runner.summary.read_text(encoding="utf-8")
    failed, said = runner.run("preview")
    assert failed == "", said.text
    assert not _BLOCKING.findall(said.text)
    assert "customer-churn" in runner.summary.read_text(encoding="utf-8")

    # Nobody pays for the system, which now judges people: one of their own policies blocks today.
    file = runner.folder / "environments/local.yaml"
    text = file.read_text(encoding="utf-8")
    changed = re.sub(r"(?m)^    cost_centre: .*\n", "", text)
    high = "{tier: high, practice: none, annex_iii: 5b, role: deployer, profiling: true, contact: false}"
    changed = re.sub(r"\{tier: minimal[^}]*\}", high, changed)
    assert high in changed
    file.write_text(changed, encoding="utf-8")
    runner.git("worktree", "remove", "--force", "../base")
    runner.commit()
    failed, said = runner.run("check")
    assert (failed, said.code) == ("policies", 1), said.text
    blocked = runner.blocking_by_check()
    assert "org-cost-centre" in blocked
    failed, said = runner.run("preview")
    assert failed == "plan and policies", said.text
    assert set(_BLOCKING.findall(said.text)) == blocked


def test_a_repository_chooses_one_of_them(tmp_path: Path) -> None:
    create(tmp_path / "demo")
    workflow = yaml.safe_load((tmp_path / "demo/.github/workflows/mlstrata.yml").read_text(encoding="utf-8"))
    conditions = {name: job["if"] for name, job in workflow["jobs"].items()}
    assert conditions == {
        "check": "vars.MLSTRATA_CHECK != 'pulumi'",
        "preview": "vars.MLSTRATA_CHECK == 'pulumi'",
    }
    assert workflow["permissions"] == {"contents": "read"}
    assert "secrets." not in str(workflow["jobs"])
