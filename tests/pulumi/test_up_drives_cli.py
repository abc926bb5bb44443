"""`mlstrata up` and `down` of an environment that is not on this machine, through the real Pulumi CLI.

The program is one of the workspace's own that needs no provider, so neither cluster nor plugin is asked.
"""

import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from mlstrata.cli.main import main

FILE = """\
name: dev
target: {kind: kubernetes, context: nowhere}
stage: prerequisites
"""
PROGRAM = """\
import pulumi

class Part(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("acme:index:Part", name, {})
        self.register_outputs({})

for name in NAMES:
    Part(name)
pulumi.export("context", "nowhere")
pulumi.export("namespaces", {"platform": "dev"})
pulumi.export("urls", {"mlflow": "http://mlflow.dev.svc:5000"})
"""


@pytest.fixture
def workspace(tmp_path, pulumi_bin, monkeypatch):
    for folder in ("environments", "program"):
        (tmp_path / folder).mkdir()
    (tmp_path / "environments/dev.yaml").write_text(FILE)
    (tmp_path / "Pulumi.yaml").write_text("name: acme\nruntime: python\nmain: program/\n")
    (tmp_path / "program/__main__.py").write_text(f"NAMES = ['first', 'second']\n{PROGRAM}")
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    monkeypatch.setenv("PATH", f"{pulumi_bin}{os.pathsep}{os.environ['PATH']}")
    for name in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_BACKEND_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_up_again_and_down(workspace, capsys):
    assert main(["up", "dev", "--yes", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["counts"]["create"] == 3, "the stack and two parts"
    assert {step["name"] for step in document["steps"]} >= {"first", "second"}
    state = workspace / ".pulumi/stacks/acme/dev.json"
    assert state.is_file(), "the state is where the embedded engine looks for it"
    (workspace / "program/__main__.py").write_text(f"NAMES = ['first', 'third']\n{PROGRAM}")
    assert main(["up", "dev", "--yes", "--json"]) == 0
    counts = json.loads(capsys.readouterr().out)["counts"]
    assert (counts["create"], counts["delete"], counts["same"]) == (1, 1, 2)
    assert main(["plan", "dev"]) == 0
    assert "2 drifted" not in capsys.readouterr().out
    assert main(["down", "dev", "--yes"]) == 0
    assert "3 deleted" in capsys.readouterr().out


def lock(workspace, pid):
    folder = workspace / ".pulumi/locks/organization/acme/dev"
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(tz=UTC).isoformat()
    owner = {"pid": pid, "username": "ana", "hostname": socket.gethostname(), "timestamp": now.replace("+00:00", "Z")}
    (folder / "of-another-run.json").write_text(json.dumps(owner))


def test_the_lock_of_a_run_that_was_killed_is_removed_and_that_of_another_is_not(workspace, capsys):
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    lock(workspace, ended.pid)
    assert main(["up", "dev", "--yes"]) == 0
    assert f"removed the lock of process {ended.pid}, which is dead" in capsys.readouterr().err
    lock(workspace, os.getppid())
    assert main(["up", "dev", "--yes"]) == 2
    assert f"is locked by process {os.getppid()}" in capsys.readouterr().err


def test_creations_that_a_killed_run_had_begun_are_settled_by_the_next(workspace, capsys):
    assert main(["up", "dev", "--yes"]) == 0
    state = workspace / ".pulumi/stacks/acme/dev.json"
    document = json.loads(state.read_text())
    begun = {"urn": "urn:pulumi:dev::acme::acme:index:Thing::begun", "custom": True, "type": "acme:index:Thing"}
    document["checkpoint"]["latest"]["pending_operations"] = [{"resource": begun, "type": "creating"}]
    state.write_text(json.dumps(document))
    assert main(["up", "dev", "--yes"]) == 0
    assert "interrupted while creating" in capsys.readouterr().err
    assert not json.loads(state.read_text())["checkpoint"]["latest"].get("pending_operations")


def test_a_program_that_fails_is_told_in_its_own_words(workspace, capsys):
    (workspace / "program/__main__.py").write_text("import pulumi\nraise pulumi.RunError('no such thing')\n")
    assert main(["up", "dev", "--yes"]) != 0
    assert "no such thing" in capsys.readouterr().err
