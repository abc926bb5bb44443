"""`mlstrata up` of an environment on a cluster: the gate first, then the Pulumi CLI, followed event by event."""

import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pulumi.automation import events

import pulumi_embedded
from mlstrata.cli.main import main
from mlstrata.operations.pulumi_cli import Followed
from tests.support.command import copy_exemptions

ROOT = Path(__file__).parents[3]
TOKEN = "of a user of the test"
URN = "urn:pulumi:dev::mlstrata::kubernetes:core/v1:Namespace::platform"


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    (tmp_path / "environments").mkdir()
    shutil.copy(ROOT / "environments/dev.yaml", tmp_path / "environments")
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE", raising=False)
    return tmp_path


@pytest.fixture
def called(tmp_path, monkeypatch):
    """A CLI that notes that it was started, and fails; gives the note."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "pulumi"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path / "called"}\nexit 9\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return tmp_path / "called"


@pytest.mark.parametrize("command", [["up", "dev", "--yes"], ["down", "dev", "--yes"]])
def test_without_a_cli_one_line_says_how_to_get_one(workspace, monkeypatch, capsys, command):
    monkeypatch.setenv("PATH", str(workspace / "nothing-here"))
    assert main(command) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("pulumi: not on PATH; an environment on kubernetes is made by the Pulumi CLI")
    assert "get.pulumi.com" in line


def test_what_is_blocked_never_reaches_the_cli(workspace, called, capsys):
    """Without the exemptions of the shipped environments their policies block."""
    assert main(["up", "dev", "--yes"]) == 1
    assert "nothing was changed" in capsys.readouterr().err
    assert not called.exists()
    assert not (workspace / ".mlstrata/dev/passphrase").exists()


class Server(BaseHTTPRequestHandler):
    """An API server that lets whoever has the token in, and has nothing."""

    def do_GET(self):
        known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        code, reason = (404, "NotFound") if known else (401, "Unauthorized")
        body = json.dumps({"kind": "Status", "code": code, "reason": reason, "message": reason}).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Give what writes the kubeconfig of a cluster that answers, with a token."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def known_as(token):
        document = {
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
            "users": [{"name": "ana", "user": {"token": token}}],
            "contexts": [{"name": "ml-dev", "context": {"cluster": "c", "user": "ana"}}],
        }
        (tmp_path / "kubeconfig").write_text(json.dumps(document))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))

    yield known_as
    server.shutdown()
    server.server_close()


def test_what_passes_is_handed_to_the_cli(workspace, called, cluster):
    copy_exemptions(workspace)
    cluster(TOKEN)
    assert main(["up", "dev", "--yes"]) == 1
    assert "version" in called.read_text()


def test_refused_credentials_are_one_line_before_anything_is_made(workspace, called, cluster, capsys):
    copy_exemptions(workspace)
    cluster("one that ran out")
    assert main(["up", "dev", "--yes"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("context ml-dev: get serviceaccounts default in default: authentication failed")
    assert not called.exists()
    assert not (workspace / ".mlstrata/dev/passphrase").exists()


def metadata(op, **more):
    return events.StepEventMetadata(op, URN, "kubernetes:core/v1:Namespace", "provider", **more)


def event(**of):
    return events.EngineEvent(1, 1, **of)


def test_the_events_of_the_cli_are_those_of_the_embedded_engine():
    told = []
    followed = Followed(told.append)
    followed(event(resource_pre_event=events.ResourcePreEvent(metadata("update"))))
    changed = {"metadata.labels": events.PropertyDiff("update", input_diff=True)}
    followed(event(res_outputs_event=events.ResOutputsEvent(metadata("update", detailed_diff=changed))))
    (began, ended) = told
    assert began == pulumi_embedded.StepStarted(URN, "kubernetes:core/v1:Namespace", "update")
    assert (ended.step.name, ended.step.op) == ("platform", "update")
    assert [change.path for change in ended.step.diff] == ["metadata.labels"]
    assert followed.done == [ended.step]
    assert not followed.failed


def test_a_failed_step_has_the_reason_that_the_provider_gave():
    followed = Followed(lambda _event: None)
    followed(event(resource_pre_event=events.ResourcePreEvent(metadata("create"))))
    said = events.DiagnosticEvent("<{%reset%}>already exists<{%reset%}>\n", "raw", "error", urn=URN)
    followed(event(diagnostic_event=said))
    followed(event(res_op_failed_event=events.ResOpFailedEvent(metadata("create"), 1, 1)))
    (failed,) = followed.failed
    assert (failed.name, failed.op, failed.message) == ("platform", "create", "already exists")


def test_parts_of_a_replacement_are_one_step():
    followed = Followed(lambda _event: None)
    for op in ("create-replacement", "replace", "delete-replaced"):
        followed(event(res_outputs_event=events.ResOutputsEvent(metadata(op))))
    assert [step.op for step in followed.done] == ["replace"]
