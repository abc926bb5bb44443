"""The release workflows of GitHub and GitLab: one script, which nothing that a person types can turn into another."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
GITHUB = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
GITLAB = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())
STEP = GITHUB["jobs"]["release"]["steps"][-1]
SCRIPT = STEP["run"]
TOLD = {"ENVIRONMENT": "local", "SYSTEM": "loans", "VERSION": "", "REASON": "better auc", "DECIDER": "ana"}


@pytest.fixture
def decide(tmp_path):
    """Run the script with a command that only writes down its arguments, one a line and a blank after each call."""
    command = tmp_path / ".venv" / "bin" / "mlstrata"
    command.parent.mkdir(parents=True)
    command.write_text("#!/bin/bash\nprintf '%s\\n' \"$@\" '' >> calls\n")
    command.chmod(0o755)

    def run(action="release", checkout=str(tmp_path), **told):
        environ = {"PATH": os.environ["PATH"], "MLSTRATA_CHECKOUT": checkout, "ACTION": action} | TOLD | told
        script = ["bash", "-c", SCRIPT]
        done = subprocess.run(script, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False)
        calls = tmp_path / "calls"
        return done, [one.split("\n") for one in calls.read_text().strip().split("\n\n")] if calls.exists() else []

    return run


def test_both_run_the_same_script():
    assert GITLAB["release"]["script"] == [SCRIPT]


def test_the_script_gets_inputs_as_variables_only_and_has_all_it_reads():
    assert "${{" not in SCRIPT
    read = set(re.findall(r"\$\{?([A-Z_]+)", SCRIPT))
    assert read == {*STEP["env"], *GITHUB["jobs"]["release"]["env"]}
    asked = {name: told for name, told in GITLAB["variables"].items() if isinstance(told, dict)}
    assert read - {"MLSTRATA_CHECKOUT"} == {*asked, "DECIDER"}
    # YAML 1.1 reads the key `on` as true.
    inputs = GITHUB[True]["workflow_dispatch"]["inputs"]
    given = set(re.findall(r"inputs\.(\w+)", (ROOT / ".github/workflows/release.yml").read_text()))
    assert given == set(inputs) == {name.lower() for name in asked}
    assert inputs["action"]["options"] == GITLAB["variables"]["ACTION"]["options"] == ["release", "rollback"]


def test_only_one_decision_runs_at_a_time_and_neither_checks_anything_out():
    assert GITHUB["concurrency"]["group"] == "release-${{ inputs.environment }}"
    assert GITLAB["release"]["resource_group"] == "release-$ENVIRONMENT"
    assert GITHUB["permissions"] == {}
    assert GITLAB["release"]["variables"]["GIT_STRATEGY"] == "none"
    assert [step.get("uses") for step in GITHUB["jobs"]["release"]["steps"]] == [None]


@pytest.mark.parametrize(
    ("told", "arguments"),
    [
        ({}, ["release", "--reason=better auc", "--decider=ana", "--yes", "--", "local", "loans"]),
        (
            {"VERSION": "2"},
            ["release", "--reason=better auc", "--decider=ana", "--yes", "--version=2", "--", "local", "loans"],
        ),
        (
            {"action": "rollback", "VERSION": "2"},
            ["rollback", "--reason=better auc", "--decider=ana", "--", "local", "loans"],
        ),
        (
            {"REASON": '"; touch x; $(touch x) `touch x`', "VERSION": "2 --x", "SYSTEM": "--yes"},
            [
                *("release", '--reason="; touch x; $(touch x) `touch x`', "--decider=ana"),
                *("--yes", "--version=2 --x", "--", "local", "--yes"),
            ],
        ),
    ],
)
def test_what_is_typed_arrives_as_it_is(decide, tmp_path, told, arguments):
    done, calls = decide(**told)
    assert done.returncode == 0, done.stderr
    assert calls == [arguments, ["audit", "--verify", "--", "local"]]
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("told", "message"),
    [({"action": "down"}, "ACTION: got 'down'"), ({"checkout": ""}, "set it to the checkout of the environment")],
)
def test_nothing_else_is_run(decide, told, message):
    done, calls = decide(**told)
    assert done.returncode != 0
    assert message in done.stderr
    assert calls == []
