"""The pull request's workflows are well-formed, safe for forks, and their script does what it says."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / ".ci/policies"
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
GITHUB = yaml.safe_load((ROOT / ".github/workflows/policies.yml").read_text())
GITLAB = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())["policies"]
CHECK, PUBLISH = GITHUB["jobs"]["check"], GITHUB["jobs"]["publish"]
TOOLS = Path(os.environ.get("MLSTRATA_TOOLS") or Path.home() / ".cache/mlstrata/tools") / "bin"
ACTIONLINT = shutil.which("actionlint") or shutil.which(TOOLS / "actionlint")


def lint(schema: str, *files: Path) -> subprocess.CompletedProcess:
    command = [ROOT / ".venv/bin/check-jsonschema", "--builtin-schema", schema, *files]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_every_workflow_is_valid_by_its_schema(tmp_path):
    assert WORKFLOWS
    for schema, files in (
        ("vendor.github-workflows", WORKFLOWS),
        ("vendor.github-actions", sorted((ROOT / ".github/actions").glob("*/action.yml"))),
        ("vendor.gitlab-ci", [ROOT / ".gitlab-ci.yml"]),
    ):
        found = lint(schema, *files)
        assert found.returncode == 0, found.stdout
    broken = tmp_path / "broken.yml"
    broken.write_text((ROOT / ".github/workflows/policies.yml").read_text().replace("runs-on:", "run-on:"))
    assert lint("vendor.github-workflows", broken).returncode, "the schema tells good from bad"


@pytest.mark.skipif(not ACTIONLINT, reason="no actionlint on PATH or among the tools: the schema alone is checked")
def test_actionlint_finds_nothing():
    found = subprocess.run([ACTIONLINT, *WORKFLOWS], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


def test_every_action_is_pinned_by_its_commit_and_says_which_release_that_is():
    own = sorted((ROOT / ".github/actions").glob("*/action.yml"))
    for file in [*WORKFLOWS, *own]:
        used = [line for line in file.read_text().splitlines() if "uses:" in line]
        ours = [f"uses: ./{action.parent.relative_to(ROOT)}" for action in own]
        used = [line for line in used if not line.endswith(tuple(ours))]
        wrong = [line for line in used if not re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)]
        assert not wrong, (file.name, wrong)
    assert len({file for file in WORKFLOWS if "uses:" in file.read_text()}) >= 3


def test_no_code_of_a_pull_request_runs_where_something_may_be_written():
    # YAML 1.1 reads the key `on` as true.
    assert set(GITHUB[True]) == {"pull_request"}, "pull_request_target would run a fork's code with our rights"
    assert GITHUB["permissions"] == {}
    assert CHECK["permissions"] == {"contents": "read"}
    assert CHECK["steps"][0]["with"]["persist-credentials"] is False
    assert "secrets." not in (ROOT / ".github/workflows/policies.yml").read_text()
    assert "head.repo.full_name == github.repository" in PUBLISH["if"]
    for step in PUBLISH["steps"]:
        assert "actions/checkout" not in step.get("uses", "")
        assert ".ci/" not in step.get("run", "")
        assert "make" not in step.get("run", "")


def test_what_a_stranger_typed_is_never_a_part_of_a_script():
    for job in GITHUB["jobs"].values():
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")


def test_both_run_the_same_script_with_what_it_reads():
    (step,) = (step for step in CHECK["steps"] if step.get("name") == "policies")
    assert step["run"] in GITLAB["script"]
    read = set(re.findall(r"\$\{([A-Z]+):-", SCRIPT.read_text())) - {"MLSTRATA_WORKSPACE"}
    assert read == set(step["env"]) == set(GITLAB["variables"]) - {"GIT_DEPTH"}
    written = set(re.findall(r"(\w+\.(?:md|sarif|xml|json))", SCRIPT.read_text()))
    used = {PUBLISH["steps"][1]["with"]["sarif_file"], *GITLAB["artifacts"]["reports"].values()}
    assert {Path(one).name for one in used} <= written


@pytest.fixture
def repository(tmp_path):
    """A project of its own, with one commit."""
    root = tmp_path / "project"
    (root / "environments").mkdir(parents=True)
    shutil.copy(ROOT / "environments/local.yaml", root / "environments")
    (root / "policies").mkdir()
    shutil.copy(ROOT / "policies/exemptions.yaml", root / "policies")

    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        command = ["git", *identity, *arguments]
        return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "-m", "base")
    return root, git("rev-parse", "HEAD"), git


def run(root: Path, out: Path, **environ: str) -> subprocess.CompletedProcess:
    environ = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "MLSTRATA_WORKSPACE": str(root), **environ}
    return subprocess.run([SCRIPT, out], env=environ, capture_output=True, text=True, check=False)


def edit(root: Path, old: str, new: str) -> None:
    file = root / "environments/local.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_a_harmless_change_passes_and_shows_what_it_changes(repository, tmp_path):
    root, base, git = repository
    edit(root, "predictions: 400d", "predictions: 300d")
    out = tmp_path / "reports"
    done = run(root, out, BASE=base)
    assert done.returncode == 0, done.stderr
    summary = (out / "summary.md").read_text()
    assert summary.startswith("## mlstrata\n### ✅ local")
    assert "retention.predictions: 400 -> 300" in summary
    assert "2 to change" in summary
    assert git("worktree", "list").count("\n") == 0, "the base's checkout is gone"


def test_a_change_that_is_blocked_fails_and_still_reports(repository, tmp_path):
    root, _, _ = repository
    edit(root, "stage: mature", "enforce: now\nstage: mature")
    edit(root, "predictions: 400d", "predictions: 30d")
    out = tmp_path / "reports"
    done = run(root, out)
    assert done.returncode == 1, done.stderr
    assert "### ❌ local" in (out / "summary.md").read_text()
    assert "What changes" not in (out / "summary.md").read_text(), "there is no base to compare with"
    (log,) = json.loads((out / "policies.sarif").read_text())["runs"]
    errors = {one["ruleId"] for one in log["results"] if one["level"] == "error"}
    assert "aia-log-retention-6m" in errors
    places = {one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in log["results"]}
    assert places == {"environments/local.yaml"}, "code scanning wants paths within the repository"
    issues = json.loads((out / "codequality.json").read_text())
    assert errors <= {one["check_name"] for one in issues if one["severity"] != "info"}
    (suite,) = ET.fromstring((out / "policies.xml").read_text())  # noqa: S314 - our own
    # One alert a policy and resource tells each of its findings in a line.
    alerts = [one for one in log["results"] if one["level"] == "error"]
    assert int(suite.get("failures")) == sum(len(one["message"]["text"].splitlines()) for one in alerts)


def test_a_file_that_is_not_valid_stops_it_with_one_message(repository, tmp_path):
    root, _, _ = repository
    edit(root, "stage: mature", "stage: matur")
    done = run(root, tmp_path / "reports")
    assert done.returncode == 2
    assert "did you mean 'mature'" in done.stderr
    summary = (tmp_path / "reports/summary.md").read_text()
    assert summary.startswith("## mlstrata\n### ❌ mistakes in the files\n\n    environments/local.yaml:")
    assert "did you mean 'mature'" in summary, "whoever opened it reads it where they asked"


def test_exemptions_with_a_mistake_are_told_in_the_summary(repository, tmp_path):
    root, _, _ = repository
    (root / "policies/exemptions.yaml").write_text("exemptions:\n  - {policy: gpu-limits-set, ticket: T-1}\n")
    done = run(root, tmp_path / "reports")
    assert done.returncode == 2
    assert "exemptions[0].approver: is missing" in (tmp_path / "reports/summary.md").read_text()
